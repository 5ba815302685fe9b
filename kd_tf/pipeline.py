"""The corridor: calls the rooms in order; every finished stage is kept and found again."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import __version__, atomic, config
from kd_tf.compress import prune
from kd_tf.config import Config
from kd_tf.data import batches, examples
from kd_tf.data.clean import CleaningStep, clean
from kd_tf.data.interactions import Dataset, Interactions
from kd_tf.data.readers.delimited import BookColumns, InteractionColumns, read_delimited
from kd_tf.data.readers.goodbooks import read_goodbooks
from kd_tf.data.readers.synthetic import read_synthetic
from kd_tf.data.split import Split, unseen_users
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.knowledge.soft_targets import SoftTargets
from kd_tf.distill.teacher_targets import teacher_targets
from kd_tf.errors import UserError
from kd_tf.evaluate.baselines import item_knn, popularity
from kd_tf.evaluate.comparison import paired_comparison
from kd_tf.evaluate.protocol import Evaluation, TrainingStatistics, evaluate
from kd_tf.keras import keras
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import ranker
from kd_tf.models.students import STUDENTS
from kd_tf.models.teachers import TEACHERS
from kd_tf.models.training import Schedule, train
from kd_tf.progress import Progress, Silent
from kd_tf.report import html, model_card
from kd_tf.report.results import (
    ComparisonResult,
    DatasetResult,
    ModelResult,
    Results,
)
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
from kd_tf.tflite.artifact import Artifact, measure
from kd_tf.tflite.convert import Quantization, convert

IN_BATCH_ABOVE = 50_000
"""Books beyond which a teacher's scores of a batch (512 x V float32) outgrow 100 MB."""

CALIBRATION_HISTORIES = 500
SHIP_WITHIN = 0.99
"""``ship = "auto"`` takes the smallest file with at least this share of the best validation
NDCG@10: below that a reader would notice, above it bytes matter more."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where everything lies.
        results: Every figure.
        dataset: What was read, books included.
        split: What was learnt from and judged on.
        teacher: Trained.
        student: The distilled one, pruned.
        bundle: What an app takes.
    """

    folder: Path
    results: Results
    dataset: Dataset
    split: Split
    teacher: HistoryModel
    student: HistoryModel
    bundle: Bundle


def run(
    settings: Config,
    folder: Path,
    progress: Progress | None = None,
    *,
    dataset: Dataset | None = None,
) -> Run:
    """Interactions in, a measured bundle out.

    A run that was stopped goes on from its finished stages when it is started again with the
    same settings and data; a stage whose inputs changed is done anew.

    Args:
        settings: Everything the run depends on.
        folder: Gets config.toml, results.json, report.html, teacher/, student/, targets/,
            artifacts/ and bundle/.
        progress: Where to report; nothing by default.
        dataset: Data that is already in memory (`kd_tf.data.readers.dataframe`); by default
            what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
        ParityError: A converted file does not answer like its student.
    """
    progress = progress or Silent()
    return _Corridor(settings, Path(folder), progress, dataset or read(settings)).walk()


def read(settings: Config) -> Dataset:
    """The data set that the settings name."""
    data = settings.data
    if data.dataset == "synthetic":
        return read_synthetic(
            books=data.synthetic_books, readers=data.synthetic_readers, seed=settings.seed
        )
    if data.dataset == "goodbooks":
        assert data.data_dir is not None
        return read_goodbooks(data.data_dir, on_bad_rows=data.on_bad_rows)
    assert data.interactions is not None
    return read_delimited(
        data.interactions,
        InteractionColumns(**data.columns.model_dump()),
        books=data.books,
        book_columns=BookColumns(**data.book_columns.model_dump()) if data.books else None,
        on_bad_rows=data.on_bad_rows,
        name=settings.name,
    )


