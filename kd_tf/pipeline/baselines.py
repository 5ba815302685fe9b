"""Every baseline, fitted and measured on the same readers: what a model of one's own must beat."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from kd_tf.baselines import BASELINES
from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.errors import UserError
from kd_tf.evaluate.candidates import FULL, SampledCandidates, parse_candidates
from kd_tf.evaluate.evaluation import Evaluation, TrainingStatistics, evaluate, merge_folds
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
    """Fits baselines on the training part and measures them on the test part.

    With folds (``settings.split.folds``) every baseline is fitted once a fold; the means are over
    the test readers of all folds, figures of lists as a whole (coverage and the like) are the
    mean of the folds.

    Args:
        settings: Data, cleaning, split and evaluation; the rest is not looked at.
        progress: Where to report; nothing by default.
        models: Names from `BASELINES`; all by default. Those that cannot be fitted to this data
            are left out with a warning and a note.
        dataset: Data that is already in memory; by default what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used, or no model can be fitted.
    """
    progress = progress or NullProgress()
    names = list(dict.fromkeys(models)) if models else list(BASELINES)
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UserError(
            f"there is no baseline {unknown[0]!r}", hint=f"There are: {', '.join(BASELINES)}."
        )
    sampled = parse_candidates(settings.evaluation.candidates, settings.seed)
    prepared = prepare_data(settings, dataset or load_dataset(settings))
    for note in prepared.dataset.notes:
        progress.warn(note)
    if sampled is not None:
        progress.warn(
            f"held-out books are ranked among {sampled.num_negatives} others: such figures do not "
            "compare with those of a full ranking, and may order models differently"
        )
    data = dataclasses.replace(
        describe_dataset(settings, prepared, prepared.splits[0]), candidates=str(sampled or FULL)
    )
    if len(prepared.splits) > 1:
        data = dataclasses.replace(
            data, test_users=sum(len(split.test.histories) for split in prepared.splits)
        )
        data.notes.append(
            f"{len(prepared.splits)}-fold cross-validation: test readers are those of all folds, "
            "training and validation readers those of the first"
        )
    statistics = [TrainingStatistics.from_split(split) for split in prepared.splits]
    results: list[ModelResult] = []
    evaluations: dict[str, Evaluation] = {}
    for name in names:
        progress.info(f"{name}: fitting and measuring")
        try:
            result, evaluation = _evaluate_baseline(
                name, prepared, statistics, settings, sampled, progress
            )
        except UserError as error:
            if len(names) == 1:
                raise
            progress.warn(f"{name} is left out: {error.what}")
            data.notes.append(f"{name} is left out: {error.what}")
            continue
        results.append(result)
        evaluations[name] = evaluation
    if not results:
        raise UserError("no baseline fits this data: " + "; ".join(data.notes))
    metric = f"ndcg@{settings.evaluation.ks[0]}"
    best = max(results, key=lambda one: one.metrics[metric]).name
    pairs = [(best, one.name) for one in results if one.name != best]
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
    """One baseline over all folds."""
    seconds = 0.0
    parameters, size = [], []
    evaluations = []
    for split, training in zip(prepared.splits, statistics, strict=True):
        begin = time.perf_counter()
        model = BASELINES[name](split, prepared.dataset.catalog, progress)
        seconds += time.perf_counter() - begin
        parameters.append(model.num_parameters)
        size.append(model.num_bytes)
        evaluations.append(
            evaluate(
                model.score,
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
        num_parameters=parameters[0],
        bytes=size[0],
        seconds=seconds,
    )
    return result, evaluation
