"""Bootstrap intervals of the metrics of predictions, over users or rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kd_tf.evaluation.bootstrap import draw_counts
from kd_tf.evaluation.metrics.click_auc import compute_auc_per_user, compute_click_auc
from kd_tf.evaluation.metrics.log_loss import compute_log_losses

MAX_GROUPS = 2000
"""Maximum number of groups that are drawn. More users, or rows, are merged into so many groups at
random: the spread between the means of 2,000 random groups gives the standard error to 1.6 %."""

MAX_AUC_BINS = 1024
"""Maximum number of bins of the predictions for the AUC of a sample, see `_draw_auc`."""


def bootstrap_click_metrics(
    labels: np.ndarray,
    predictions: np.ndarray,
    threshold: float,
    users: np.ndarray | None,
    *,
    level: float = 0.95,
    num_samples: int = 1000,
    seed: int = 42,
) -> dict[str, tuple[float, float]]:
    """Computes percentile bootstrap intervals of the metrics of probabilities.

    Users are drawn with all their rows, for rows of one user are not independent; rows where no
    users are known. There is no interval of the calibration error: each sample adds noise to the
    gap of every bin, so that its percentiles lie above the error itself.

    Metrics are ratios of sums over rows, so that all samples together are one matrix product with
    the sums of `MAX_GROUPS` groups. 1 million rows take about a second.

    Args:
        labels: [n], 0 or 1.
        predictions: float [n], probabilities.
        threshold: Threshold of ``accuracy``, ``precision``, ``recall`` and ``f1``.
        users: int [n], or None.
        level: Confidence level.
        num_samples: Number of bootstrap samples.
        seed: Seed of the samples and groups.

    Returns:
        Lower and upper bound by metric name. Without an entry for ``auc`` where all labels are
        equal, and for ``gauc`` without users who have both labels; empty for fewer than two users.
    """
    groups, num_groups = assign_groups(len(labels), users, seed)
    if num_groups < 2:
        return {}
    is_positive, is_predicted = labels > 0.5, predictions >= threshold
    sums = {
        "rows": np.ones(len(labels)),
        "log_loss": compute_log_losses(labels, predictions),
        "right": is_positive == is_predicted,
        "hits": is_positive & is_predicted,
        "predicted": is_predicted,
        "positive": is_positive,
    }
    if users is not None:
        by_user = compute_auc_per_user(labels, predictions, users)
        weights, rows = np.zeros(len(labels)), _find_first_rows(users, by_user.users)
        weights[rows] = by_user.num_rows
        sums["auc_rows"] = weights
        sums["user_auc"] = weights.copy()
        sums["user_auc"][rows] *= by_user.auc
    totals = _draw_sums(sums, groups, num_groups, num_samples, seed)
    samples = {
        "log_loss": totals["log_loss"] / totals["rows"],
        "accuracy": totals["right"] / totals["rows"],
        "precision": totals["hits"] / np.maximum(totals["predicted"], 1),
        "recall": totals["hits"] / np.maximum(totals["positive"], 1),
        "f1": 2 * totals["hits"] / np.maximum(totals["predicted"] + totals["positive"], 1),
        "auc": _draw_auc(labels, predictions, groups, num_groups, num_samples, seed),
    }
    if users is not None:
        with np.errstate(invalid="ignore"):
            samples["gauc"] = totals["user_auc"] / totals["auc_rows"]
    return _compute_percentiles(samples, level)


def bootstrap_rating_metrics(
    ratings: np.ndarray,
    predictions: np.ndarray,
    users: np.ndarray | None,
    *,
    level: float = 0.95,
    num_samples: int = 1000,
    seed: int = 42,
) -> dict[str, tuple[float, float]]:
    """Computes percentile bootstrap intervals of RMSE and MAE; see `bootstrap_click_metrics`.

    Args:
        ratings: float [n], as the table has them.
        predictions: float [n], in the same units.
        users: int [n], or None.
        level: Confidence level.
        num_samples: Number of bootstrap samples.
        seed: Seed of the samples and groups.

    Returns:
        Lower and upper bound by metric name; empty for fewer than two users.
    """
    groups, num_groups = assign_groups(len(ratings), users, seed)
    if num_groups < 2:
        return {}
    errors = predictions.astype(np.float64) - ratings
    sums = {"rows": np.ones(len(errors)), "rmse": errors**2, "mae": np.abs(errors)}
    totals = _draw_sums(sums, groups, num_groups, num_samples, seed)
    samples = {
        "rmse": np.sqrt(totals["rmse"] / totals["rows"]),
        "mae": totals["mae"] / totals["rows"],
    }
    return _compute_percentiles(samples, level)


def assign_groups(num_rows: int, users: np.ndarray | None, seed: int) -> tuple[np.ndarray, int]:
    """Assigns each row to a group of whole users, or of rows where no users are known.

    Args:
        num_rows: n.
        users: int [n], or None.
        seed: Seed of the random groups where there are more than `MAX_GROUPS` users.

    Returns:
        int64 [n], 0 to G - 1, and G, the number of groups.
    """
    if users is None:
        members, num_members = np.arange(num_rows), num_rows
    else:
        unique_users, members = np.unique(users, return_inverse=True)
        num_members = len(unique_users)
    if num_members <= MAX_GROUPS:
        return members, num_members
    group_of_member = np.random.default_rng(seed).permutation(num_members) % MAX_GROUPS
    return group_of_member[members], MAX_GROUPS


def _find_first_rows(users: np.ndarray, selected_users: np.ndarray) -> np.ndarray:
    """Finds the first row of each of some users: int64 [len(selected_users)]."""
    unique_users, rows = np.unique(users, return_index=True)
    return np.asarray(rows[np.searchsorted(unique_users, selected_users)])


def _draw_sums(
    values: Mapping[str, np.ndarray],
    groups: np.ndarray,
    num_groups: int,
    num_samples: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Sums values [n] over bootstrap samples of groups: float64 [samples] by name."""
    sums = np.stack(
        [np.bincount(groups, column, minlength=num_groups) for column in values.values()], axis=1
    )
    totals = [
        counts.astype(np.float64) @ sums
        for counts in draw_counts(num_groups, num_samples=num_samples, seed=seed)
    ]
    return dict(zip(values, np.concatenate(totals).T, strict=True))


