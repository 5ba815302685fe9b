"""Runs all stages in order and caches each finished stage."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kd_tf import config
from kd_tf.baselines import BASELINES
from kd_tf.compress.storage import compute_quantized_size
from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import Evaluation
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.pipeline.stages import export
from kd_tf.pipeline.stages import student as students
from kd_tf.pipeline.stages import teacher as teachers
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_environment,
    make_model_result,
)
from kd_tf.pipeline.stages.prepare import load_dataset
from kd_tf.pipeline.stages.run_context import RunContext
from kd_tf.progress import NullProgress, Progress
from kd_tf.report import html, model_card
from kd_tf.report.results import ModelResult, Results
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle
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
    folder: Path,
    progress: Progress | None = None,
    *,
    dataset: Dataset | None = None,
) -> RunResult:
    """Trains, distills, exports and evaluates, and writes a bundle for an app.

    An interrupted run resumes from its finished stages when it is started again with the same
    settings and data. Stages whose inputs have changed run again.

    Args:
        settings: All settings of the run.
        folder: Gets config.toml, split.npz, results.json, report.html, teacher/, student/,
            targets/, artifacts/ and bundle/.
        progress: Where to report; by default nowhere.
        dataset: A data set in memory (`kd_tf.data.sources.dataframe`); by default the one that
            ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
        ParityError: The outputs of a converted file differ from those of its student.
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
    progress = progress or NullProgress()
    return run_stages(
        RunContext(settings, Path(folder), progress, dataset or load_dataset(settings))
    )


def run_stages(context: RunContext) -> RunResult:
    """Runs all stages in order and writes the results."""
    context.folder.mkdir(parents=True, exist_ok=True)
    config.write(context.settings, context.folder / "config.toml")
    context.split.save(context.folder / SPLIT_FILE)
    models, evaluations = _evaluate_baselines(context)
    trained_teachers = teachers.load_or_train_teachers(context)
    teacher = trained_teachers[-1].model
    distilled = students.load_or_train_student(context, "distilled", trained_teachers)
    # With the same architecture, so that the difference is the effect of the teacher.
    alone = students.load_or_train_student(context, "alone", architecture=distilled.architecture)
    for role, trained_model in (
        *(("teacher", teacher) for teacher in trained_teachers),
        *(("student", student) for student in (alone, distilled)),
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
    student = distilled.model
    best_baseline = max(
        (result for result in models if result.role == "baseline"),
        key=lambda result: result.metrics["ndcg@10"],
    ).name
    artifacts = export.export_artifacts(context, student)
    shipped = export.choose_artifact(context, artifacts)
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
        shipped_name=shipped.name,
        candidate_students=distilled.candidate_students,
        environment=describe_environment(),
    )
    bundle = _write_bundle(context, results)
    results.write(context.folder)
    html.write(results, context.folder)
    return RunResult(
        context.folder, results, context.dataset, context.split, teacher, student, bundle
    )


def _evaluate_baselines(context: RunContext) -> tuple[list[ModelResult], dict[str, Evaluation]]:
    """Fits and evaluates all baselines that fit this data."""
    models, evaluations = [], {}
    for name, fit in BASELINES.items():
        start_time = time.perf_counter()
        try:
            baseline = fit(context.split, context.dataset.catalog, context.progress)
        except UserError as error:
            context.progress.warn(f"{name} is skipped: {error.what}")
            context.dataset_summary.notes.append(f"{name} is skipped: {error.what}")
            continue
        seconds = time.perf_counter() - start_time
        evaluations[name] = context.evaluate_on_test(name, baseline.score)
        models.append(
            make_model_result(
                name,
                "baseline",
                name,
                evaluations[name],
                num_parameters=baseline.num_parameters,
                bytes=baseline.num_bytes,
                seconds=seconds,
            )
        )
    return models, evaluations


def _write_bundle(context: RunContext, results: Results) -> Bundle:
    """Writes the bundle with the shipped file and the catalog in the order of its item IDs."""
    shipped = results.shipped_artifact
    items = list(context.dataset.catalog.frame.iter_rows(named=True))
    order = export.load_item_order(context)
    if order is not None:
        items = [items[item - 1] for item in order]
    return write_bundle(
        context.folder / "bundle",
        model=(context.folder / shipped.path).read_bytes(),
        catalog=items,
        config=BundleConfig(
            name=context.settings.name,
            num_items=context.split.num_items,
            max_length=context.max_length,
            recommendations=context.settings.export.recommendations,
            candidates=context.settings.export.candidates,
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
