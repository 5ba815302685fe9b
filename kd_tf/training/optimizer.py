"""Builds the optimizer of a training and its learning-rate schedule."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.choices import LearningRateScheduleName
from kd_tf.config import TrainingSettings

DEFAULT_MOMENTUM = 0.9
"""Momentum of SGD; without it, SGD takes several times as many epochs."""

DEFAULT_ADAMW_DECAY = 0.004
"""Weight decay of AdamW, that of Keras. Adam and SGD have none by default."""

FINAL_RATE_SHARE = 0.01
"""Share of the learning rate that is left at the end of an exponential decay."""


def build_optimizer(settings: TrainingSettings, total_steps: int) -> keras.optimizers.Optimizer:
    """Builds the Keras optimizer that the settings choose.

    Args:
        settings: Optimizer, learning rate and schedule.
        total_steps: Maximum number of steps of the training, over which the learning rate decays.

    Example:
        >>> settings = TrainingSettings(optimizer="sgd", learning_rate_schedule="constant")
        >>> optimizer = build_optimizer(settings, total_steps=1000)
        >>> type(optimizer).__name__, optimizer.momentum
        ('SGD', 0.9)
    """
    learning_rate = make_learning_rate(
        settings.learning_rate_schedule, settings.learning_rate, total_steps
    )
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(
            learning_rate,
            momentum=DEFAULT_MOMENTUM if settings.momentum is None else settings.momentum,
            weight_decay=settings.weight_decay,
        )
    if settings.optimizer == "adamw":
        decay = settings.weight_decay
        return keras.optimizers.AdamW(
            learning_rate, weight_decay=DEFAULT_ADAMW_DECAY if decay is None else decay
        )
    return keras.optimizers.Adam(learning_rate, weight_decay=settings.weight_decay)


def make_learning_rate(
    schedule: LearningRateScheduleName, learning_rate: float, total_steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate of every step of a training.

    Args:
        schedule: ``cosine`` warms up linearly over the first twentieth of the steps and then
            decays to 0 along a half cosine; ``exponential`` decays by the same factor in every
            step, to `FINAL_RATE_SHARE` at the end; ``constant`` does not change.
        learning_rate: The highest learning rate.
        total_steps: Maximum number of steps.

    Example:
        >>> rate = make_learning_rate("exponential", 0.1, total_steps=100)
        >>> round(float(rate(0)), 6), round(float(rate(50)), 6), round(float(rate(100)), 6)
        (0.1, 0.01, 0.001)
    """
    if schedule == "constant":
        return learning_rate
    if schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(
            learning_rate, decay_steps=max(total_steps, 1), decay_rate=FINAL_RATE_SHARE
        )
    warmup_steps = total_steps // 20
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(total_steps - warmup_steps, 1),
        warmup_target=learning_rate,
        warmup_steps=max(warmup_steps, 1),
    )
