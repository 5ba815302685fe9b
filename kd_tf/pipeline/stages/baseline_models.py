"""Fits and evaluates baselines: the results that a model has to beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kd_tf.baselines import BASELINES
from kd_tf.data.catalog import Catalog
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import SampledCandidates
from kd_tf.evaluation.evaluate import Evaluation, TrainingStatistics, evaluate, merge_folds
from kd_tf.pipeline.stages.model_results import make_model_result
from kd_tf.progress import Progress
from kd_tf.report.results import ModelResult


@dataclass(frozen=True)
class BaselineResults:
    """The baselines that fit a data set, evaluated on its test users.

    Attributes:
        models: Entries of the table of models.
        evaluations: Metrics per user by name of the baseline.
        notes: Which baselines were skipped, and why.
    """

    models: list[ModelResult]
    evaluations: dict[str, Evaluation]
    notes: list[str]


def evaluate_baseline_models(
    names: Sequence[str],
    splits: Sequence[Split],
    statistics: Sequence[TrainingStatistics],
    catalog: Catalog,
    *,
    ks: Sequence[int],
    candidates: SampledCandidates | None,
    progress: Progress,
) -> BaselineResults:
    """Fits and evaluates baselines; those that do not fit the data are skipped with a warning.

    Args:
        names: Names from `BASELINES`.
        splits: One split, or one per fold.
        statistics: The training statistics of each split.
        catalog: The items.
        ks: Cutoffs of the metrics.
        candidates: The sampled candidates of the metrics; None for a full ranking.
        progress: Where to report.

    Raises:
        UserError: There is a single name, and this baseline does not fit the data.
    """
    results = BaselineResults([], {}, [])
    for name in names:
        progress.info(f"{name}: fitting and evaluating")
        try:
            model, evaluation = fit_and_evaluate_baseline(
                name,
                splits,
                statistics,
                catalog,
                ks=ks,
                candidates=candidates,
                progress=progress,
            )
        except UserError as error:
            if len(names) == 1:
                raise
            progress.warn(f"{name} is skipped: {error.what}")
            results.notes.append(f"{name} is skipped: {error.what}")
            continue
        results.models.append(model)
        results.evaluations[name] = evaluation
    return results


def fit_and_evaluate_baseline(
    name: str,
    splits: Sequence[Split],
    statistics: Sequence[TrainingStatistics],
    catalog: Catalog,
    *,
    ks: Sequence[int],
    candidates: SampledCandidates | None,
    progress: Progress,
) -> tuple[ModelResult, Evaluation]:
    """Fits and evaluates one baseline on all folds; its sizes are those of the first fold.

    Raises:
        UserError: The baseline does not fit the data.
    """
    seconds = 0.0
    sizes, evaluations = [], []
    for split, training in zip(splits, statistics, strict=True):
        start_time = time.perf_counter()
        baseline = BASELINES[name](split, catalog, progress)
        seconds += time.perf_counter() - start_time
        sizes.append((baseline.num_parameters, baseline.num_bytes))
        evaluations.append(
            evaluate(
                baseline.score,
                split.test,
                training,
                ks=ks,
                candidates=candidates,
                progress=progress,
            )
        )
    evaluation = merge_folds(evaluations)
    num_parameters, num_bytes = sizes[0]
    result = make_model_result(
        name,
        "baseline",
        name,
        evaluation,
        num_parameters=num_parameters,
        bytes=num_bytes,
        seconds=seconds,
    )
    return result, evaluation
