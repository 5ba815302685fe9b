"""Builds the entries of results.json of the ranking task: the table, the models, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kd_tf.data.ranking.examples import Label, RankingExamples, RankingSplit
from kd_tf.evaluation.prediction_significance import compare_folds
from kd_tf.evaluation.significance import adjust_p_values
from kd_tf.pipeline.ranking.evaluate_ranker import RankerEvaluation
from kd_tf.pipeline.ranking.train import TrainedRanker
from kd_tf.report.ranking_results import RankingDatasetResult
from kd_tf.report.results import ComparisonResult, ModelResult
from kd_tf.training import checkpoint

FoldPredictions = Sequence[Sequence[np.ndarray]]
"""By fold and seed, float32 [n], the predictions of the test rows of the fold."""


def describe_ranking_dataset(
    split: RankingSplit, *, num_test_rows: int | None = None, notes: Sequence[str] = ()
) -> RankingDatasetResult:
    """Describes the table and how it was split.

    Args:
        split: The only split, or that of the first fold.
        num_test_rows: Number of test rows of all folds; by default that of the split.
        notes: Notes beside those of the split.
    """
    label = split.label
    return RankingDatasetResult(
        name=split.name,
        label={"name": label.name, "kind": label.kind, "low": label.low, "high": label.high},
        rows=sum(map(len, (split.train, split.validation, split.test))),
        positive_share=float(np.mean(split.train.labels)) if label.kind == "click" else None,
        protocol=split.protocol,
        seed=split.seed,
        train_rows=len(split.train),
        validation_rows=len(split.validation),
        test_rows=len(split.test) if num_test_rows is None else num_test_rows,
        columns=[
            {"name": column.name, "kind": column.kind, "reason": column.reason}
            for column in split.columns
        ],
        features=len(split.train.layout.categorical) + split.train.layout.num_numeric,
        notes=[*split.notes, *notes],
    )


def make_ranking_model_result(
    name: str,
    role: str,
    kind: str,
    evaluation: RankerEvaluation,
    *,
    num_parameters: int,
    num_bytes: int,
    seconds: float,
) -> ModelResult:
    """Builds the entry of one model.

    Args:
        name: For example ``student-distilled``.
        role: ``baseline``, ``teacher``, ``student`` or ``file``.
        kind: Name of its architecture, or of a file its quantization.
        evaluation: What it predicts on the test rows.
        num_parameters: Number of parameters.
        num_bytes: Their size; of a student, in an int8 file.
        seconds: Wall time of the training.
    """
    return ModelResult(
        name=name,
        role=role,
        kind=kind,
        parameters=num_parameters,
        bytes=num_bytes,
        metrics=evaluation.test.metrics,
        train_seconds=seconds,
        intervals=evaluation.test.intervals,
        slices=evaluation.slices,
    )


def make_ranker_result(
    role: str, ranker: TrainedRanker, evaluation: RankerEvaluation
) -> ModelResult:
    """Builds the entry of a teacher or student."""
    num_parameters = checkpoint.count_parameters(ranker.model)
    return make_ranking_model_result(
        ranker.name,
        role,
        ranker.architecture,
        evaluation,
        num_parameters=num_parameters,
        num_bytes=num_parameters if role == "student" else 4 * num_parameters,
        seconds=ranker.seconds,
    )


def average_results(results: Sequence[Sequence[ModelResult]]) -> ModelResult:
    """Averages the entries of one model over seeds and folds.

    Args:
        results: By fold, the entries of all seeds.

    Returns:
        Mean metrics. Their standard deviations are over the folds, each the mean of its seeds; of
        one fold over the seeds. A single entry stays as it is.
    """
    entries = [result for fold in results for result in fold]
    if len(entries) < 2:
        return entries[0]
    units = results if len(results) > 1 else [[result] for result in entries]
    # A metric that some folds lack, such as the AUC of rows of one class, has no mean.
    names = [
        name for name in entries[0].metrics if all(name in result.metrics for result in entries)
    ]
    means = {
        name: [float(np.mean([result.metrics[name] for result in unit])) for unit in units]
        for name in names
    }
    return replace(
        entries[0],
        bytes=round(float(np.mean([result.bytes for result in entries]))),
        metrics={name: float(np.mean(values)) for name, values in means.items()},
        standard_deviations={name: float(np.std(values, ddof=1)) for name, values in means.items()},
        train_seconds=float(np.mean([result.train_seconds for result in entries])),
        intervals={},
        slices={},
    )


def compare_rankers(
    pairs: Sequence[tuple[str, str]],
    predictions: Mapping[str, FoldPredictions],
    folds: Sequence[RankingExamples],
    label: Label,
) -> list[ComparisonResult]:
    """Compares pairs of models with paired tests; adjusts p-values for the number of pairs.

    Args:
        pairs: Names of a model and of its reference.
        predictions: By name, of all folds and seeds.
        folds: The test rows of each fold.
        label: What is predicted: clicks are compared by AUC and log loss, ratings by RMSE.

    Returns:
        The comparisons, metric by metric; none where the rows are of one class or one user.
    """
    results = []
    for metric in ("auc", "log_loss") if label.kind == "click" else ("rmse",):
        tests = []
        for model, reference in pairs:
            try:
                test = compare_folds(
                    predictions[reference], predictions[model], folds, label, metric
                )
            except ValueError:  # rows of one class, or of one user, compare nothing
                continue
            tests.append((model, reference, test))
        p_values = adjust_p_values([test.p_value for *_, test in tests])
        results += [
            ComparisonResult(
                model,
                reference,
                metric,
                test.difference,
                test.standard_error,
                test.num_users,
                p_value,
            )
            for (model, reference, test), p_value in zip(tests, p_values, strict=True)
        ]
    return results
