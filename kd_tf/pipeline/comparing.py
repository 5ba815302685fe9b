"""Distillation methods on one student and one teacher, honestly compared: over seeds, in pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.config import MATRIX_FACTORIZATION, Config
from kd_tf.data.batches import Batches
from kd_tf.data.interactions import Dataset
from kd_tf.distill.balance.fixed import Fixed
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.knowledge import COMBINED, METHODS, Knowledge
from kd_tf.distill.teacher_targets import teacher_targets
from kd_tf.errors import UserError
from kd_tf.evaluate.protocol import Evaluation
from kd_tf.models import checkpoint, randomness
from kd_tf.models.base import HistoryModel
from kd_tf.models.matrix_factorization import MatrixFactorization
from kd_tf.models.ranking import scorer
from kd_tf.models.stored import stored_bytes
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.pipeline import teachers
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.describing import comparisons, environment, model_result
from kd_tf.pipeline.sources import read
from kd_tf.pipeline.students import untrained
from kd_tf.progress import Progress, Silent
from kd_tf.report.results import ModelResult, ModelTable

ALONE = "student-alone"
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
) -> ModelTable:
    """Trains the same student alone and with every method, and measures all on the test readers.

    Every student of a seed begins with the same weights and sees the same batches. What is
    finished stays in `folder`: a run that was stopped goes on from there.

    Args:
        settings: Data, teacher, student and distillation; ``distillation.methods`` sets what
            methods are made with and how much they weigh.
        folder: Gets the teacher, its targets and every finished student.
        progress: Where to report; nothing by default.
        methods: Names of `METHODS` and `COMBINED`; all by default.
        seeds: How many trainings each figure is the mean of.
        dataset: Data in memory; by default what ``settings.data`` names is read.

    Returns:
        The teacher, the student alone, and one student a method; ``deviations`` holds the
        standard deviation of every figure over the seeds. Comparisons are paired over the
        readers, each reader's figure being the mean of the seeds.

    Raises:
        UserError: A method or a kind is unknown, or the data cannot be used.
    """
    every = [*METHODS, *COMBINED]
    names = list(dict.fromkeys(methods)) if methods else every
    unknown = [name for name in names if name not in every]
    if unknown:
        raise UserError(
            f"there is no method {unknown[0]!r}", hint=f"There are: {', '.join(every)}."
        )
    kinds = (MATRIX_FACTORIZATION, *TRAINED_STUDENTS)
    if settings.student.kind not in kinds:
        raise UserError(
            f"a student of kind {settings.student.kind} is not trained from nothing",
            where="student.kind",
            hint=f"Methods are compared on: {', '.join(kinds)}.",
        )
    context = Context(settings, Path(folder), progress or Silent(), dataset or read(settings))
    for name in names:  # what is set wrongly is told before hours of training
        for part in COMBINED.get(name, (name,)):
            _method(context, part)
    teacher = teachers.teachers(context)[-1]
    judged = {TEACHER: [context.judge(TEACHER, scorer(teacher.model))]}
    parameters = checkpoint.numbers(teacher.model)
    models = [
        model_result(
            TEACHER,
            "teacher",
            teacher.kind,
            judged[TEACHER][0],
            parameters=parameters,
            bytes=4 * parameters,
            seconds=teacher.seconds,
        )
    ]
    for name in (ALONE, *names):
        try:
            made = [_student(context, name, teacher.model, seed) for seed in range(seeds)]
        except UserError as error:
            if len(names) == 1:
                raise
            context.progress.warn(f"{name} is left out: {error.what}")
            context.described.notes.append(f"{name} is left out: {error.what}")
            continue
        judged[name] = [one.evaluation for one in made]
        models.append(_summary(name, settings.student.kind, made))
        context.progress.say(
            f"{name}: ndcg@10 {models[-1].metrics['ndcg@10']:.4f} "
            f"+- {models[-1].deviations.get('ndcg@10', 0):.4f}"
        )
    means = {name: _mean(found) for name, found in judged.items()}
    pairs = [(name, ALONE) for name in names if name in judged]
    return ModelTable(
        dataset=context.described,
        models=models,
        comparisons=comparisons(pairs, means, "ndcg@10"),
        environment=environment(),
    )


@dataclass(frozen=True)
class _Made:
    """One finished student."""

    evaluation: Evaluation
    parameters: int
    bytes: int
    seconds: float


def _student(context: Context, name: str, teacher: HistoryModel, seed: int) -> _Made:
    """A student of one method and seed, from its folder where it is finished."""
    settings = context.settings
    folder = context.folder / "compare" / f"{name}-{seed}"
    own = settings.distillation.methods
    key = context.key(
        method=name,
        own={
            one: own[one].model_dump(mode="json")
            for one in (name, *COMBINED.get(name, ()))
            if one in own
        },
        distillation=settings.distillation.model_dump(mode="json", exclude={"methods"}),
        student=settings.student.model_dump(mode="json"),
        teacher=None if name == ALONE else checkpoint.fingerprint(teacher),
        candidates=str(context.candidates),
        training_seed=seed,
        ks=list(context.ks),
    )

    def make(unfinished: Path) -> None:
        model, seconds = _trained(context, name, teacher, seed, key)
        evaluation = context.judge(f"{name}, seed {seed}", scorer(model))
        np.savez_compressed(unfinished / _PER_READER, **evaluation.per_reader)  # type: ignore[arg-type]
        atomic.write_json(
            unfinished / _FIGURES,
            {
                "overall": evaluation.overall,
                "parameters": checkpoint.numbers(model),
                "bytes": stored_bytes(model),
                "seconds": seconds,
            },
        )

    context.stage(folder, key, make)
    figures = json.loads((folder / _FIGURES).read_text("utf-8"))
    with np.load(folder / _PER_READER, allow_pickle=False) as stored:
        per_reader = {metric: stored[metric] for metric in stored.files}
    return _Made(
        Evaluation(per_reader, figures["overall"], {}),
        figures["parameters"],
        figures["bytes"],
        figures["seconds"],
    )


def _trained(
    context: Context, name: str, teacher: HistoryModel, seed: int, key: dict[str, Any]
) -> tuple[HistoryModel, float]:
    settings = context.settings
    randomness.seed(settings.seed + seed)
    model = _new(context)
    by_number = settings.student.kind == MATRIX_FACTORIZATION
    drawn = context.examples_by_reader() if by_number else context.examples(2)
    distiller = Distiller(model)
    schedule = context.schedule(settings.student.learning)
    batches = Batches(
        drawn.history,
        {"targets": drawn.targets},
        batch_size=schedule.batch_size,
        seed=settings.seed + seed,
    )
    if name != ALONE:
        parts = COMBINED.get(name, (name,))
        known = [_method(context, part) for part in parts]
        own = settings.distillation.methods
        alphas = [own[one].alpha for one in (name, *parts) if one in own]
        alpha = next((one for one in alphas if one is not None), settings.distillation.alpha)
        weights = [own[part].weight if part in own else 1.0 for part in parts]
        needs = sorted({label for one in known for label in one.needs})
        distiller = Distiller(model, known, Fixed(alpha, weights))
        try:
            distiller.prepare(
                context.lesson(
                    model, teacher, steps=batches.steps * schedule.epochs, seed=settings.seed + seed
                )
            )
            answers = teacher_targets(
                teacher,
                drawn,
                top=settings.distillation.top,
                needs=needs,
                folder=context.folder / "targets" / ("-".join(needs) or "best"),
                progress=context.progress,
            )
            batches = replace(batches, labels={**batches.labels, **answers})
        except ValueError as error:
            raise UserError(
                f"{name} cannot teach a {settings.student.kind} from this teacher: {error}",
                hint="Leave it out of --methods, or choose another student or teacher.",
            ) from error
    training = context.fit(
        distiller,
        batches,
        learner=model,
        schedule=schedule,
        label=f"{name}, seed {seed}",
        key=key,
    )
    return model, training.seconds


def _method(context: Context, name: str) -> Knowledge:
    """The method, made as the settings say."""
    own = context.settings.distillation.methods.get(name)
    try:
        return METHODS[name](**(own.settings if own else {}))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name} cannot be made: {error}", where=f"distillation.methods.{name}.settings"
        ) from error


def _new(context: Context) -> HistoryModel:
    given = context.settings.student
    if given.kind == MATRIX_FACTORIZATION:
        return MatrixFactorization.of(
            context.split.train, context.split.books, dimensions=given.dimensions
        )
    return untrained(context, given.kind, given.dimensions)


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
