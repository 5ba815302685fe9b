"""Trains a model, or loads it if a stage with the same inputs has been finished before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from kd_tf import atomic
from kd_tf.models.trainable import TrainableModel
from kd_tf.pipeline.stages.cache import Cache
from kd_tf.report.results import CandidateResult
from kd_tf.stage_files import read_record
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

TRAINING_FILE = "training.json"

ModelT = TypeVar("ModelT", bound=TrainableModel)


@dataclass(frozen=True)
class TrainedModel(Generic[ModelT]):
    """A trained model of a run and how its training went.

    Attributes:
        name: Name in tables.
        architecture: For example ``mlp``.
        model: The model itself.
        seconds: Wall time of the training, validation included.
        validation_score: NDCG@10 on the validation users, or the score of another task.
        candidate_students: The candidates that it was selected from.
    """

    name: str
    architecture: str
    model: ModelT
    seconds: float
    validation_score: float = 0.0
    candidate_students: list[CandidateResult] = field(default_factory=list)


@dataclass(frozen=True)
class TrainingRecord(TrainingResult):
    """Content of `TRAINING_FILE`."""

    architecture: str
    candidate_students: list[CandidateResult]


def load_or_train(
    cache: Cache,
    name: str,
    folder: Path,
    key: dict[str, Any],
    train: Callable[[Path], tuple[ModelT, str, TrainingResult, list[CandidateResult]]],
    *,
    metric: str = "NDCG@10",
) -> TrainedModel[ModelT]:
    """Trains a model, or loads it from `folder` if it was trained with the same key before.

    Args:
        cache: The finished stages of the run.
        name: The model's name in tables.
        folder: The stage's folder.
        key: Everything that the model depends on.
        train: Gets a temporary folder; returns the model, its architecture, the training result,
            and the candidates that it was selected from.
        metric: Name of the validation score.
    """

    def write(temporary: Path) -> None:
        model, architecture, training, candidates = train(temporary)
        checkpoint.save(model, temporary / checkpoint.MODEL_FOLDER)
        record = TrainingRecord(
            **asdict(training), architecture=architecture, candidate_students=candidates
        )
        atomic.write_json(temporary / TRAINING_FILE, asdict(record))

    cache.build_once(folder, key, write)
    record = read_record(folder / TRAINING_FILE, TrainingRecord)
    epochs = f" in epoch {record.best_epoch} of {record.epochs}" if record.epochs else ""
    cache.progress.info(
        f"{folder.relative_to(cache.folder).as_posix()}: {record.architecture}, validation "
        f"{metric} {record.best_score:.4f}{epochs}, {record.seconds:.0f} s"
    )
    return TrainedModel(
        name,
        record.architecture,
        cast("ModelT", checkpoint.load(folder / checkpoint.MODEL_FOLDER)),
        record.seconds,
        record.best_score,
        record.candidate_students,
    )
