"""Distillation methods on one student and one teacher, honestly compared: over seeds, in pairs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.config import MATRIX_FACTORIZATION, Config, Distillation
from kd_tf.data.examples import Examples
from kd_tf.data.interactions import Dataset
from kd_tf.distill.starts import STARTS
from kd_tf.errors import UserError
from kd_tf.evaluate.protocol import Evaluation
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.matrix_factorization import MatrixFactorization
from kd_tf.models.ranking import scorer
from kd_tf.models.stored import settled, stored_bytes
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.training import Training
from kd_tf.pipeline import teachers, ways
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.describing import comparisons, environment, model_result
from kd_tf.pipeline.learning import learnt
from kd_tf.pipeline.sources import read
from kd_tf.pipeline.stage import trained
from kd_tf.pipeline.students import fine_tuned, started, untrained
from kd_tf.pipeline.teaching import Teaching, answers, knowledge, more
from kd_tf.pipeline.workers import Workers
from kd_tf.progress import Progress, Silent
from kd_tf.report.results import ModelResult, ModelTable, TriedStudent

ALONE = "student-alone"
START = "start"
"""A student that is solved or pruned from the teacher, before any training."""

TEACHER = "teacher"

_FIGURES = "figures.json"
_PER_READER = "per_reader.npz"


def compare(
    settings: Config,
    folder: Path,
    progress: Progress | None = None,
    *,
    methods: Sequence[str] | None = None,
    seeds: int = 3,
    dataset: Dataset | None = None,
    workers: Workers | None = None,
) -> ModelTable:
    """Trains the same student alone and with every method, and measures all on the test readers.

    Every student of a seed begins with the same weights and sees the same batches. What is
    finished stays in `folder`: a run that was stopped goes on from there.

    Args:
        settings: Data, teacher, student and distillation; ``distillation.methods`` sets what
            methods are made with and how much they weigh.
        folder: Gets the teacher, its targets and every finished student.
        progress: Where to report; nothing by default.
        methods: See `kd_tf.pipeline.ways.settings_of`; all by default.
        seeds: How many trainings each figure is the mean of.
        dataset: Data in memory; by default what ``settings.data`` names is read.
        workers: How many trainings run at once; one by default.

    Returns:
        The teacher, the student alone, and one student a method; ``deviations`` holds the
        standard deviation of every figure over the seeds. Comparisons are paired over the
        readers, each reader's figure being the mean of the seeds, and with the student alone.
        Students that are not trained from nothing have a row more, ``start``: what is solved or
        pruned from the teacher. The methods train it further and are compared with it.

    Raises:
        UserError: A method or a kind is unknown, or the data cannot be used.
    """
    names = list(dict.fromkeys(methods)) if methods else ways.names()
    kinds = (MATRIX_FACTORIZATION, *TRAINED_STUDENTS, *STARTS)
    if settings.student.kind not in kinds:
        raise UserError(
            f"methods are compared on one kind of student, and {settings.student.kind} is none",
            where="student.kind",
            hint=f"There are: {', '.join(kinds)}.",
        )
    for name in names:  # what is set wrongly is told before hours of training
        knowledge(ways.settings_of(name, settings).distillation)
    comparison = _Comparison(settings, Path(folder), progress or Silent(), dataset)
    context = comparison.context
    # Here, so that no two trainings write the same cache.
    for name in names:
        comparison.ask(name)
    if comparison.is_started:
        for teaching in (None, comparison.teaching(settings)):
            comparison.start(teaching)
    # A start draws nothing, so that it is made once.
    rows = {ALONE: 1, START: 1} if comparison.is_started else {ALONE: seeds}
    rows |= dict.fromkeys(names, seeds)
    tasks = [(name, seed) for name, count in rows.items() for seed in range(count)]
    made: dict[str, list[_Made]] = {}
    with context.progress.task("trainings", len(tasks)) as advance:
        found = (workers or Workers()).each(
            _student, tasks, comparison, _Comparison, (settings, Path(folder), Silent(), dataset)
        )
        for (name, seed), one in zip(tasks, found, strict=True):
            advance(1, f"{name}, seed {seed}")
            if isinstance(one, UserError):
                if len(names) == 1:
                    raise one
                if seed == 0:
                    context.progress.warn(f"{name} is left out: {one.what}")
                    context.described.notes.append(f"{name} is left out: {one.what}")
                made.pop(name, None)
                continue
            made.setdefault(name, []).append(one)
    made = {name: some for name, some in made.items() if len(some) == rows[name]}
    teacher = comparison.teachers[-1]
    heard = comparison.teaching(settings).heard(teacher.model)
    judged = {TEACHER: context.judge(TEACHER, scorer(heard))}
    judged |= {name: _mean([one.evaluation for one in some]) for name, some in made.items()}
    parameters = checkpoint.numbers(teacher.model)
    models = [
        model_result(
            TEACHER,
            "teacher",
            teacher.kind,
            judged[TEACHER],
            parameters=parameters,
            bytes=4 * parameters,
            seconds=teacher.seconds,
        ),
        *(_summary(name, settings.student.kind, some) for name, some in made.items()),
    ]
    # What a start is worth is not what training it adds.
    against = START if comparison.is_started else ALONE
    pairs = [(name, against) for name in names if name in made]
    if comparison.is_started:
        pairs.insert(0, (START, ALONE))
    return ModelTable(
        dataset=context.described,
        models=models,
        comparisons=comparisons(pairs, judged, "ndcg@10"),
        environment=environment(),
    )


class _Comparison:
    """What all trainings share; every worker makes its own from the same folder."""

    def __init__(
        self, settings: Config, folder: Path, progress: Progress, dataset: Dataset | None
    ) -> None:
        self.context = Context(settings, folder, progress, dataset or read(settings))
        self.teachers = teachers.teachers(self.context, early=True)

    @property
    def is_by_number(self) -> bool:
        return self.context.settings.student.kind == MATRIX_FACTORIZATION

    @property
    def is_started(self) -> bool:
        return self.context.settings.student.kind in STARTS

    def examples(self) -> Examples:
        return self.context.examples_by_reader() if self.is_by_number else self.context.examples(2)

    def teaching(self, settings: Config) -> Teaching:
        differ = self.is_by_number and self.teachers[-1].kind != MATRIX_FACTORIZATION
        readers = self.context.split.train if differ else None
        return Teaching(settings.distillation, self.teachers, readers)

    def ask(self, name: str) -> None:
        """Fills the cache of what a method needs to know of the teacher, where it knows that."""
        settings = ways.settings_of(name, self.context.settings)
        needs = {label for one in knowledge(settings.distillation) for label in one.needs}
        try:
            examples = more(self.examples(), settings.distillation, self.context)
            answers(self.context, self.teaching(settings), examples, sorted(needs))
        except (UserError, ValueError):
            pass  # its training says why it is left out

    def start(self, teaching: Teaching | None) -> HistoryModel:
        """What a student that is not trained from nothing begins with, made once."""
        name, context = (START if teaching else ALONE), self.context
        kind = context.settings.student.kind
        key = context.key(
            student=context.settings.student.model_dump(mode="json"),
            teacher=teaching and checkpoint.fingerprint(teaching.teacher),
            candidates=str(context.candidates),
        )

        def make(_: Path) -> tuple[HistoryModel, str, Training, list[TriedStudent]]:
            begin = time.monotonic()
            model, tried = started(context, name, kind, teaching, key)
            chosen = next(one for one in tried if one.chosen)
            seconds = time.monotonic() - begin
            return model, kind, Training(0, 0, chosen.validation_ndcg, seconds), tried

        return trained(context, name, context.folder / "starts" / name, key, make).model

    def made(
        self, name: str, told: Config, teaching: Teaching | None, seed: int, key: dict[str, Any]
    ) -> tuple[HistoryModel, Training]:
        """The student of one row and seed."""
        label, drawn_with = f"{name}, seed {seed}", told.seed + seed
        context = self.context.with_settings(told)
        if not self.is_started:
            return learnt(
                context,
                self.new,
                told.student.dimensions,
                teaching,
                self.examples(),
                seed=drawn_with,
                label=label,
                key=key,
            )
        model = self.start(teaching)
        training = Training(0, 0, 0.0, 0.0)
        if teaching is not None and name != START:
            training = fine_tuned(
                context, model, teaching, seed=drawn_with, label=label, keep_start=False
            )
        return settled(model), training

    def new(self, dimensions: int) -> HistoryModel:
        split = self.context.split
        if self.is_by_number:
            return MatrixFactorization.of(split.train, split.books, dimensions=dimensions)
        return untrained(self.context, self.context.settings.student.kind, dimensions)


@dataclass(frozen=True)
class _Made:
    """One finished student."""

    evaluation: Evaluation
    parameters: int
    bytes: int
    seconds: float


def _student(comparison: _Comparison, task: tuple[str, int]) -> _Made | UserError:
    """A student of one method and seed, from its folder where it is finished.

    Errors of the settings are given back, so that the other trainings go on.
    """
    (name, seed), context = task, comparison.context
    method = name if name not in (ALONE, START) else "soft-targets"
    told = ways.settings_of(method, context.settings)
    teaching = None if name == ALONE else comparison.teaching(told)
    folder = context.folder / "compare" / f"{checkpoint.slug(name)}-{seed}"
    key = context.key(
        told=teaching and _relevant(teaching.settings),
        teacher=teaching and checkpoint.fingerprint(teaching.teacher),
        student=told.student.model_dump(mode="json"),
        pruning=told.pruning.model_dump(mode="json"),
        candidates=str(context.candidates),
        training_seed=seed,
        ks=list(context.ks),
    )

    def make(unfinished: Path) -> None:
        model, training = comparison.made(name, told, teaching, seed, key)
        evaluation = context.judge(f"{name}, seed {seed}", scorer(model))
        np.savez_compressed(unfinished / _PER_READER, **evaluation.per_reader)  # type: ignore[arg-type]
        atomic.write_json(
            unfinished / _FIGURES,
            {
                "overall": evaluation.overall,
                "parameters": checkpoint.numbers(model),
                "bytes": stored_bytes(model),
                "seconds": training.seconds,
            },
        )

    try:
        context.stage(folder, key, make)
    except UserError as error:
        return error
    figures = json.loads((folder / _FIGURES).read_text("utf-8"))
    with np.load(folder / _PER_READER, allow_pickle=False) as stored:
        per_reader = {metric: stored[metric] for metric in stored.files}
    context.progress.say(f"{name}, seed {seed}: ndcg@10 {figures['overall']['ndcg@10']:.4f}")
    return _Made(
        Evaluation(per_reader, figures["overall"], {}),
        figures["parameters"],
        figures["bytes"],
        figures["seconds"],
    )


def _relevant(told: Distillation) -> dict[str, Any]:
    """What a training depends on: of the methods' settings those of its own."""
    own = {name: one for name, one in told.methods.items() if name in told.knowledge}
    return told.model_copy(update={"methods": own}).model_dump(mode="json")


def _mean(seeds: Sequence[Evaluation]) -> Evaluation:
    """Of the same readers: every figure is the mean of the seeds."""
    return Evaluation(
        {
            name: np.mean([one.per_reader[name] for one in seeds], axis=0)
            for name in seeds[0].per_reader
        },
        {name: float(np.mean([one.overall[name] for one in seeds])) for name in seeds[0].overall},
        {},
    )


def _summary(name: str, kind: str, made: Sequence[_Made]) -> ModelResult:
    evaluation = _mean([one.evaluation for one in made])
    found = model_result(
        name,
        "student",
        kind,
        evaluation,
        parameters=made[0].parameters,
        bytes=made[0].bytes,
        seconds=float(np.mean([one.seconds for one in made])),
    )
    if len(made) < 2:
        return found
    deviations = {
        metric: float(np.std([one.evaluation.overall[metric] for one in made], ddof=1))
        for metric in evaluation.overall
    }
    return replace(found, deviations=deviations)
