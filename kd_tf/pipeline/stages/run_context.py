"""Defines what all stages of a run share: settings, data, and the folder of cached results."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import __version__, atomic, config
from kd_tf.backend import keras
from kd_tf.compress import prune
from kd_tf.config import Config
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples, draw_user_id_examples
from kd_tf.data.interactions import Dataset
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import FULL, parse_candidates
from kd_tf.evaluation.evaluate import Evaluation, ScoreFn, TrainingStatistics, evaluate
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.training_data import TrainingData
from kd_tf.pipeline.stages.model_results import describe_dataset
from kd_tf.pipeline.stages.prepare import (
    choose_max_length,
    draw_examples,
    ensure_validation_split,
    prepare_data,
)
from kd_tf.progress import Progress
from kd_tf.training import checkpoint
from kd_tf.training.resume import ResumeFolder
from kd_tf.training.trainer import DivergedError, Schedule, TrainingResult, train

DEFAULT_MAX_BYTES = 1_000_000
BYTES_PER_ITEM = 40
"""The student's default budget is the larger of 1 MB and 40 bytes per item."""

MAX_QUICK_SCORES = 30_000_000
"""Scores per epoch (training users times items) up to which a network trains in about a minute.

The defaults then include a network."""

TARGETS_PER_USER = 32
"""Default number of targets per user in one epoch for models that take user IDs."""

TEACHER_MAX_LENGTH = 1000
"""Upper bound of a teacher's history length."""