def divide(settings: Config, dataset: Dataset) -> tuple[Interactions, list[CleaningStep], Split]:
    """Cleans the interactions and holds readers out."""
    min_rating = settings.data.min_rating
    if min_rating is None and settings.data.dataset == "goodbooks":
        min_rating = 4.0
    interactions, steps = clean(
        dataset.interactions,
        min_rating=min_rating,
        min_user_interactions=settings.data.min_user_interactions,
    )
    test = settings.split.test_users or min(5000, max(interactions.users // 5, 1))
    split = unseen_users(
        interactions,
        test_users=test,
        validation_users=settings.split.validation_users or max(test // 2, 1),
        held_out=settings.split.held_out,
        seed=settings.seed,
    )
    return interactions, steps, split


def draw_examples(
    settings: Config, split: Split, purpose: int, *, ordered: bool
) -> examples.Examples:
    """Examples for one purpose; teacher and student learn from different cuts."""
    return examples.draw(
        split.train,
        passes=settings.examples.passes,
        history_length=settings.export.history_length,
        targets=settings.examples.targets or (4 if ordered else 16),
        ordered=ordered,
        seed=1000 * settings.seed + purpose,
    )


def calibration(settings: Config, split: Split) -> np.ndarray:
    """int32 [n, L]: parts of training histories, short and long, that give int8 its ranges.

    Whole histories would not do: the fewer books a reader has, the more each of them counts, and
    a range that never saw a short history cuts it off.
    """
    return examples.draw(
        split.train,
        passes=1,
        history_length=settings.export.history_length,
        targets=1,
        ordered=True,
        seed=1000 * settings.seed + 3,
    ).history[0][:CALIBRATION_HISTORIES]


class _Corridor:
    """What the stages of one run share."""

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
            "train": _digest(self.split.train.items, self.split.train.offsets),
            "validation": _digest(
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

    def walk(self) -> Run:
        """Every stage in order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config.write(self.settings, self.folder / "config.toml")
        models, evaluations = [], {}
        for baseline in (popularity.fit(self.split), item_knn.fit(self.split)):
            evaluation = self._judge(baseline.name, baseline.rank)
            evaluations[baseline.name] = evaluation
            models.append(
                ModelResult(
                    name=baseline.name,
                    role="baseline",
                    kind=baseline.name,
                    parameters=baseline.parameters,
                    bytes=baseline.bytes,
                    metrics=evaluation.overall,
                    train_seconds=0.0,
                )
            )
        teacher, teacher_seconds = self._teacher()
        alone, alone_seconds = self._student("alone", None)
        student, student_seconds = self._student("distilled", teacher)
        for name, role, kind, model, seconds in (
            ("teacher", "teacher", self.settings.teacher.kind, teacher, teacher_seconds),
            ("student-alone", "student", self.settings.student.kind, alone, alone_seconds),
            ("student-distilled", "student", self.settings.student.kind, student, student_seconds),
        ):
            evaluations[name] = self._judge(name, ranker(model))
            parameters = _parameters(model)
            models.append(
                ModelResult(
                    name=name,
                    role=role,
                    kind=kind,
                    parameters=parameters,
                    bytes=4 * parameters,
                    metrics=evaluations[name].overall,
                    train_seconds=seconds,
                )
            )
        artifacts = self._artifacts(student)
        chosen = self._choose(artifacts)
        results = Results(
            dataset=self.described,
            models=models,
            artifacts=artifacts,
            comparisons=[
                _compare("student-distilled", "student-alone", evaluations),
                _compare("student-distilled", "teacher", evaluations),
                _compare("student-distilled", "item-knn", evaluations),
            ],
            chosen=chosen.name,
            environment=_environment(),
        )
        bundle = self._bundle(results)
        results.write(self.folder)
        html.write(results, self.folder)
        return Run(self.folder, results, self.dataset, self.split, teacher, student, bundle)

    def _judge(self, name: str, rank: Callable[..., np.ndarray]) -> Evaluation:
        """The test readers, read once for each model."""
        self.progress.say(f"measuring {name}")
        return evaluate(rank, self.split.test, self.statistics, progress=self.progress)

    def _validation(self, model: HistoryModel) -> Callable[[], float]:
        rank = ranker(model)
        return lambda: evaluate(rank, self.split.validation, self.statistics, ks=(10,)).overall[
            "ndcg@10"
        ]

    def _examples(self, purpose: int) -> examples.Examples:
        return draw_examples(self.settings, self.split, purpose, ordered=self.ordered)

    def _schedule(self, learning: config.Learning) -> Schedule:
        return Schedule(
            epochs=learning.epochs,
            batch_size=learning.batch_size or int(np.clip(len(self.split.train) // 8, 32, 512)),
            learning_rate=learning.learning_rate,
            patience=learning.patience,
        )

    def _key(self, **more: Any) -> dict[str, Any]:
        return {
            **self.data_key,
            "examples": self.settings.examples.model_dump(mode="json"),
            "history_length": self.settings.export.history_length,
            **more,
        }

    def _teacher(self) -> tuple[HistoryModel, float]:
        settings = self.settings.teacher
        key = self._key(teacher=settings.model_dump(mode="json"))

        def make(unfinished: Path) -> None:
            keras.utils.set_random_seed(self.settings.seed)
            objective = settings.objective
            if objective == "auto":
                large = self.split.books > IN_BATCH_ABOVE
                objective = "in-batch" if large else "full-softmax"
            model = TEACHERS[settings.kind](
                books=self.split.books,
                history_length=self.settings.export.history_length,
                dimensions=settings.dimensions,
                objective=objective,
            )
            model.create_weights()
            model.adapt(self.split.popularity())
            drawn = self._examples(1)
            schedule = self._schedule(settings.learning)
            training = train(
                model,
                batches.batches(
                    drawn.history,
                    {"targets": drawn.targets},
                    batch_size=schedule.batch_size,
                    seed=self.settings.seed,
                ),
                steps=batches.steps_per_epoch(len(self.split.train), schedule.batch_size),
                schedule=schedule,
                validate=self._validation(model),
                label=f"teacher ({settings.kind})",
                progress=self.progress,
            )
            model.remember(self.split, self.progress)
            checkpoint.save(model, unfinished / "model")
            atomic.write_json(unfinished / "training.json", asdict(training))

        return self._trained(self.folder / "teacher", key, make)

    def _student(self, name: str, teacher: HistoryModel | None) -> tuple[HistoryModel, float]:
        settings, pruning = self.settings.student, self.settings.pruning
        key = self._key(
            student=settings.model_dump(mode="json"),
            pruning=pruning.model_dump(mode="json"),
            distillation=self.settings.distillation.model_dump(mode="json") if teacher else None,
            teacher=checkpoint.fingerprint(teacher) if teacher else None,
        )

        def make(unfinished: Path) -> None:
            # The same seed for both students: they begin equal and see the same batches.
            keras.utils.set_random_seed(self.settings.seed)
            model = STUDENTS[settings.kind](
                books=self.split.books,
                history_length=self.settings.export.history_length,
                dimensions=settings.dimensions,
            )
            model.create_weights()
            drawn = self._examples(2)
            labels = {"targets": drawn.targets}
            distiller = Distiller(model)
            if teacher is not None:
                wanted = self.settings.distillation
                targets = teacher_targets(
                    teacher,
                    drawn,
                    top=wanted.top,
                    folder=self.folder / "targets",
                    progress=self.progress,
                )
                labels.update(targets.labels())
                distiller = Distiller(
                    model, knowledge=[SoftTargets(wanted.temperature)], alpha=wanted.alpha
                )
            schedule = self._schedule(settings.learning)
            steps = batches.steps_per_epoch(len(self.split.train), schedule.batch_size)
            total = steps * schedule.epochs
            callbacks: list[keras.callbacks.Callback] = []
            if pruning.sparsity:
                prune.wrap_core(
                    model,
                    sparsity=pruning.sparsity,
                    begin_step=int(total * pruning.begin),
                    end_step=max(int(total * pruning.end), int(total * pruning.begin) + 1),
                )
                callbacks = prune.callbacks()
            training = train(
                distiller,
                batches.batches(
                    drawn.history, labels, batch_size=schedule.batch_size, seed=self.settings.seed
                ),
                steps=steps,
                schedule=schedule,
                validate=self._validation(model),
                choose_from_epoch=int(schedule.epochs * pruning.end) + 1 if callbacks else 1,
                callbacks=callbacks,
                label=f"student {name} ({settings.kind})",
                progress=self.progress,
            )
            if pruning.sparsity:
                prune.strip_core(model)
            checkpoint.save(model, unfinished / "model")
            atomic.write_json(unfinished / "training.json", asdict(training))

        return self._trained(self.folder / "student" / name, key, make)

    def _trained(
        self, folder: Path, key: dict[str, Any], make: Callable[[Path], None]
    ) -> tuple[HistoryModel, float]:
        self._stage(folder, key, make)
        training = json.loads((folder / "training.json").read_text("utf-8"))
        return checkpoint.load(folder / "model"), float(training["seconds"])

    def _artifacts(self, student: HistoryModel) -> list[Artifact]:
        folder = self.folder / "artifacts"
        key = self._key(
            student=checkpoint.fingerprint(student),
            export=self.settings.export.model_dump(mode="json", exclude={"ship"}),
            test=_digest(self.split.test.histories.items, self.split.test.targets.items),
        )

        def make(unfinished: Path) -> None:
            variants = [Quantization(name) for name in self.settings.export.variants]
            measured = []
            with self.progress.task("exporting", len(variants)) as advance:
                for variant in variants:
                    content = convert(
                        student,
                        variant,
                        recommendations=self.settings.export.recommendations,
                        calibration=calibration(self.settings, self.split),
                    )
                    path = unfinished / f"{variant.value}.tflite"
                    atomic.write_bytes(path, content)
                    measured.append(
                        measure(
                            path,
                            student,
                            variant,
                            split=self.split,
                            statistics=self.statistics,
                            sparsity=prune.core_sparsity(student),
                        )
                    )
                    advance(1, variant.value)
            atomic.write_json(unfinished / "artifacts.json", [asdict(one) for one in measured])

        self._stage(folder, key, make)
        listed = json.loads((folder / "artifacts.json").read_text("utf-8"))
        return [Artifact(**one) for one in listed]

    def _choose(self, artifacts: list[Artifact]) -> Artifact:
        ship = self.settings.export.ship
        if ship != "auto":
            return next(one for one in artifacts if one.name == ship)
        best = max(one.validation_ndcg for one in artifacts)
        good = [one for one in artifacts if one.validation_ndcg >= SHIP_WITHIN * best]
        return min(good, key=lambda one: one.bytes)

    def _bundle(self, results: Results) -> Bundle:
        shipped = results.shipped
        return write_bundle(
            self.folder / "bundle",
            model=(self.folder / shipped.path).read_bytes(),
            catalog=self.dataset.catalog.frame.iter_rows(named=True),
            config=BundleConfig(
                name=self.settings.name,
                books=self.split.books,
                history_length=self.settings.export.history_length,
                recommendations=self.settings.export.recommendations,
                signatures=tuple(shipped.signatures),
                min_runtime_version=shipped.min_runtime_version,
                quantization=shipped.quantization,
                metrics=shipped.metrics,
                dataset={
                    "name": results.dataset.name,
                    "users": results.dataset.users,
                    "items": results.dataset.items,
                    "interactions": results.dataset.interactions,
                    "protocol": results.dataset.protocol,
                    "seed": results.dataset.seed,
                },
            ),
            model_card=model_card.render(results),
        )

    def _stage(self, folder: Path, key: dict[str, Any], make: Callable[[Path], None]) -> None:
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


def _compare(model: str, against: str, evaluations: dict[str, Evaluation]) -> ComparisonResult:
    metric = "ndcg@10"
    found = paired_comparison(
        evaluations[against].per_reader[metric], evaluations[model].per_reader[metric]
    )
    return ComparisonResult(
        model, against, metric, found.difference, found.standard_error, found.readers
    )


def _parameters(model: HistoryModel) -> int:
    return int(sum(np.prod(weight.shape) for weight in checkpoint.stored(model)))


def _digest(*arrays: np.ndarray) -> str:
    import hashlib

    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _environment() -> dict[str, str]:
    packages = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")
    return {
        "kd_tf": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: metadata.version(name) for name in packages},
    }