def _draw_auc(
    labels: np.ndarray,
    predictions: np.ndarray,
    groups: np.ndarray,
    num_groups: int,
    num_samples: int,
    seed: int,
) -> np.ndarray:
    """Computes the AUC of bootstrap samples, float64 [samples]; NaN where all labels are equal.

    A sample's AUC follows from the numbers of its positive and negative rows in each bin of
    predictions, and these are a matrix product. Each distinct prediction is a bin, so that this is
    exact; of more than `MAX_AUC_BINS`, the bins hold equally many rows, a pair within a bin counts
    half, and the samples are shifted by the difference that this makes for all rows.
    """
    edges = np.unique(predictions)
    if len(edges) > MAX_AUC_BINS:
        edges = np.unique(np.quantile(predictions, np.linspace(0, 1, MAX_AUC_BINS), method="lower"))
    num_bins = len(edges) + 1
    cells = groups * num_bins + np.searchsorted(edges, predictions)
    positives, negatives = (
        np.bincount(cells[mask], minlength=num_groups * num_bins)
        .reshape(num_groups, num_bins)
        .astype(np.float32)
        for mask in (labels > 0.5, labels <= 0.5)
    )
    shift = compute_click_auc(labels, predictions) - _compute_auc_of_counts(
        positives.sum(axis=0, keepdims=True), negatives.sum(axis=0, keepdims=True)
    )
    samples = [
        _compute_auc_of_counts(
            counts.astype(np.float32) @ positives, counts.astype(np.float32) @ negatives
        )
        for counts in draw_counts(num_groups, num_samples=num_samples, seed=seed)
    ]
    return np.asarray(np.concatenate(samples) + shift)


def _compute_auc_of_counts(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Computes the AUC of each row of counts [b, bins], float64 [b]."""
    positives, negatives = positives.astype(np.float64), negatives.astype(np.float64)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))
        )


def _compute_percentiles(
    samples: Mapping[str, np.ndarray], level: float
) -> dict[str, tuple[float, float]]:
    """Computes the middle `level` of samples by name; a NaN is no sample."""
    tail = (1 - level) / 2
    intervals = {}
    for name, values in samples.items():
        values = values[~np.isnan(values)]
        if len(values):
            low, high = np.quantile(values, [tail, 1 - tail])
            intervals[name] = float(low), float(high)
    return intervals
