"""Paired tests between the predictions of two models on the same rows, also over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from kd_tf.data.ranking.examples import Label, RankingExamples
from kd_tf.evaluation.evaluate_predictions import check_predictions
from kd_tf.evaluation.metrics.click_auc import compute_auc_per_user, compute_placements
from kd_tf.evaluation.metrics.log_loss import compute_log_losses
from kd_tf.evaluation.significance import PairedComparison, compute_p_value


def compare_predictions(
    a: Sequence[np.ndarray],
    b: Sequence[np.ndarray],
    examples: RankingExamples,
    label: Label,
    metric: str,
) -> PairedComparison:
    """Compares model b with model a on the same rows.

    Each metric is, up to terms that vanish for many rows, a mean over rows of their influence on
    it. The influence of a log loss is the loss itself; that of the AUC are its placements (DeLong
    et al. 1988); that of an RMSE is the squared error over twice the RMSE. The difference of two
    models' influences, summed over the rows of each user (each row where no users are known), is
    tested like the differences of `compare_paired`: rows of one user are not independent.
    Source for the AUC of clustered rows: Obuchowski, "Nonparametric analysis of clustered ROC curve
    data", 1997.

    Args:
        a: Predictions float [n] of the first model, one array per seed. The metric is the mean
            over the seeds; the test is over users, for what these trained models do.
        b: Those of the second model, of as many seeds or more or fewer.
        examples: The rows.
        label: What is predicted.
        metric: A key of `CLICK_INFLUENCES` or `RATING_INFLUENCES`, after the kind of the label.

    Returns:
        The comparison. Its difference is above 0 where b is better: of errors, such as the log
        loss, it is that of a minus that of b. `num_users` counts rows where no users are known.

    Raises:
        ValueError: The metric is not one of this kind of label or cannot be computed from these
            rows, there are fewer than two users, or predictions do not fit the rows.

    Example:
        >>> from kd_tf.runtime.features.layout import FeatureLayout
        >>> random = np.random.default_rng(1)
        >>> p = random.random(2000).astype(np.float32)
        >>> clicks = (random.random(2000) < p).astype(np.float32)
        >>> no_features = np.empty((2000, 0), np.int32), np.empty((2000, 0), np.float32)
        >>> examples = RankingExamples(FeatureLayout((), ()), *no_features, clicks)
        >>> comparison = compare_predictions(
        ...     [p / 2 + 0.25], [p], examples, Label("clicked", "click"), "log_loss"
        ... )
        >>> comparison.difference > 0, comparison.p_value < 0.01
        (True, True)
    """
    return compare_folds([a], [b], [examples], label, metric)


def compare_folds(
    a: Sequence[Sequence[np.ndarray]],
    b: Sequence[Sequence[np.ndarray]],
    folds: Sequence[RankingExamples],
    label: Label,
    metric: str,
) -> PairedComparison:
    """Compares model b with model a on the test rows of all folds of a cross-validation.

    The metric is the mean over the folds of the metric of each. The difference of the influences of
    `compare_predictions` is summed over the rows that a user has in any fold: the rows of all folds
    are tested together.

    Args:
        a: By fold and seed, predictions float [n of the fold] of the first model.
        b: Those of the second model.
        folds: The test rows of each fold; a user has the same number in all of them.
        label: What is predicted.
        metric: See `compare_predictions`.

    Returns:
        The comparison, as of `compare_predictions`.

    Raises:
        ValueError: See `compare_predictions`; or the numbers of folds differ.
    """
    influences = CLICK_INFLUENCES if label.kind == "click" else RATING_INFLUENCES
    if metric not in influences:
        raise ValueError(f"a {label.kind} is compared by {', '.join(influences)}, not {metric!r}")
    if not folds or not len(a) == len(b) == len(folds):
        raise ValueError(f"{len(folds)} folds need predictions of each, not {len(a)} and {len(b)}")
    difference, values = 0.0, []
    for fold_a, fold_b, examples in zip(a, b, folds, strict=True):
        if not fold_a or not fold_b:
            raise ValueError("a comparison needs predictions of at least one seed per model")
        for predictions in (*fold_a, *fold_b):
            check_predictions(predictions, examples, label)
        metric_of_a, influence_on_a = _average_seeds(influences[metric], fold_a, examples, label)
        metric_of_b, influence_on_b = _average_seeds(influences[metric], fold_b, examples, label)
        difference += (metric_of_b - metric_of_a) / len(folds)
        values.append((influence_on_b - influence_on_a) / (len(examples) * len(folds)))
    users = [examples.users for examples in folds if examples.users is not None]
    sums, num_users = _sum_per_user(
        np.concatenate(values), np.concatenate(users) if len(users) == len(folds) else None
    )
    if num_users < 2:
        raise ValueError("a comparison needs at least two users")
    error = math.sqrt(float(np.square(sums).sum()) * num_users / (num_users - 1))
    # Models that differ by a constant have an error of exactly 0, which rounding would hide.
    num_rows = sum(map(len, folds))
    error = 0.0 if np.abs(sums).max() * num_rows < _ROUNDING else error
    return PairedComparison(
        difference, error, num_users, compute_p_value(difference, error, num_users)
    )


_ROUNDING = 1e-12

Influence = Callable[[np.ndarray, RankingExamples, Label], tuple[float, np.ndarray]]
"""Computes a metric, with the sign that makes higher better, and the influence of each row on it:
float64 [n] with mean 0."""


def _average_seeds(
    compute_influence: Influence,
    seeds: Sequence[np.ndarray],
    examples: RankingExamples,
    label: Label,
) -> tuple[float, np.ndarray]:
    """Averages a metric, and the influence of each row on it, over the seeds of a model."""
    results = [compute_influence(predictions, examples, label) for predictions in seeds]
    metrics, influences = zip(*results, strict=True)
    return float(np.mean(metrics)), np.asarray(np.mean(influences, axis=0))


def _compute_auc_influence(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[float, np.ndarray]:
    is_positive = examples.labels > 0.5
    num_positive = np.count_nonzero(is_positive)
    if num_positive in (0, len(is_positive)):
        raise ValueError("all labels are equal: there is no AUC to compare")
    placements = compute_placements(examples.labels, predictions)
    auc = float(placements[is_positive].mean())
    weight = np.where(
        is_positive, len(placements) / num_positive, len(placements) / (~is_positive).sum()
    )
    return auc, (placements - auc) * weight


def _compute_gauc_influence(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[float, np.ndarray]:
    if examples.users is None:
        raise ValueError("gauc needs the user of each row")
    by_user = compute_auc_per_user(examples.labels, predictions, examples.users)
    if not len(by_user.users):
        raise ValueError("no user has rows of both labels: there is no gauc to compare")
    position = np.minimum(np.searchsorted(by_user.users, examples.users), len(by_user.users) - 1)
    mask = by_user.users[position] == examples.users
    influence = np.where(mask, by_user.auc[position] - by_user.mean, 0.0)
    return by_user.mean, influence * (len(mask) / np.count_nonzero(mask))


def _compute_log_loss_influence(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[float, np.ndarray]:
    losses = compute_log_losses(examples.labels, predictions)
    return -float(losses.mean()), losses.mean() - losses


def _compute_mae_influence(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[float, np.ndarray]:
    errors = np.abs(_compute_errors(predictions, examples, label))
    return -float(errors.mean()), errors.mean() - errors


def _compute_rmse_influence(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[float, np.ndarray]:
    squares = np.square(_compute_errors(predictions, examples, label))
    rmse = math.sqrt(squares.mean())
    return -rmse, (squares.mean() - squares) / (2 * rmse or 1.0)


def _compute_errors(predictions: np.ndarray, examples: RankingExamples, label: Label) -> np.ndarray:
    """Returns the errors in the units of the table, float64 [n]."""
    errors = predictions.astype(np.float64) - examples.labels
    return np.asarray(errors * (label.high - label.low))


CLICK_INFLUENCES: dict[str, Influence] = {
    "auc": _compute_auc_influence,
    "gauc": _compute_gauc_influence,
    "log_loss": _compute_log_loss_influence,
}
"""Metrics by which models of clicks are compared."""

RATING_INFLUENCES: dict[str, Influence] = {
    "rmse": _compute_rmse_influence,
    "mae": _compute_mae_influence,
}
"""Metrics by which models of ratings are compared."""


def _sum_per_user(values: np.ndarray, users: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Sums values over the rows of each user, and counts the users (rows where None)."""
    if users is None:
        return values, len(values)
    unique_users, index = np.unique(users, return_inverse=True)
    return np.bincount(index, values), len(unique_users)
