"""Compares distillation methods on one student and one teacher, over seeds, with paired tests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.config import MATRIX_FACTORIZATION, Config, Distillation, check_effects
from kd_tf.data.dataset import Dataset
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.warm_start import WARM_STARTS
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import Evaluation
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.npz import write_npz
from kd_tf.pipeline import method_presets
from kd_tf.pipeline.process_pool import ProcessPool
from kd_tf.pipeline.run_folder import check_run_folder, reserve_run_folder
from kd_tf.pipeline.stages import teacher as teachers
from kd_tf.pipeline.stages.cached_model import load_or_train
from kd_tf.pipeline.stages.distillation import (
    DistillationPlan,
    build_losses,
    cache_teacher_outputs,
)
from kd_tf.pipeline.stages.examples import (
    STUDENT_EXAMPLES,
    draw_examples,
    draw_examples_by_user,
)
from kd_tf.pipeline.stages.fine_tune import fine_tune
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_environment,
    make_model_result,
)
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.select_student import check_max_bytes, select_student_within_budget
from kd_tf.pipeline.stages.train_student import build_student, train_student
from kd_tf.pipeline.stages.training import make_regularizer_arguments
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import CandidateResult, ModelResult, ModelTable
from kd_tf.stage_files import read_arrays, read_record
from kd_tf.training import checkpoint
from kd_tf.training.trainer import TrainingResult

STUDENT_ALONE = "student-alone"
"""Name of the student that is trained without a teacher."""

WARM_START = "warm-start"
"""Name of the student that is initialized from the teacher, before any training."""

TEACHER = "teacher"

METRICS_FILE = "metrics.json"
PER_USER_FILE = "per_user.npz"


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
    """Trains the same student with every method and without a teacher, and evaluates all of them.

    All students of a seed start with the same weights and see the same batches. Finished
    trainings stay in `folder`, so that an interrupted comparison resumes from there.

    Args:
        settings: Data, teacher, student and distillation; ``distillation.loss_settings`` sets the
            arguments and weights of single losses.
        folder: Gets the teacher, its outputs and every finished student.
        progress: Where to report; by default nowhere.
        methods: See `kd_tf.pipeline.method_presets.configure_method`; all by default.
        seeds: Number of trainings per method.
        dataset: A data set in memory; by default the one that ``settings.data`` names is read.
        pool: Runs several trainings at once; by default one at a time.

    Returns:
        The teacher, the student without a teacher, and one student per method. Metrics are means
        over the seeds; ``standard_deviations`` holds their standard deviations. Comparisons are
        paired over the users, with the student without a teacher as the reference. Students that
        are warm-started have one more row, ``warm-start``: the student as it is initialized from
        the teacher. The methods fine-tune it and are compared with it.

    Raises:
        UserError: A method or architecture is unknown, or the data cannot be used.
    """
    check_run_folder(Path(folder))
    names = list(dict.fromkeys(methods)) if methods else method_presets.list_methods()
    architectures = (MATRIX_FACTORIZATION, *TRAINED_STUDENTS, *WARM_STARTS)
    if settings.student.architecture not in architectures:
        raise UserError(
            "a comparison needs one student architecture, but it is "
            f"{settings.student.architecture}",
            where="student.architecture",
            hint=f"Use one of {', '.join(architectures)}.",
        )
    check_effects(settings, "compare")
    for name in names:  # wrong settings shall stop the comparison before hours of training
        build_losses(method_presets.configure_method(name, settings).distillation)
    with reserve_run_folder(Path(folder)):
        return _compare_methods(settings, Path(folder), progress, names, seeds, dataset, pool)


def _compare_methods(
    settings: Config,
    folder: Path,
    progress: Progress | None,
    names: Sequence[str],
    seeds: int,
    dataset: Dataset | None,
    pool: ProcessPool | None,
) -> ModelTable:
    """Compares methods in a folder that no other command uses; see `compare`."""
    comparison = _ComparisonContext(settings, folder, progress or NullProgress(), dataset)
    context = comparison.context
    # Before the trainings, so that no two of them write to the same cache.
    for name in names:
        comparison.cache_teacher_outputs(name)
    if comparison.is_warm_started:
        for plan in (None, comparison.make_plan(settings)):
            comparison.load_or_build_warm_start(plan)
    # A warm start is deterministic, so one seed is enough.
    num_seeds = (
        {STUDENT_ALONE: 1, WARM_START: 1} if comparison.is_warm_started else {STUDENT_ALONE: seeds}
    )
    num_seeds |= dict.fromkeys(names, seeds)
    tasks = [(name, seed) for name, count in num_seeds.items() for seed in range(count)]
    results: dict[str, list[_StudentResult]] = {}
    with context.progress.task("trainings", len(tasks)) as advance:
        task_results = (pool or ProcessPool()).map(
            _train_and_evaluate,
            tasks,
            comparison,
            _ComparisonContext,
            (settings, folder, NullProgress(), dataset),
        )
        for (name, seed), result in zip(tasks, task_results, strict=True):
            advance(1, f"{name}, seed {seed}")
            if isinstance(result, UserError):
                if len(names) == 1:
                    raise result
                if seed == 0:
                    context.progress.warn(f"{name} is skipped: {result.what}")
                    context.dataset_summary.notes.append(f"{name} is skipped: {result.what}")
                results.pop(name, None)
                continue
            results.setdefault(name, []).append(result)
    results = {
        name: by_seed for name, by_seed in results.items() if len(by_seed) == num_seeds[name]
    }
    teacher = comparison.teachers[-1]
    teacher_model = comparison.make_plan(settings).for_student(teacher.model)
    evaluations = {TEACHER: context.evaluate_on_test(TEACHER, make_score_fn(teacher_model))}
    evaluations |= {
        name: _average_evaluations([result.evaluation for result in by_seed])
        for name, by_seed in results.items()
    }
    num_parameters = checkpoint.count_parameters(teacher.model)
    models = [
        make_model_result(
            TEACHER,
            "teacher",
            teacher.architecture,
            evaluations[TEACHER],
            num_parameters=num_parameters,
            bytes=4 * num_parameters,
            seconds=teacher.seconds,
        ),
        *(
            _summarize_seeds(name, settings.student.architecture, by_seed)
            for name, by_seed in results.items()
        ),
    ]
    # Fine-tuned students are compared with their own initialization, whose gain is not theirs.
    reference = WARM_START if comparison.is_warm_started else STUDENT_ALONE
    pairs = [(name, reference) for name in names if name in results]
    if comparison.is_warm_started:
        pairs.insert(0, (WARM_START, STUDENT_ALONE))
    return ModelTable(
        dataset=context.dataset_summary,
        models=models,
        comparisons=compare_models(pairs, evaluations, "ndcg@10"),
        environment=describe_environment(),
    )


class _ComparisonContext:
    """The run and the teachers that all trainings share; each worker process builds its own."""

    def __init__(
        self, settings: Config, folder: Path, progress: Progress, dataset: Dataset | None
    ) -> None:
        self.context = RunContext.create(
            settings, folder, progress, dataset or load_dataset(settings)
        )
        check_max_bytes(self.context)
        self.teachers = teachers.load_or_train_teachers(self.context, save_early=True)

    @property
    def is_user_id_model(self) -> bool:
        """Whether the student takes user IDs instead of histories."""
        return self.context.settings.student.architecture == MATRIX_FACTORIZATION

    @property
    def is_warm_started(self) -> bool:
        """Whether the student is initialized from the teacher instead of at random."""
        return self.context.settings.student.architecture in WARM_STARTS

    def draw_examples(self) -> Examples:
        """Samples the training examples of the student."""
        if self.is_user_id_model:
            return draw_examples_by_user(self.context)
        return draw_examples(self.context, STUDENT_EXAMPLES)

    def make_plan(self, settings: Config) -> DistillationPlan:
        """Returns the distillation from the shared teachers with these settings."""
        inputs_differ = (
            self.is_user_id_model and self.teachers[-1].architecture != MATRIX_FACTORIZATION
        )
        user_histories = self.context.split.train if inputs_differ else None
        return DistillationPlan(settings.distillation, self.teachers, user_histories)

    def cache_teacher_outputs(self, name: str) -> None:
        """Computes the teacher outputs that a method needs, if the teacher has them."""
        settings = method_presets.configure_method(name, self.context.settings)
        # The training of this method reports the error.
        with contextlib.suppress(UserError, ValueError):
            cache_teacher_outputs(self.context, self.make_plan(settings), self.draw_examples())

    def load_or_build_warm_start(self, plan: DistillationPlan | None) -> HistoryModel:
        """Builds the initial student of this plan, or loads it from the run's cache."""
        name, context = (WARM_START if plan else STUDENT_ALONE), self.context
        architecture = context.settings.student.architecture
        key = context.cache.make_key(
            student=context.settings.student.model_dump(mode="json"),
            teacher=plan and checkpoint.compute_fingerprint(plan.teacher),
            candidates=context.settings.evaluation.candidates,
        )

        def build(_: Path) -> tuple[HistoryModel, str, TrainingResult, list[CandidateResult]]:
            start_time = time.monotonic()
            model, candidates = select_student_within_budget(context, name, architecture, plan, key)
            best = next(candidate for candidate in candidates if candidate.is_chosen)
            training = TrainingResult(0, 0, best.validation_ndcg, time.monotonic() - start_time)
            return model, architecture, training, candidates

        folder = context.folder / "warm_starts" / name
        return load_or_train(context.cache, name, folder, key, build).model

    def train_method(
        self,
        name: str,
        settings: Config,
        plan: DistillationPlan | None,
        seed: int,
        key: dict[str, Any],
    ) -> tuple[HistoryModel, TrainingResult]:
        """Trains the student of one method and seed.

        Args:
            name: The method's name in tables.
            settings: Settings of the method.
            plan: The distillation; None to train without a teacher.
            seed: Added to the seed of the settings.
            key: Everything that the training depends on.
        """
        label, training_seed = f"{name}, seed {seed}", settings.seed + seed
        context = self.context.with_settings(settings)
        if not self.is_warm_started:
            return train_student(
                context,
                self.build_student,
                settings.student.embedding_dim,
                plan,
                self.draw_examples(),
                seed=training_seed,
                label=label,
                key=key,
            )
        model = self.load_or_build_warm_start(plan)
        training = TrainingResult(0, 0, 0.0, 0.0)
        if plan is not None and name != WARM_START:
            training = fine_tune(
                context, model, plan, seed=training_seed, label=label, keep_start=False
            )
        return snap_to_quantization_grid(model), training

    def build_student(self, embedding_dim: int) -> HistoryModel:
        """Builds an untrained student."""
        split, settings = self.context.split, self.context.settings.student
        if self.is_user_id_model:
            return MatrixFactorization.from_histories(
                split.train,
                split.num_items,
                embedding_dim=embedding_dim,
                **make_regularizer_arguments(
                    MatrixFactorization, settings.training, "student.training"
                ),
            )
        return build_student(self.context, settings.architecture, embedding_dim)


