"""The corridor: calls the rooms in order; every finished stage is kept and found again."""

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
from kd_tf.evaluate.evaluation import Evaluation
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
"""Who learnt, chose and judged: enough to measure anything else on the same readers."""


@dataclass(frozen=True)
class RunResult:
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
) -> RunResult:
    """Interactions in, a measured bundle out.

    A run that was stopped goes on from its finished stages when it is started again with the
    same settings and data; a stage whose inputs changed is done anew.

    Args:
        settings: Everything the run depends on.
        folder: Gets config.toml, split.npz, results.json, report.html, teacher/, student/,
            targets/, artifacts/ and bundle/.
        progress: Where to report; nothing by default.
        dataset: Data that is already in memory (`kd_tf.data.sources.dataframe`); by default
            what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
        ParityError: A converted file does not answer like its student.
    """
    for role, kind in (
        ("teacher", settings.teacher.architecture),
        ("student", settings.student.architecture),
    ):
        if kind == config.MATRIX_FACTORIZATION:
            raise UserError(
                "matrix factorisation knows only readers that it was trained on: no app can use it",
                where=f"{role}.kind",
                hint="It is for kd-tf compare.",
            )
    progress = progress or NullProgress()
    return run_stages(
        RunContext(settings, Path(folder), progress, dataset or load_dataset(settings))
    )


def run_stages(context: RunContext) -> RunResult:
    """Every stage in order."""
    context.folder.mkdir(parents=True, exist_ok=True)
    config.write(context.settings, context.folder / "config.toml")
    context.split.save(context.folder / SPLIT_FILE)
    models, evaluations = _evaluate_baselines(context)
    taught = teachers.load_or_train_teachers(context)
    teacher = taught[-1].model
    distilled = students.load_or_train_student(context, "distilled", taught)
    # Of the same kind, so that the difference is what the teacher is worth.
    alone = students.load_or_train_student(context, "alone", architecture=distilled.architecture)
    for role, one in (
        *(("teacher", one) for one in taught),
        *(("student", one) for one in (alone, distilled)),
    ):
        evaluations[one.name] = context.evaluate_on_test(one.name, make_score_fn(one.model))
        parameters = checkpoint.count_parameters(one.model)
        models.append(
            make_model_result(
                one.name,
                role,
                one.architecture,
                evaluations[one.name],
                num_parameters=parameters,
                bytes=compute_quantized_size(one.model) if role == "student" else 4 * parameters,
                seconds=one.seconds,
            )
        )
    student = distilled.model
    best = max(
        (one for one in models if one.role == "baseline"), key=lambda one: one.metrics["ndcg@10"]
    ).name
    artifacts = export.export_artifacts(context, student)
    chosen = export.choose_artifact(context, artifacts)
    results = Results(
        dataset=context.dataset_summary,
        models=models,
        artifacts=artifacts,
        comparisons=compare_models(
            [("student-distilled", other) for other in ("student-alone", "teacher", best)],
            evaluations,
            "ndcg@10",
        ),
        chosen=chosen.name,
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
    """All of them: a table without one would hide that it was better."""
    models, evaluations = [], {}
    for name, fit in BASELINES.items():
        begin = time.perf_counter()
        try:
            baseline = fit(context.split, context.dataset.catalog, context.progress)
        except UserError as error:
            context.progress.warn(f"{name} is left out: {error.what}")
            context.dataset_summary.notes.append(f"{name} is left out: {error.what}")
            continue
        seconds = time.perf_counter() - begin
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