class RunContext:
    """The settings, the split data and the cache of one run.

    Args:
        settings: All settings of the run.
        folder: The run's folder.
        progress: Where to report.
        dataset: The data set before cleaning.

    Attributes:
        candidates: The sampled candidates of the ranking metrics; None for a full ranking.
        split: Training, validation and test data.
        statistics: Statistics of the training users that the metrics need.
        has_timestamps: Whether interactions have timestamps.
        data_key: The part of every cache key that depends on the data.
        max_length: L of the student.
        dataset_summary: The data set as results.json describes it.
        validation_metric: NDCG@10 on the validation users.

    Raises:
        UserError: The data or a setting cannot be used.

    Example:
        >>> from kd_tf.pipeline.stages.prepare import load_dataset
        >>> from kd_tf.progress import NullProgress
        >>> settings = config.from_values(
        ...     {
        ...         "data": {"synthetic_items": 60, "synthetic_users": 150},
        ...         "student": {"max_bytes": 5000},
        ...     }
        ... )
        >>> context = RunContext(settings, Path("run"), NullProgress(), load_dataset(settings))
        >>> context.max_bytes, context.max_length, context.trains_quickly
        (5000, 50, True)
        >>> context.make_schedule(settings.student.training).batch_size
        32
    """

    def __init__(
        self, settings: Config, folder: Path, progress: Progress, dataset: Dataset
    ) -> None:
        self.settings, self.folder, self.progress = settings, folder, progress
        self.dataset = dataset
        for note in self.dataset.notes:
            progress.warn(note)
        self.candidates = parse_candidates(settings.evaluation.candidates, settings.seed)
        prepared = prepare_data(settings, self.dataset)
        self.split = ensure_validation_split(prepared.split)
        if settings.export.recommendations > self.split.num_items:
            raise UserError(
                f"export.recommendations is {settings.export.recommendations}, but the catalog has "
                f"only {self.split.num_items} items",
                hint=f"Set it to {self.split.num_items} or less.",
            )
        self.statistics = TrainingStatistics.from_split(self.split)
        self.has_timestamps = prepared.interactions.timestamp is not None
        # Every stage depends on the histories themselves, not on the name of a file.
        self.data_key = {
            "train": hash_arrays(self.split.train.items, self.split.train.offsets),
            "validation": hash_arrays(
                self.split.validation.histories.items, self.split.validation.targets.items
            ),
            "low_rated": None
            if self.split.low_rated is None
            else hash_arrays(self.split.low_rated.items, self.split.low_rated.offsets),
            "num_items": self.split.num_items,
            "seed": settings.seed,
            "kd_tf": __version__,
        }
        self.dataset_summary = dataclasses.replace(
            describe_dataset(settings, prepared, self.split),
            candidates=str(self.candidates or FULL),
        )
        if self.candidates is not None:
            self.dataset_summary.notes.append(
                f"models rank each held-out item among {self.candidates.num_negatives} sampled "
                "items, but .tflite files are evaluated on all items: their metrics are not "
                "comparable with those of the models"
            )
        self.max_length = choose_max_length(settings, self.split)
        self.validation_metric = ValidationMetric(
            self.split.validation, self.split.num_items, self.candidates
        )
        summary = self.dataset_summary
        progress.info(
            f"{summary.users:,} users, {self.split.num_items:,} items, "
            f"{summary.interactions:,} interactions; {summary.train_users:,} training users, "
            f"{summary.validation_users:,} validation, {summary.test_users:,} test "
            f"({self.split.protocol})"
        )

    def with_settings(self, settings: Config) -> RunContext:
        """Returns a copy with other settings for teacher, student or distillation."""
        other = copy.copy(self)
        other.settings = settings
        return other

    def evaluate_on_test(self, name: str, score: ScoreFn) -> Evaluation:
        """Evaluates a model on the test users.

        Args:
            name: What the progress report calls the model.
            score: The model's score function.
        """
        self.progress.info(f"evaluating {name}")
        return evaluate(
            score,
            self.split.test,
            self.statistics,
            ks=self.ks,
            candidates=self.candidates,
            progress=self.progress,
        )

    @property
    def ks(self) -> tuple[int, ...]:
        """Cutoffs of the metrics: those of the settings, and 10 and 20, which tables show."""
        return tuple(sorted({10, 20, *self.settings.evaluation.ks}))

    def make_validation_fn(self, model: HistoryModel) -> Callable[[], float]:
        """Returns a function that computes NDCG@10 of `model` on the validation users."""
        score = make_score_fn(model)
        return lambda: self.validation_metric(score)

    def make_training_data(self, max_length: int) -> TrainingData:
        """Returns the inputs of models with a closed-form fit."""
        return TrainingData(
            split=self.split,
            catalog=self.dataset.catalog,
            max_length=max_length,
            validation_metric=self.validation_metric,
            progress=self.progress,
        )

    @property
    def max_bytes(self) -> int:
        """Budget in bytes for the student's int8 weights."""
        default = max(DEFAULT_MAX_BYTES, BYTES_PER_ITEM * self.split.num_items)
        return self.settings.student.max_bytes or default

    def hash_catalog(self) -> str:
        """Returns the SHA-256 of the catalog columns that teachers use."""
        frame = self.dataset.catalog.frame
        columns = [name for name in ("authors", "series") if name in frame.columns]
        return hashlib.sha256(frame.select(columns).write_json().encode()).hexdigest()

    @property
    def scores_per_epoch(self) -> int:
        """Number of scores of all items for every training user."""
        return len(self.split.train) * self.split.num_items

    @property
    def trains_quickly(self) -> bool:
        """Whether a network trains on this data in about a minute."""
        return self.scores_per_epoch <= MAX_QUICK_SCORES

    @property
    def teacher_max_length(self) -> int:
        """History length of teachers with a closed-form fit, which need no fixed length."""
        parts = (self.split.train, self.split.validation.histories)
        longest = max(int(histories.lengths.max(initial=1)) for histories in parts)
        return int(np.clip(longest, self.max_length, TEACHER_MAX_LENGTH))

    def draw_examples(self, purpose: int) -> Examples:
        """Samples training examples.

        Args:
            purpose: `TEACHER_EXAMPLES` or `STUDENT_EXAMPLES`, which are sampled differently.
        """
        return draw_examples(self.settings, self.split, purpose, has_timestamps=self.has_timestamps)

    def draw_examples_by_user(self) -> Examples:
        """Samples training examples for models that take user IDs."""
        return draw_user_id_examples(
            self.split.train,
            num_passes=self.settings.examples.num_passes,
            num_targets=self.settings.examples.num_targets or TARGETS_PER_USER,
            seed=self.settings.seed,
        )

    def make_distillation_setup(
        self, student: HistoryModel, teacher: HistoryModel, *, steps: int, seed: int
    ) -> DistillationSetup:
        """Returns what distillation losses need to know before training.

        Args:
            student: The model to train.
            teacher: The model that it is distilled from.
            steps: Maximum number of training steps.
            seed: Random seed of the losses.
        """
        return DistillationSetup(
            student=student,
            teachers=[teacher],
            popularity=self.split.popularity(),
            num_steps=steps,
            seed=seed,
        )

    def make_schedule(self, settings: config.TrainingSettings) -> Schedule:
        """Returns the training schedule, with a batch size that fits the data."""
        return Schedule(
            epochs=settings.epochs,
            batch_size=settings.batch_size or int(np.clip(len(self.split.train) // 8, 32, 512)),
            learning_rate=settings.learning_rate,
            patience=settings.patience,
        )

    def fit(
        self,
        model: keras.Model,
        batches: Batches,
        *,
        label: str,
        key: dict[str, Any],
        student: HistoryModel | None = None,
        **settings: Any,
    ) -> TrainingResult:
        """Trains a model so that a killed run can resume; see `kd_tf.training.trainer.train`.

        Args:
            model: A teacher or a Distiller.
            batches: Training data.
            label: The progress bar's label; unique in the run.
            key: Everything that the training depends on.
            student: The model that is validated, and saved if training fails; `model` by default.
            settings: Further arguments of `train`.

        Raises:
            DivergedError: The loss is not finite. The error names the folder with the last good
                weights.
        """
        folder = self.folder / "resume" / checkpoint.make_slug(label)
        student = student or model
        try:
            return train(
                model,
                batches,
                validate=self.make_validation_fn(student),
                resume_folder=ResumeFolder(folder, key),
                label=label,
                progress=self.progress,
                **settings,
            )
        except DivergedError as error:
            if prune.is_wrapped(student):
                prune.strip_core(student)
            checkpoint.save(student, folder.with_name(f"{folder.name}-last-good"))
            raise DivergedError(
                error.what,
                where=str(folder.with_name(f"{folder.name}-last-good")),
                hint=error.hint,
            ) from error

    def cache_key(self, **inputs: Any) -> dict[str, Any]:
        """Returns the cache key of a stage: the data, the example settings, and `inputs`."""
        return {
            **self.data_key,
            "examples": self.settings.examples.model_dump(mode="json"),
            "max_length": self.max_length,
            **inputs,
        }

    def run_cached(self, folder: Path, key: dict[str, Any], build: Callable[[Path], None]) -> None:
        """Fills a folder unless it was filled with the same key before.

        Args:
            folder: The stage's folder, replaced as a whole.
            key: Everything that its content depends on; written to key.json.
            build: Writes the content into the folder that it gets.
        """
        name = folder.relative_to(self.folder).as_posix()
        try:
            if json.loads((folder / "key.json").read_text("utf-8")) == key:
                self.progress.info(f"{name}: reused from an earlier run")
                return
        except (OSError, ValueError):
            pass
        with atomic.replace_directory(folder) as temporary:
            build(temporary)
            atomic.write_json(temporary / "key.json", key)


def hash_arrays(*arrays: np.ndarray) -> str:
    """Returns the SHA-256 of the arrays' contents."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