@dataclass(frozen=True)
class _StudentResult:
    """A trained student and its metrics on the test users."""

    evaluation: Evaluation
    num_parameters: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class MetricsRecord:
    """Content of `METRICS_FILE`."""

    overall: dict[str, float]
    num_parameters: int
    bytes: int
    seconds: float


def _train_and_evaluate(
    comparison: _ComparisonContext, task: tuple[str, int]
) -> _StudentResult | UserError:
    """Trains and evaluates the student of one method and seed, or loads it from the run's cache.

    Returns:
        The result, or a `UserError` of the settings, so that the other trainings continue.
    """
    (name, seed), context = task, comparison.context
    method = name if name not in (STUDENT_ALONE, WARM_START) else "soft-targets"
    settings = method_presets.configure_method(method, context.settings)
    plan = None if name == STUDENT_ALONE else comparison.make_plan(settings)
    folder = context.folder / "compare" / f"{checkpoint.make_slug(name)}-{seed}"
    key = context.cache.make_key(
        distillation=plan and _select_relevant_settings(plan.settings),
        teacher=plan and checkpoint.compute_fingerprint(plan.teacher),
        student=settings.student.model_dump(mode="json"),
        pruning=settings.pruning.model_dump(mode="json"),
        candidates=context.settings.evaluation.candidates,
        training_seed=seed,
        ks=list(context.ks),
    )

    def build(temporary: Path) -> None:
        model, training = comparison.train_method(name, settings, plan, seed, key)
        evaluation = context.evaluate_on_test(f"{name}, seed {seed}", make_score_fn(model))
        write_npz(temporary / PER_USER_FILE, evaluation.per_user, compress=True)
        record = MetricsRecord(
            evaluation.overall,
            checkpoint.count_parameters(model),
            compute_quantized_size(model),
            training.seconds,
        )
        atomic.write_json(temporary / METRICS_FILE, asdict(record))

    try:
        context.cache.build_once(folder, key, build)
    except UserError as error:
        return error
    record = read_record(folder / METRICS_FILE, MetricsRecord)
    per_user = read_arrays(folder / PER_USER_FILE)
    if record.overall:  # without test users there are no metrics
        context.progress.info(f"{name}, seed {seed}: ndcg@10 {record.overall['ndcg@10']:.4f}")
    return _StudentResult(
        Evaluation(per_user, record.overall, {}),
        record.num_parameters,
        record.bytes,
        record.seconds,
    )


