"""Runs all stages in order and caches each finished stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kd_tf import config
from kd_tf.baselines import list_baselines
from kd_tf.compress.storage import compute_quantized_size
from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.pipeline.run_folder import check_run_folder, reserve_run_folder
from kd_tf.pipeline.stages import export
from kd_tf.pipeline.stages import student as students
from kd_tf.pipeline.stages import teacher as teachers
from kd_tf.pipeline.stages.baseline_models import evaluate_baseline_models
from kd_tf.pipeline.stages.bundle import write_run_bundle
from kd_tf.pipeline.stages.distillation import build_losses
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_environment,
    make_model_result,
)
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.pipeline.stages.select_student import check_max_bytes
from kd_tf.progress import NullProgress, Progress
from kd_tf.report import html
from kd_tf.report.results import Results
from kd_tf.runtime.bundle import Bundle
from kd_tf.training import checkpoint

SPLIT_FILE = "split.npz"
"""The train, validation and test split: enough to evaluate other models on the same users."""


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        folder: The run's folder.
        results: All metrics and measurements.
        dataset: The data set before cleaning, with its catalog.
        split: Training, validation and test data.
        teacher: The trained teacher.
        student: The distilled student.
        bundle: The folder that an app loads.
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
    folder: str | Path,
    progress: Progress | None = None,
    *,
    dataset: Dataset | None = None,
) -> RunResult:
    """Trains, distills, exports and evaluates, and writes a bundle for an app.

    An interrupted run resumes from its finished stages when it is started again with the same
    settings and data. Stages whose inputs have changed run again.

    Args:
        settings: All settings of the run.
        folder: A new or empty folder, or that of an earlier run. Gets config.toml, split.npz,
            results.json, report.html, teacher/, student/, targets/, artifacts/ and bundle/.
        progress: Where to report; by default nowhere.
        dataset: A data set in memory (`kd_tf.data.sources.dataframe`); by default the one that
            ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used, the folder is not a run's, or another
            command uses it.
        ParityError: The outputs of a converted file differ from those of its student.

    Example:
        >>> import tempfile
        >>> import kd_tf as kd
        >>> settings = config.from_values(
        ...     {
        ...         "data": {"synthetic_items": 60, "synthetic_users": 120},
        ...         "teacher": {"architecture": "local-ridge"},
        ...         "student": {"architecture": "neighbours"},
        ...         "export": {"quantizations": ["dynamic-int8"], "recommendations": 20},
        ...     }
        ... )
        >>> finished = kd.run(settings, Path(tempfile.mkdtemp()))
        >>> finished.results.chosen
        'dynamic-int8'
    """
    for role, architecture in (
        ("teacher", settings.teacher.architecture),
        ("student", settings.student.architecture),
    ):
        if architecture == config.MATRIX_FACTORIZATION:
            raise UserError(
                "matrix factorization can only score users of its training: no app can use it",
                where=f"{role}.architecture",
                hint="Choose another architecture; this one is for kd-tf compare.",
            )
    config.check_effects(settings, "run")
    build_losses(settings.distillation)  # wrong ones shall stop the run before hours of training
    check_run_folder(Path(folder))
    progress = progress or NullProgress()
    context = RunContext.create(settings, Path(folder), progress, dataset or load_dataset(settings))
    check_max_bytes(context)
    with reserve_run_folder(context.folder):
        return _run_stages(context)


def _run_stages(context: RunContext) -> RunResult:
    """Runs all stages in order and writes the results."""
    config.write(context.settings, context.folder / "config.toml")
    context.split.save(context.folder / SPLIT_FILE)
    baselines = evaluate_baseline_models(
        list_baselines(context.split),
        [context.split],
        [context.statistics],
        context.dataset.catalog,
        ks=context.ks,
        candidates=context.candidates,
        progress=context.progress,
    )
    context.dataset_summary.notes.extend(baselines.notes)
    models, evaluations = list(baselines.models), dict(baselines.evaluations)
    trained_teachers = teachers.load_or_train_teachers(context)
    teacher = trained_teachers[-1].model
    distilled_student = students.load_or_train_student(context, "distilled", trained_teachers)
    # With the same architecture, so that the difference is the effect of the teacher.
    alone = students.load_or_train_student(
        context, "alone", architecture=distilled_student.architecture
    )
    for role, trained_model in (
        *(("teacher", teacher) for teacher in trained_teachers),
        *(("student", student) for student in (alone, distilled_student)),
    ):
        name, model = trained_model.name, trained_model.model
        evaluations[name] = context.evaluate_on_test(name, make_score_fn(model))
        num_parameters = checkpoint.count_parameters(model)
        models.append(
            make_model_result(
                name,
                role,
                trained_model.architecture,
                evaluations[name],
                num_parameters=num_parameters,
                bytes=compute_quantized_size(model) if role == "student" else 4 * num_parameters,
                seconds=trained_model.seconds,
            )
        )
    student = distilled_student.model
    best_baseline = max(
        baselines.models, key=lambda result: result.metrics.get("ndcg@10", 0.0)
    ).name
    artifacts = export.export_artifacts(context, student)
    shipped_artifact = export.choose_artifact(context, artifacts)
    results = Results(
        dataset=context.dataset_summary,
        models=models,
        artifacts=artifacts,
        comparisons=compare_models(
            [
                ("student-distilled", reference)
                for reference in ("student-alone", "teacher", best_baseline)
            ],
            evaluations,
            "ndcg@10",
        ),
        chosen=shipped_artifact.name,
        candidate_students=distilled_student.candidate_students,
        environment=describe_environment(),
    )
    bundle = write_run_bundle(context, results)
    results.write(context.folder)
    html.write(results, context.folder)
    return RunResult(
        context.folder, results, context.dataset, context.split, teacher, student, bundle
    )
