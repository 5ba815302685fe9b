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
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.config import MATRIX_FACTORIZATION, Config, Distillation
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.interactions import Dataset
from kd_tf.distill.warm_start import WARM_STARTS
from kd_tf.errors import UserError
from kd_tf.evaluate.evaluation import Evaluation
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.pipeline import method_presets
from kd_tf.pipeline.process_pool import ProcessPool
from kd_tf.pipeline.stages import teacher as teachers
from kd_tf.pipeline.stages.cached_model import load_or_train
from kd_tf.pipeline.stages.distillation import (
    DistillationPlan,
    augment_examples,
    build_losses,
    load_teacher_outputs,
)
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_environment,
    make_model_result,
)
from kd_tf.pipeline.stages.prepare import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.student import (
    build_student,
    fine_tune,
    select_student_within_budget,
)
from kd_tf.pipeline.stages.train_student import train_student
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import CandidateResult, ModelResult, ModelTable
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

STUDENT_ALONE = "student-alone"
WARM_START = "start"
"""A student that is solved or pruned from the teacher, before any training."""

TEACHER = "teacher"

_METRICS_FILE = "figures.json"
_PER_USER_FILE = "per_reader.npz"


def compare(
    settings: Config,
    folder: Path,
    progress: Progress | None = None,
    *,
    methods: Sequence[str] | None = None,
    seeds: int = 3,
    dataset: Dataset | None = None,
    pool: ProcessPool | None = None,
) -> ModelTable:
    """Trains the same student alone and with every method, and measures all on the test readers.

    Every student of a seed begins with the same weights and sees the same batches. What is
    finished stays in `folder`: a run that was stopped goes on from there.

    Args:
        settings: Data, teacher, student and distillation; ``distillation.methods`` sets what
            methods are made with and how much they weigh.
        folder: Gets the teacher, its targets and every finished student.
        progress: Where to report; nothing by default.
        methods: See `kd_tf.pipeline.method_presets.settings_of`; all by default.
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
    names = list(dict.fromkeys(methods)) if methods else method_presets.list_methods()
    kinds = (MATRIX_FACTORIZATION, *TRAINED_STUDENTS, *WARM_STARTS)
    if settings.student.architecture not in kinds:
        raise UserError(
            f"methods are compared on one kind of student, and {settings.student.architecture} is none",
            where="student.kind",
            hint=f"There are: {', '.join(kinds)}.",
        )
    for name in names:  # what is set wrongly is told before hours of training
        build_losses(method_presets.configure_method(name, settings).distillation)
    comparison = _ComparisonContext(settings, Path(folder), progress or NullProgress(), dataset)
    context = comparison.context
    # Here, so that no two trainings write the same cache.
    for name in names:
        comparison.cache_teacher_outputs(name)
    if comparison.is_warm_started:
        for teaching in (None, comparison.make_plan(settings)):
            comparison.load_or_build_warm_start(teaching)
    # A start draws nothing, so that it is made once.
    rows = (
        {STUDENT_ALONE: 1, WARM_START: 1} if comparison.is_warm_started else {STUDENT_ALONE: seeds}
    )
    rows |= dict.fromkeys(names, seeds)
    tasks = [(name, seed) for name, count in rows.items() for seed in range(count)]
    made: dict[str, list[_StudentResult]] = {}
    with context.progress.task("trainings", len(tasks)) as advance:
        found = (pool or ProcessPool()).map(
            _train_and_evaluate,
            tasks,
            comparison,
            _ComparisonContext,
            (settings, Path(folder), NullProgress(), dataset),
        )
        for (name, seed), one in zip(tasks, found, strict=True):
            advance(1, f"{name}, seed {seed}")
            if isinstance(one, UserError):
                if len(names) == 1:
                    raise one
                if seed == 0:
                    context.progress.warn(f"{name} is left out: {one.what}")
                    context.dataset_summary.notes.append(f"{name} is left out: {one.what}")
                made.pop(name, None)
                continue
            made.setdefault(name, []).append(one)
    made = {name: some for name, some in made.items() if len(some) == rows[name]}
    teacher = comparison.teachers[-1]
    heard = comparison.make_plan(settings).for_student(teacher.model)
    judged = {TEACHER: context.evaluate_on_test(TEACHER, make_score_fn(heard))}
    judged |= {
        name: _average_evaluations([one.evaluation for one in some]) for name, some in made.items()
    }
    parameters = checkpoint.count_parameters(teacher.model)
    models = [
        make_model_result(
            TEACHER,
            "teacher",
            teacher.architecture,
            judged[TEACHER],
            num_parameters=parameters,
            bytes=4 * parameters,
            seconds=teacher.seconds,
        ),
        *(
            _summarize_seeds(name, settings.student.architecture, some)
            for name, some in made.items()
        ),
    ]
    # What a start is worth is not what training it adds.
    against = WARM_START if comparison.is_warm_started else STUDENT_ALONE
    pairs = [(name, against) for name in names if name in made]
    if comparison.is_warm_started:
        pairs.insert(0, (WARM_START, STUDENT_ALONE))
    return ModelTable(
        dataset=context.dataset_summary,
        models=models,
        comparisons=compare_models(pairs, judged, "ndcg@10"),
        environment=describe_environment(),
    )


class _ComparisonContext:
    """What all trainings share; every worker makes its own from the same folder."""

    def __init__(
        self, settings: Config, folder: Path, progress: Progress, dataset: Dataset | None
    ) -> None:
        self.context = RunContext(settings, folder, progress, dataset or load_dataset(settings))
        self.teachers = teachers.load_or_train_teachers(self.context, save_early=True)

    @property
    def is_user_id_model(self) -> bool:
        return self.context.settings.student.architecture == MATRIX_FACTORIZATION

    @property
    def is_warm_started(self) -> bool:
        return self.context.settings.student.architecture in WARM_STARTS

    def draw_examples(self) -> Examples:
        return (
            self.context.draw_examples_by_user()
            if self.is_user_id_model
            else self.context.draw_examples(2)
        )

    def make_plan(self, settings: Config) -> DistillationPlan:
        differ = self.is_user_id_model and self.teachers[-1].architecture != MATRIX_FACTORIZATION
        users = self.context.split.train if differ else None
        return DistillationPlan(settings.distillation, self.teachers, users)

    def cache_teacher_outputs(self, name: str) -> None:
        """Fills the cache of what a method needs to know of the teacher, where it knows that."""
        settings = method_presets.configure_method(name, self.context.settings)
        needs = {
            label for one in build_losses(settings.distillation) for label in one.teacher_outputs
        }
        try:
            examples = augment_examples(self.draw_examples(), settings.distillation, self.context)
            load_teacher_outputs(self.context, self.make_plan(settings), examples, sorted(needs))
        except (UserError, ValueError):
            pass  # its training says why it is left out

    def load_or_build_warm_start(self, plan: DistillationPlan | None) -> HistoryModel:
        """What a student that is not trained from nothing begins with, made once."""
        name, context = (WARM_START if plan else STUDENT_ALONE), self.context
        kind = context.settings.student.architecture
        key = context.cache_key(
            student=context.settings.student.model_dump(mode="json"),
            teacher=plan and checkpoint.compute_fingerprint(plan.teacher),
            candidates=str(context.candidates),
        )

        def make(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
            begin = time.monotonic()
            model, tried = select_student_within_budget(context, name, kind, plan, key)
            chosen = next(one for one in tried if one.is_chosen)
            seconds = time.monotonic() - begin
            return model, kind, TrainingResult(0, 0, chosen.validation_ndcg, seconds), tried

        return load_or_train(context, name, context.folder / "starts" / name, key, make).model

    def train_method(
        self,
        name: str,
        settings: Config,
        plan: DistillationPlan | None,
        seed: int,
        key: dict[str, Any],
    ) -> tuple[HistoryModel, TrainingResult]:
        """The student of one row and seed."""
        label, drawn_with = f"{name}, seed {seed}", settings.seed + seed
        context = self.context.with_settings(settings)
        if not self.is_warm_started:
            return train_student(
                context,
                self.build_student,
                settings.student.embedding_dim,
                plan,
                self.draw_examples(),
                seed=drawn_with,
                label=label,
                key=key,
            )
        model = self.load_or_build_warm_start(plan)
        training = TrainingResult(0, 0, 0.0, 0.0)
        if plan is not None and name != WARM_START:
            training = fine_tune(
                context, model, plan, seed=drawn_with, label=label, keep_start=False
            )
        return snap_to_quantization_grid(model), training

    def build_student(self, embedding_dim: int) -> HistoryModel:
        split = self.context.split
        if self.is_user_id_model:
            return MatrixFactorization.from_histories(
                split.train, split.num_items, embedding_dim=embedding_dim
            )
        return build_student(
            self.context, self.context.settings.student.architecture, embedding_dim
        )


@dataclass(frozen=True)
class _StudentResult:
    """One finished student."""

    evaluation: Evaluation
    num_parameters: int
    bytes: int
    seconds: float


def _train_and_evaluate(
    comparison: _ComparisonContext, task: tuple[str, int]
) -> _StudentResult | UserError:
    """A student of one method and seed, from its folder where it is finished.

    Errors of the settings are given back, so that the other trainings go on.
    """
    (name, seed), context = task, comparison.context
    method = name if name not in (STUDENT_ALONE, WARM_START) else "soft-targets"
    told = method_presets.configure_method(method, context.settings)
    teaching = None if name == STUDENT_ALONE else comparison.make_plan(told)
    folder = context.folder / "compare" / f"{checkpoint.make_slug(name)}-{seed}"
    key = context.cache_key(
        told=teaching and _select_relevant_settings(teaching.settings),
        teacher=teaching and checkpoint.compute_fingerprint(teaching.teacher),
        student=told.student.model_dump(mode="json"),
        pruning=told.pruning.model_dump(mode="json"),
        candidates=str(context.candidates),
        training_seed=seed,
        ks=list(context.ks),
    )

    def make(unfinished: Path) -> None:
        model, training = comparison.train_method(name, told, teaching, seed, key)
        evaluation = context.evaluate_on_test(f"{name}, seed {seed}", make_score_fn(model))
        np.savez_compressed(unfinished / _PER_USER_FILE, **evaluation.per_user)  # type: ignore[arg-type]
        atomic.write_json(
            unfinished / _METRICS_FILE,
            {
                "overall": evaluation.overall,
                "parameters": checkpoint.count_parameters(model),
                "bytes": compute_quantized_size(model),
                "seconds": training.seconds,
            },
        )

    try:
        context.run_cached(folder, key, make)
    except UserError as error:
        return error
    figures = json.loads((folder / _METRICS_FILE).read_text("utf-8"))
    with np.load(folder / _PER_USER_FILE, allow_pickle=False) as stored:
        per_user = {metric: stored[metric] for metric in stored.files}
    context.progress.info(f"{name}, seed {seed}: ndcg@10 {figures['overall']['ndcg@10']:.4f}")
    return _StudentResult(
        Evaluation(per_user, figures["overall"], {}),
        figures["parameters"],
        figures["bytes"],
        figures["seconds"],
    )


def _select_relevant_settings(settings: Distillation) -> dict[str, Any]:
    """What a training depends on: of the methods' settings those of its own."""
    own = {name: one for name, one in settings.loss_settings.items() if name in settings.losses}
    return settings.model_copy(update={"methods": own}).model_dump(mode="json")


def _average_evaluations(seeds: Sequence[Evaluation]) -> Evaluation:
    """Of the same readers: every figure is the mean of the seeds."""
    return Evaluation(
        {
            name: np.mean([one.per_user[name] for one in seeds], axis=0)
            for name in seeds[0].per_user
        },
        {name: float(np.mean([one.overall[name] for one in seeds])) for name in seeds[0].overall},
        {},
    )


def _summarize_seeds(
    name: str, architecture: str, results: Sequence[_StudentResult]
) -> ModelResult:
    evaluation = _average_evaluations([one.evaluation for one in results])
    found = make_model_result(
        name,
        "student",
        architecture,
        evaluation,
        num_parameters=results[0].num_parameters,
        bytes=results[0].bytes,
        seconds=float(np.mean([one.seconds for one in results])),
    )
    if len(results) < 2:
        return found
    deviations = {
        metric: float(np.std([one.evaluation.overall[metric] for one in results], ddof=1))
        for metric in evaluation.overall
    }
    return replace(found, standard_deviations=deviations)
