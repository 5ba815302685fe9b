"""Every baseline, fitted and measured on the same readers: what a model of one's own must beat."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.errors import UserError
from kd_tf.evaluate.baselines import BASELINES
from kd_tf.evaluate.candidates import FULL, SampledCandidates, parse_candidates
from kd_tf.evaluate.protocol import Evaluation, TrainingStatistics, evaluate, merged
from kd_tf.pipeline.describing import comparisons, described, environment, model_result
from kd_tf.pipeline.sources import Prepared, prepare, read
from kd_tf.progress import Progress, Silent
from kd_tf.report.results import ModelResult, ModelTable


def baselines(
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
    progress = progress or Silent()
    names = list(dict.fromkeys(models)) if models else list(BASELINES)
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UserError(
            f"there is no baseline {unknown[0]!r}", hint=f"There are: {', '.join(BASELINES)}."
        )
    sampled = parse_candidates(settings.evaluation.candidates, settings.seed)
    prepared = prepare(settings, dataset or read(settings))
    for note in prepared.dataset.notes:
        progress.warn(note)
    if sampled is not None:
        progress.warn(
            f"held-out books are ranked among {sampled.negatives} others: such figures do not "
            "compare with those of a full ranking, and may order models differently"
        )
    data = dataclasses.replace(
        described(settings, prepared, prepared.splits[0]), candidates=str(sampled or FULL)
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
        progress.say(f"{name}: fitting and measuring")
        try:
            result, evaluation = _measured(name, prepared, statistics, settings, sampled, progress)
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
        comparisons=comparisons(pairs, evaluations, metric),
        environment=environment(),
    )


def _measured(
    name: str,
    prepared: Prepared,
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
        parameters.append(model.parameters)
        size.append(model.bytes)
        evaluations.append(
            evaluate(
                model.scores,
                split.test,
                training,
                ks=settings.evaluation.ks,
                candidates=sampled,
                progress=progress,
            )
        )
    evaluation = merged(evaluations)
    result = model_result(
        name,
        "baseline",
        name,
        evaluation,
        parameters=parameters[0],
        bytes=size[0],
        seconds=seconds,
    )
    return result, evaluation
