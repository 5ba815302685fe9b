"""Runs all stages of the ranking task in order and caches each finished stage."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kd_tf import config
from kd_tf.baselines.ranking import RANKING_BASELINES, list_ranking_baselines
from kd_tf.config import RankingConfig
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.evaluation.metrics.calibration import Reliability
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.ranking.artifacts import choose_ranking_artifact, export_ranking_artifacts
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.pipeline.ranking.evaluate_ranker import RankerEvaluation
from kd_tf.pipeline.ranking.export_bundle import make_schema_error
from kd_tf.pipeline.ranking.load import encode_needed_texts, load_ranking_split
from kd_tf.pipeline.ranking.model_results import (
    compare_rankers,
    describe_ranking_dataset,
    make_ranker_result,
    make_ranking_model_result,
)
from kd_tf.pipeline.ranking.train import (
    build_ranking_student,
    load_or_train_ranking_student,
    load_or_train_ranking_teachers,
)
from kd_tf.pipeline.run_folder import check_run_folder, reserve_run_folder
from kd_tf.pipeline.stages.chosen_file import read_measured_file
from kd_tf.pipeline.stages.model_results import describe_environment
from kd_tf.progress import NullProgress, Progress
from kd_tf.report import ranking_html, ranking_model_card
from kd_tf.report.ranking_results import RankingResults
from kd_tf.report.results import ComparisonResult, ModelResult
from kd_tf.runtime.bundle_files import BUNDLE_FOLDER
from kd_tf.runtime.features.layout import FeatureLayout
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.ranker_bundle import RankerBundle, RankerConfig, write_ranker_bundle


@dataclass(frozen=True)
class RankingRunResult:
    """A finished run of the ranking task.

    Attributes:
        folder: The run's folder.
        results: All metrics and measurements.
        split: Training, validation and test rows.
        teacher: The trained teacher.
        student: The distilled student.
        bundle: The folder that an app loads.
    """

    folder: Path
    results: RankingResults
    split: RankingSplit
    teacher: RankingModel
    student: RankingModel
    bundle: RankerBundle


def run_ranking(
    settings: RankingConfig,
    folder: str | Path,
    progress: Progress | None = None,
    *,
    split: RankingSplit | None = None,
) -> RankingRunResult:
    """Trains, distills, exports and evaluates, and writes a bundle for an app.

    An interrupted run resumes from its finished stages when it is started again with the same
    settings and rows. Stages whose inputs have changed run again.

    Args:
        settings: All settings of the run.
        folder: A new or empty folder, or that of an earlier run. Gets config.toml, results.json,
            report.html, teacher/, student/, targets/, artifacts/ and bundle/.
        progress: Where to report; by default nowhere.
        split: Rows in memory (`kd_tf.data.ranking.read_ranking.read_ranking_split`); by default
            the tables that ``settings.data`` names are read.

    Raises:
        UserError: The data or a setting cannot be used, the folder is not a run's, or another
            command uses it.
        ParityError: The predictions of a converted file differ from those of its student.

    Example:
        >>> import tempfile
        >>> import kd_tf as kd
        >>> settings = config.from_values(
        ...     {
        ...         "data": {"synthetic_impressions": 2000},
        ...         "teacher": {"architecture": "deep", "training": {"epochs": 1}},
        ...         "student": {"training": {"epochs": 1}},
        ...         "export": {"quantizations": ["float32"]},
        ...     },
        ...     RankingConfig,
        ... )
        >>> finished = kd.run_ranking(settings, Path(tempfile.mkdtemp()))
        >>> finished.results.chosen
        'float32'
    """
    check_run_folder(Path(folder))
    progress = progress or NullProgress()
    split = split or load_ranking_split(settings, progress)
    split = encode_needed_texts(settings, split, progress)
    for note in split.notes:
        progress.info(note)
    context = RankingContext.create(settings, Path(folder), progress, split)
    with reserve_run_folder(context.folder):
        return _run_stages(context)


def _run_stages(context: RankingContext) -> RankingRunResult:
    """Runs all stages in order and writes the results."""
    config.write(context.settings, context.folder / "config.toml")
    # What the student cannot have is refused before teachers are trained.
    build_ranking_student(context, context.settings.student.training.l2)
    evaluations: dict[str, RankerEvaluation] = {}
    models: list[ModelResult] = []
    for name in list_ranking_baselines(context.split):
        context.progress.info(f"{name}: fitting and evaluating")
        start_time = time.monotonic()
        baseline = RANKING_BASELINES[name](context.split, context.progress)
        seconds = time.monotonic() - start_time
        evaluations[name] = context.evaluate_on_test(baseline.predict)
        models.append(
            make_ranking_model_result(
                name,
                "baseline",
                name,
                evaluations[name],
                num_parameters=baseline.num_parameters,
                num_bytes=baseline.num_bytes,
                seconds=seconds,
            )
        )
    teachers = load_or_train_ranking_teachers(context)
    distilled_student = load_or_train_ranking_student(context, "distilled", teachers)
    alone = load_or_train_ranking_student(context, "alone")
    for role, ranker in (
        *(("teacher", teacher) for teacher in teachers),
        *(("student", student) for student in (alone, distilled_student)),
    ):
        evaluations[ranker.name] = context.evaluate_on_test(ranker.model.predict_probabilities)
        models.append(make_ranker_result(role, ranker, evaluations[ranker.name]))
    artifacts = export_ranking_artifacts(context, distilled_student.model)
    chosen = choose_ranking_artifact(context, artifacts)
    results = RankingResults(
        dataset=describe_ranking_dataset(context.split),
        models=models,
        artifacts=artifacts,
        comparisons=_compare_models(context, models, evaluations),
        chosen=chosen.name,
        reliability={
            name: _describe_reliability(evaluation.test.reliability)
            for name, evaluation in evaluations.items()
            if evaluation.test.reliability is not None
        },
        environment=describe_environment(),
    )
    bundle = _write_bundle(context, results, distilled_student.model.layout)
    results.write(context.folder)
    ranking_html.write(results, context.folder)
    return RankingRunResult(
        context.folder,
        results,
        context.split,
        teachers[-1].model,
        distilled_student.model,
        bundle,
    )


def _compare_models(
    context: RankingContext, models: list[ModelResult], evaluations: dict[str, RankerEvaluation]
) -> list[ComparisonResult]:
    """Compares student and teacher with what they must beat, on the same rows."""
    split = context.split
    baselines = [model for model in models if model.role == "baseline"]
    if split.label.kind == "click":
        best_baseline = max(baselines, key=lambda model: model.metrics.get("auc", 0.0)).name
    else:
        best_baseline = min(baselines, key=lambda model: model.metrics["rmse"]).name
    pairs = [
        ("student-distilled", "student-alone"),
        ("student-distilled", "teacher"),
        ("student-distilled", best_baseline),
        ("teacher", best_baseline),
    ]
    predictions = {name: [[evaluation.predictions]] for name, evaluation in evaluations.items()}
    return compare_rankers(pairs, predictions, [split.test], split.label)


def _describe_reliability(reliability: Reliability) -> dict[str, list[float]]:
    """Returns the bins that have rows."""
    is_used = reliability.num_rows > 0
    return {
        "mean_prediction": reliability.mean_prediction[is_used].tolist(),
        "positive_share": reliability.positive_share[is_used].tolist(),
        "num_rows": reliability.num_rows[is_used].tolist(),
    }


def _write_bundle(
    context: RankingContext, results: RankingResults, layout: FeatureLayout
) -> RankerBundle:
    """Writes the bundle with the shipped file and how rows are encoded for it."""
    artifact = results.shipped_artifact
    model = read_measured_file(context.folder, artifact)
    schema = context.split.schema
    if schema is None:
        raise make_schema_error()
    schema = schema.select_features(layout)
    dataset = results.dataset
    return write_ranker_bundle(
        context.folder / BUNDLE_FOLDER,
        model=model,
        schema=schema,
        config=RankerConfig(
            name=context.settings.name,
            num_places=schema.layout.num_places,
            num_numeric=schema.layout.num_numeric,
            batch_size=context.settings.export.batch_size,
            signatures=tuple(artifact.signatures),
            min_runtime_version=artifact.min_runtime_version,
            quantization=artifact.quantization,
            threshold=0.5 if artifact.threshold is None else artifact.threshold,
            metrics=artifact.metrics,
            dataset={
                "name": dataset.name,
                "rows": dataset.rows,
                "protocol": dataset.protocol,
                "seed": dataset.seed,
            },
        ),
        model_card=ranking_model_card.render(results),
        items=context.split.item_values,
        check=Ranker.from_bundle,
    )
