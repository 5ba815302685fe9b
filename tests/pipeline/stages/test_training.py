"""What the settings of a training reach: the optimizer, the schedule and the L2 term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kd_tf import config
from kd_tf.backend import keras
from kd_tf.config import Config, TrainingSettings
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.students.logistic import LogisticStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.tied_embedding import TiedEmbeddingModel
from kd_tf.pipeline.stages import teacher, training
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.train_student import train_from_scratch
from kd_tf.progress import NullProgress


class Trained(Exception):  # noqa: N818 - no error: it ends a training before its first step
    """Carries what the trainer got."""


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the trainer got, instead of a training."""
    taken: dict[str, Any] = {}

    def train(model: keras.Model, batches: object, **named: Any) -> None:
        taken.update(model=model, batches=batches, **named)
        raise Trained

    monkeypatch.setattr(training, "train", train)
    return taken


def make_context(tmp_path: Path, **sections: dict[str, Any]) -> RunContext:
    settings: Config = config.from_values(
        {"data": {"synthetic_items": 60, "synthetic_users": 150}, **sections}
    )
    return RunContext.create(settings, tmp_path, NullProgress(), load_dataset(settings))


CHOICE = {
    "optimizer": "sgd",
    "momentum": 0.5,
    "learning_rate": 0.2,
    "learning_rate_schedule": "constant",
    "l2": 1e-4,
    "epochs": 3,
    "patience": 2,
    "batch_size": 40,
}


def check_choice(arguments: dict[str, Any], model: HistoryModel) -> None:
    optimizer, schedule = arguments["optimizer"], arguments["schedule"]
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert optimizer.momentum == 0.5
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    assert (schedule.epochs, schedule.patience, schedule.batch_size) == (3, 2, 40)
    assert isinstance(model, TiedEmbeddingModel)
    assert float(model.embeddings_regularizer.l2) == pytest.approx(1e-4)


@pytest.mark.slow
def test_a_student_is_trained_as_its_settings_say(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    context = make_context(tmp_path, student={"training": CHOICE})
    with pytest.raises(Trained):
        train_from_scratch(context, "alone", "mlp", 4, None, {})
    check_choice(arguments, arguments["model"].student)


@pytest.mark.slow
def test_a_teacher_is_trained_as_its_settings_say(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    context = make_context(
        tmp_path, teacher={"architecture": "cnn", "embedding_dim": 4, "training": CHOICE}
    )
    with pytest.raises(Trained):
        teacher.load_or_train_teachers(context)
    check_choice(arguments, arguments["model"])


def test_the_schedule_is_as_long_as_the_training(arguments: dict[str, Any], tmp_path: Path) -> None:
    context = make_context(tmp_path, student={"training": {"epochs": 3, "batch_size": 40}})
    with pytest.raises(Trained):
        train_from_scratch(context, "alone", "mlp", 4, None, {})
    steps = 3 * arguments["batches"].steps_per_epoch
    rate = arguments["optimizer"].get_config()["learning_rate"]["config"]
    assert rate["warmup_steps"] + rate["decay_steps"] == pytest.approx(steps, abs=1)


@pytest.mark.parametrize(
    ("users", "batch_size"), [(10, 32), (800, 100), (100_000, 512)], ids=["few", "some", "many"]
)
def test_a_batch_is_an_eighth_of_the_users_within_bounds(users: int, batch_size: int) -> None:
    class Users:
        train = range(users)

    split: Split = Users()  # type: ignore[assignment]
    assert training.make_schedule(TrainingSettings(), split).batch_size == batch_size
    assert training.make_schedule(TrainingSettings(batch_size=7), split).batch_size == 7


def test_l2_reaches_models_with_item_embeddings_and_is_refused_by_others() -> None:
    settings = TrainingSettings(l2=0.5)
    make = training.make_regularizer_arguments
    assert make(MatrixFactorization, settings, "teacher.training") == {"regularization": 0.5}
    assert float(make(MLPStudent, settings, "")["embeddings_regularizer"].l2) == 0.5
    assert make(LogisticStudent, TrainingSettings(), "student.training") == {}
    with pytest.raises(UserError, match="LogisticStudent has no L2") as refused:
        make(LogisticStudent, settings, "student.training")
    assert "student.training.l2" in str(refused.value)
