"""Fits and evaluates baselines: the results that a model has to beat."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from kd_tf.baselines import BASELINES
from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import FULL, SampledCandidates, parse_candidates
from kd_tf.evaluation.evaluate import Evaluation, TrainingStatistics, evaluate, merge_folds
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_dataset,
    describe_environment,
    make_model_result,
)
from kd_tf.pipeline.stages.prepare import PreparedData, load_dataset, prepare_data
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import ModelResult, ModelTable


def evaluate_baselines(
    settings: Config,
    progress: Progress | None = None,
    *,
    models: Sequence[str] | None = None,
    dataset: Dataset | None = None,
) -> ModelTable:
    """Fits baselines on the training part and evaluates them on the test part.

    With folds (``settings.split.num_folds``), every baseline is fitted once per fold. Metrics per
    user are averaged over the test users of all folds, metrics of all lists together (coverage
    and the like) over the folds.

    Args:
        settings: Data, cleaning, split and evaluation; other sections are ignored.
        progress: Where to report; by default nowhere.
        models: Names from `BASELINES`; all by default. Those that do not fit this data are skipped
            with a warning and a note.
        dataset: A data set in memory; by default the one that ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used, or no model can be fitted.
    """
    progress = progress or NullProgress()
    names = list(dict.fromkeys(models)) if models else list(BASELINES)
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UserError(
            f"there is no baseline {unknown[0]!r}", hint=f"Use one of {', '.join(BASELINES)}."
        )
    sampled = parse_candidates(settings.evaluation.candidates, settings.seed)
    prepared = prepare_data(settings, dataset or load_dataset(settings))
    for note in prepared.dataset.notes:
        progress.warn(note)
    if sampled is not None:
        progress.warn(
            f"each held-out item is ranked among {sampled.num_negatives} sampled items: the "
            "metrics are not comparable with those of a full ranking, and may order models "
            "differently"
        )
    data = dataclasses.replace(
        describe_dataset(settings, prepared, prepared.splits[0]), candidates=str(sampled or FULL)
    )
    if len(prepared.splits) > 1:
        data = dataclasses.replace(
            data, test_users=sum(len(split.test.histories) for split in prepared.splits)
        )
        data.notes.append(
            f"{len(prepared.splits)}-fold cross-validation: the number of test users is of all "
            "folds, those of training and validation users are of the first fold"
        )
    statistics = [TrainingStatistics.from_split(split) for split in prepared.splits]
    results: list[ModelResult] = []
    evaluations: dict[str, Evaluation] = {}
    for name in names:
        progress.info(f"{name}: fitting and evaluating")
        try:
            result, evaluation = _evaluate_baseline(
                name, prepared, statistics, settings, sampled, progress
            )
        except UserError as error:
            if len(names) == 1:
                raise
            progress.warn(f"{name} is skipped: {error.what}")
            data.notes.append(f"{name} is skipped: {error.what}")
            continue
        results.append(result)
        evaluations[name] = evaluation
    if not results:
        raise UserError("no baseline could be fitted to this data: " + "; ".join(data.notes))
    metric = f"ndcg@{settings.evaluation.ks[0]}"
    best = max(results, key=lambda result: result.metrics[metric]).name
    pairs = [(best, result.name) for result in results if result.name != best]
    return ModelTable(
        dataset=data,
        models=results,
        comparisons=compare_models(pairs, evaluations, metric),
        environment=describe_environment(),
    )


def _evaluate_baseline(
    name: str,
    prepared: PreparedData,
    statistics: list[TrainingStatistics],
    settings: Config,
    sampled: SampledCandidates | None,
    progress: Progress,
) -> tuple[ModelResult, Evaluation]:
    """Fits and evaluates one baseline on all folds; its sizes are those of the first fold."""
    seconds = 0.0
    num_parameters, num_bytes = [], []
    evaluations = []
    for split, training in zip(prepared.splits, statistics, strict=True):
        start_time = time.perf_counter()
        baseline = BASELINES[name](split, prepared.dataset.catalog, progress)
        seconds += time.perf_counter() - start_time
        num_parameters.append(baseline.num_parameters)
        num_bytes.append(baseline.num_bytes)
        evaluations.append(
            evaluate(
                baseline.score,
                split.test,
                training,
                ks=settings.evaluation.ks,
                candidates=sampled,
                progress=progress,
            )
        )
    evaluation = merge_folds(evaluations)
    result = make_model_result(
        name,
        "baseline",
        name,
        evaluation,
        num_parameters=num_parameters[0],
        bytes=num_bytes[0],
        seconds=seconds,
    )
    return result, evaluation
