"""The optimizer of the settings: Keras' own, with today's defaults."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf import config
from kd_tf.backend import keras, tf
from kd_tf.config import TrainingSettings
from kd_tf.errors import UserError
from kd_tf.training.optimizer import build_optimizer, make_learning_rate


def train_a_weight(optimizer: keras.optimizers.Optimizer, steps: int) -> list[float]:
    """The path of one weight down the parabola ``(w - 3) ** 2 / 2``."""
    weight = tf.Variable(1.0)
    path = []
    for _ in range(steps):
        optimizer.apply_gradients([(weight - 3.0, weight)])
        path.append(float(weight))
    return path


@pytest.mark.parametrize("total_steps", [1, 7, 19, 20, 400])
def test_the_default_is_adam_with_warm_up_and_cosine_decay(total_steps: int) -> None:
    reference = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            0.0,
            decay_steps=max(total_steps - total_steps // 20, 1),
            warmup_target=0.01,
            warmup_steps=max(total_steps // 20, 1),
        )
    )
    optimizer = build_optimizer(TrainingSettings(), total_steps)
    assert optimizer.get_config() == reference.get_config()
    assert train_a_weight(optimizer, 25) == train_a_weight(reference, 25)


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({"optimizer": "sgd"}, keras.optimizers.SGD(0.01, momentum=0.9)),
        ({"optimizer": "sgd", "momentum": 0.0}, keras.optimizers.SGD(0.01)),
        (
            {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1},
            keras.optimizers.SGD(0.01, momentum=0.5, weight_decay=0.1),
        ),
        ({"optimizer": "adamw"}, keras.optimizers.AdamW(0.01)),
        (
            {"optimizer": "adamw", "weight_decay": 0.1},
            keras.optimizers.AdamW(0.01, weight_decay=0.1),
        ),
        ({"weight_decay": 0.1}, keras.optimizers.Adam(0.01, weight_decay=0.1)),
        ({"learning_rate": 0.3}, keras.optimizers.Adam(0.3)),
    ],
)
def test_settings_name_a_keras_optimizer(
    settings: dict[str, object], optimizer: keras.optimizers.Optimizer
) -> None:
    settings = {"learning_rate_schedule": "constant", **settings}
    built = build_optimizer(TrainingSettings(**settings), 100)
    assert type(built) is type(optimizer)
    assert train_a_weight(built, 10) == train_a_weight(optimizer, 10)


def test_the_cosine_rises_falls_and_ends_at_zero() -> None:
    rate = make_learning_rate("cosine", 0.1, total_steps=200)
    rates = np.array([float(rate(step)) for step in range(201)])
    assert rates.argmax() == 10
    assert rates.max() == pytest.approx(0.1)
    assert (np.diff(rates[:11]) > 0).all()
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[200] == pytest.approx(0.0, abs=1e-7)


def test_the_exponential_falls_by_the_same_factor_to_a_hundredth() -> None:
    rate = make_learning_rate("exponential", 0.1, total_steps=200)
    rates = np.array([float(rate(step)) for step in range(201)])
    np.testing.assert_allclose(rates[1:] / rates[:-1], 0.01 ** (1 / 200), rtol=1e-5)
    assert (rates[0], rates[200]) == pytest.approx((0.1, 0.001))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"learning_rate_schedule": "linear"}, "learning_rate_schedule"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"l2": -1.0}, "l2"),
    ],
)
@pytest.mark.parametrize("role", ["teacher", "student"])
def test_wrong_settings_are_named(role: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        config.from_values({role: {"training": values}})
    assert f"{role}.training" in str(refused.value)
