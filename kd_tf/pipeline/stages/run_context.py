"""What the stages of one run share: settings, data, and the folder that keeps what is finished."""

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
from kd_tf.evaluate.candidates import FULL, parse_candidates
from kd_tf.evaluate.evaluation import Evaluation, ScoreFn, TrainingStatistics, evaluate
from kd_tf.evaluate.validation import ValidationMetric
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
"""Of the student's weights, unless the settings say more: whichever of both is larger."""

MAX_QUICK_SCORES = 30_000_000
"""Scores of a pass over the readers below which a network trains from nothing in about a minute:
then the defaults try one too."""

TARGETS_PER_USER = 32
"""Books of a reader that a model of numbered readers learns from in one pass."""

TEACHER_MAX_LENGTH = 1000
"""Books of a reader beyond which no teacher looks."""


class RunContext:
    """One run: read and divided data, and where its stages are kept.

    Args:
        settings: Everything the run depends on.
        folder: Of the run.
        progress: Where to report.
        dataset: What was read.

    Attributes:
        split: What is learnt from and judged on.
        statistics: Of the training readers, for the metrics.
        ordered: True where interactions have timestamps.
        history_length: L of the student.
        described: The data set as results.json has it.

    Raises:
        UserError: The data or a setting cannot be used.
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
                f"export.recommendations is {settings.export.recommendations}, but the catalogue "
                f"has {self.split.num_items} books",
                hint=f"Set it to {self.split.num_items} or less.",
            )
        self.statistics = TrainingStatistics.from_split(self.split)
        self.has_timestamps = prepared.interactions.timestamp is not None
        # What every stage depends on: the very histories, not the name of a file.
        self.data_key = {
            "train": hash_arrays(self.split.train.items, self.split.train.offsets),
            "validation": hash_arrays(
                self.split.validation.histories.items, self.split.validation.targets.items
            ),
            "also_read": None
            if self.split.low_rated is None
            else hash_arrays(self.split.low_rated.items, self.split.low_rated.offsets),
            "books": self.split.num_items,
            "seed": settings.seed,
            "kd_tf": __version__,
        }
        self.dataset_summary = dataclasses.replace(
            describe_dataset(settings, prepared, self.split),
            candidates=str(self.candidates or FULL),
        )
        if self.candidates is not None:
            self.dataset_summary.notes.append(
                f"models rank held-out books among {self.candidates.num_negatives} others; files give "
                "lists and are measured among all books, so the figures of both do not compare"
            )
        self.max_length = choose_max_length(settings, self.split)
        self.validation_metric = ValidationMetric(
            self.split.validation, self.split.num_items, self.candidates
        )
        progress.info(
            f"{self.dataset_summary.users:,} readers, {self.split.num_items:,} books, "
            f"{self.dataset_summary.interactions:,} interactions; {self.dataset_summary.train_users:,} readers "
            f"train, {self.dataset_summary.validation_users:,} choose, "
            f"{self.dataset_summary.test_users:,} judge ({self.split.protocol})"
        )

    def with_settings(self, settings: Config) -> RunContext:
        """The same run with other settings of teacher, student or distillation."""
        other = copy.copy(self)
        other.settings = settings
        return other

    def evaluate_on_test(self, name: str, score: ScoreFn) -> Evaluation:
        """Measures a model on the test readers."""
        self.progress.info(f"measuring {name}")
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
        """The lengths of the lists: those that are asked for, and those that tables show."""
        return tuple(sorted({10, 20, *self.settings.evaluation.ks}))

    def make_validation_fn(self, model: HistoryModel) -> Callable[[], float]:
        """NDCG@10 of the validation readers, as `train` asks for it."""
        score = make_score_fn(model)
        return lambda: self.validation_metric(score)

    def make_training_data(self, max_length: int) -> TrainingData:
        """What models of this history length are solved from."""
        return TrainingData(
            split=self.split,
            catalog=self.dataset.catalog,
            max_length=max_length,
            validation_metric=self.validation_metric,
            progress=self.progress,
        )

    @property
    def max_bytes(self) -> int:
        """The student's budget: of its weights in an int8 file."""
        given = self.settings.student.max_bytes
        return given or max(DEFAULT_MAX_BYTES, BYTES_PER_ITEM * self.split.num_items)

    def hash_catalog(self) -> str:
        """SHA-256 of what teachers read of the catalogue."""
        frame = self.dataset.catalog.frame
        columns = [name for name in ("authors", "series") if name in frame.columns]
        return hashlib.sha256(frame.select(columns).write_json().encode()).hexdigest()

    @property
    def scores_per_epoch(self) -> int:
        """How many scores there are when every training reader is scored for every book."""
        return len(self.split.train) * self.split.num_items

    @property
    def trains_quickly(self) -> bool:
        """Whether a network of this data trains in about a minute."""
        return self.scores_per_epoch <= MAX_QUICK_SCORES

    @property
    def teacher_max_length(self) -> int:
        """How many books a teacher sees that need not be trained for a fixed number of them."""
        users = (self.split.train, self.split.validation.histories)
        longest = max(int(some.lengths.max(initial=1)) for some in users)
        return int(np.clip(longest, self.max_length, TEACHER_MAX_LENGTH))

    def draw_examples(self, purpose: int) -> Examples:
        return draw_examples(self.settings, self.split, purpose, has_timestamps=self.has_timestamps)

    def draw_examples_by_user(self) -> Examples:
        """For models that know readers by number."""
        return draw_user_id_examples(
            self.split.train,
            num_passes=self.settings.examples.num_passes,
            num_targets=self.settings.examples.num_targets or TARGETS_PER_USER,
            seed=self.settings.seed,
        )

    def make_distillation_setup(
        self, student: HistoryModel, teacher: HistoryModel, *, steps: int, seed: int
    ) -> DistillationSetup:
        """What methods may look at before this student is trained for at most so many steps."""
        return DistillationSetup(
            student=student,
            teachers=[teacher],
            popularity=self.split.popularity(),
            num_steps=steps,
            seed=seed,
        )

    def make_schedule(self, settings: config.TrainingSettings) -> Schedule:
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
        """Trains in a way that a killed run takes up again; see `kd_tf.training.trainer.train`.

        Args:
            model: A teacher or a Distiller.
            batches: What it learns from.
            label: What the progress bar says, of which the run has one only.
            key: All that the training depends on.
            learner: What validation measures and a failed training leaves; `model` by default.
            settings: More of `train`.

        Raises:
            DivergedError: The loss is no longer finite; the last good weights are kept, and the
                error says where.
        """
        folder = self.folder / "unfinished" / checkpoint.make_slug(label)
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

    def cache_key(self, **more: Any) -> dict[str, Any]:
        return {
            **self.data_key,
            "examples": self.settings.examples.model_dump(mode="json"),
            "history_length": self.max_length,
            **more,
        }

    def run_cached(self, folder: Path, key: dict[str, Any], build: Callable[[Path], None]) -> None:
        """Fills `folder` by `make` unless it was filled from the same inputs before."""
        name = folder.relative_to(self.folder).as_posix()
        try:
            if json.loads((folder / "key.json").read_text("utf-8")) == key:
                self.progress.info(f"{name}: kept from the run before")
                return
        except (OSError, ValueError):
            pass
        with atomic.replace_directory(folder) as unfinished:
            build(unfinished)
            atomic.write_json(unfinished / "key.json", key)


def hash_arrays(*arrays: np.ndarray) -> str:
    """SHA-256 over the contents of the arrays."""

    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