def _select_relevant_settings(settings: Distillation) -> dict[str, Any]:
    """Returns the settings that a training depends on, without those of losses that it lacks."""
    loss_settings = {
        name: single for name, single in settings.loss_settings.items() if name in settings.losses
    }
    return settings.model_copy(update={"loss_settings": loss_settings}).model_dump(mode="json")


def _average_evaluations(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Averages the evaluations of several seeds on the same users."""
    per_user = {
        metric: np.mean([evaluation.per_user[metric] for evaluation in evaluations], axis=0)
        for metric in evaluations[0].per_user
    }
    overall = {
        metric: float(np.mean([evaluation.overall[metric] for evaluation in evaluations]))
        for metric in evaluations[0].overall
    }
    return Evaluation(per_user, overall, {})


def _summarize_seeds(
    name: str, architecture: str, results: Sequence[_StudentResult]
) -> ModelResult:
    """Builds the table entry of one method from the students of all seeds."""
    evaluation = _average_evaluations([result.evaluation for result in results])
    model_result = make_model_result(
        name,
        "student",
        architecture,
        evaluation,
        num_parameters=results[0].num_parameters,
        bytes=results[0].bytes,
        seconds=float(np.mean([result.seconds for result in results])),
    )
    if len(results) < 2:
        return model_result
    standard_deviations = {
        metric: float(np.std([result.evaluation.overall[metric] for result in results], ddof=1))
        for metric in evaluation.overall
    }
    return replace(model_result, standard_deviations=standard_deviations)
