"""Fits and evaluates baselines: the results that a model has to beat."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from kd_tf.baselines import BASELINES, list_baselines
from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import parse_candidates
from kd_tf.evaluation.evaluate import TrainingStatistics
from kd_tf.pipeline.stages.baseline_models import evaluate_baseline_models
from kd_tf.pipeline.stages.content import encode_dataset
from kd_tf.pipeline.stages.load import load_dataset, report_id_match
from kd_tf.pipeline.stages.model_results import (
    compare_models,
    describe_dataset,
    describe_environment,
)
from kd_tf.pipeline.stages.prepare import prepare_data
from kd_tf.pipeline.stages.sizes import check_evaluation_sizes
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.results import ModelTable


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
    unknown = [name for name in models or () if name not in BASELINES]
    if unknown:
        raise UserError(
            f"there is no baseline {unknown[0]!r}", hint=f"Use one of {', '.join(BASELINES)}."
        )
    candidates = parse_candidates(settings.evaluation.candidates, settings.seed)
    dataset = dataset or load_dataset(settings)
    report_id_match(dataset, progress)
    prepared_data = prepare_data(settings, encode_dataset(settings, dataset, progress))
    data = describe_dataset(settings, prepared_data, prepared_data.splits[0])
    data.notes.extend(
        check_evaluation_sizes(settings, candidates, prepared_data.interactions.num_items)
    )
    for note in data.notes:
        progress.warn(note)
    if candidates is not None:
        progress.warn(
            f"each held-out item is ranked among {candidates.num_negatives} sampled items: the "
            "metrics are not comparable with those of a full ranking, and may order models "
            "differently"
        )
    data = dataclasses.replace(data, candidates=settings.evaluation.candidates)
    names = list(dict.fromkeys(models or list_baselines(prepared_data.splits[0])))
    if len(prepared_data.splits) > 1:
        data.notes.append(
            f"{len(prepared_data.splits)}-fold cross-validation: the number of test users is of "
            "all folds, those of training and validation users are of the first fold"
        )
    results = evaluate_baseline_models(
        names,
        prepared_data.splits,
        [TrainingStatistics.from_split(split) for split in prepared_data.splits],
        prepared_data.dataset.catalog,
        ks=settings.evaluation.ks,
        candidates=candidates,
        progress=progress,
    )
    data.notes.extend(results.notes)
    if not results.models:
        raise UserError(
            "no baseline could be fitted to this data: " + "; ".join(data.notes),
            hint="Choose others with --models, or give more data.",
        )
    metric = f"ndcg@{settings.evaluation.ks[0]}"
    best = max(results.models, key=lambda result: result.metrics.get(metric, 0.0)).name
    pairs = [(best, result.name) for result in results.models if result.name != best]
    return ModelTable(
        dataset=data,
        models=results.models,
        comparisons=compare_models(pairs, results.evaluations, metric),
        environment=describe_environment(),
    )
