"""What the stages of one run share: settings, data, and the folder that keeps what is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import __version__, atomic, config
from kd_tf.config import Config
from kd_tf.data.examples import Examples
from kd_tf.data.interactions import Dataset
from kd_tf.errors import UserError
from kd_tf.evaluate.protocol import Evaluation, Ranker, TrainingStatistics, evaluate
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import ranker
from kd_tf.models.training import Schedule
from kd_tf.pipeline.sources import divide, draw_examples
from kd_tf.progress import Progress
from kd_tf.report.results import DatasetResult


class Context:
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
        interactions, steps, self.split = divide(settings, self.dataset)
        if settings.export.recommendations > self.split.books:
            raise UserError(
                f"export.recommendations is {settings.export.recommendations}, but the catalogue "
                f"has {self.split.books} books",
                hint=f"Set it to {self.split.books} or less.",
            )
        self.statistics = TrainingStatistics.from_split(self.split)
        self.ordered = interactions.timestamp is not None
        # What every stage depends on: the very histories, not the name of a file.
        self.data_key = {
            "train": digest(self.split.train.items, self.split.train.offsets),
            "validation": digest(
                self.split.validation.histories.items, self.split.validation.targets.items
            ),
            "books": self.split.books,
            "seed": settings.seed,
            "kd_tf": __version__,
        }
        self.described = DatasetResult(
            name=self.dataset.name,
            users=interactions.users,
            items=self.split.books,
            interactions=len(interactions),
            protocol=self.split.protocol,
            seed=settings.seed,
            train_users=len(self.split.train),
            validation_users=len(self.split.validation.histories),
            test_users=len(self.split.test.histories),
            cleaning=[asdict(step) for step in steps],
            notes=list(self.dataset.notes),
        )
        progress.say(
            f"{interactions.users:,} readers, {self.split.books:,} books, "
            f"{len(interactions):,} interactions; {self.described.train_users:,} readers train, "
            f"{self.described.validation_users:,} choose, {self.described.test_users:,} judge"
        )

    def judge(self, name: str, rank: Ranker) -> Evaluation:
        """Measures a ranker on the test readers."""
        self.progress.say(f"measuring {name}")
        return evaluate(rank, self.split.test, self.statistics, progress=self.progress)

    def validation(self, model: HistoryModel) -> Callable[[], float]:
        rank = ranker(model)
        return lambda: evaluate(rank, self.split.validation, self.statistics, ks=(10,)).overall[
            "ndcg@10"
        ]

    def examples(self, purpose: int) -> Examples:
        return draw_examples(self.settings, self.split, purpose, ordered=self.ordered)

    def schedule(self, learning: config.Learning) -> Schedule:
        return Schedule(
            epochs=learning.epochs,
            batch_size=learning.batch_size or int(np.clip(len(self.split.train) // 8, 32, 512)),
            learning_rate=learning.learning_rate,
            patience=learning.patience,
        )

    def key(self, **more: Any) -> dict[str, Any]:
        return {
            **self.data_key,
            "examples": self.settings.examples.model_dump(mode="json"),
            "history_length": self.settings.export.history_length,
            **more,
        }

    def stage(self, folder: Path, key: dict[str, Any], make: Callable[[Path], None]) -> None:
        """Fills `folder` by `make` unless it was filled from the same inputs before."""
        name = folder.relative_to(self.folder).as_posix()
        try:
            if json.loads((folder / "key.json").read_text("utf-8")) == key:
                self.progress.say(f"{name}: kept from the run before")
                return
        except (OSError, ValueError):
            pass
        with atomic.directory(folder) as unfinished:
            make(unfinished)
            atomic.write_json(unfinished / "key.json", key)


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 over the contents of the arrays."""

    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
