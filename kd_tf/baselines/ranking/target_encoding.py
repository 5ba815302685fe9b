"""Encodes ids as the mean label of their training rows, without telling a row its own label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.runtime.features.layout import MISSING_ID

NUM_FOLDS = 10
"""Number of parts of the training rows, each of which is encoded by the others."""

MIN_SMOOTHING, MAX_SMOOTHING = 1.0, 1000.0


@dataclass(frozen=True, eq=False)
class TargetEncoding:
    """The mean label of each id of a feature, drawn towards the mean of all rows.

    An id with the sum s of the labels of its c rows is encoded as (s + m p) / (c + m), where p is
    the mean of all rows and m the variance within ids over the variance between them: the empirical
    Bayes estimate of Micci-Barreca, "A preprocessing scheme for high-cardinality categorical
    attributes in classification and prediction problems", 2001.

    Attributes:
        counts: float64 [ids], c.
        sums: float64 [ids], s.
        prior: p.
        smoothing: m.

    Example:
        >>> ids, labels = np.array([[2], [2], [3]]), np.array([1, 1, 0])
        >>> encoding = TargetEncoding(*count_labels(ids, labels, 4), prior=0.5, smoothing=2.0)
        >>> encoding.encode(ids).round(2).tolist()
        [0.75, 0.75, 0.33]
    """

    counts: np.ndarray
    sums: np.ndarray
    prior: float
    smoothing: float

    def encode(self, ids: np.ndarray) -> np.ndarray:
        """Encodes rows: float64 [n], the mean over the values of each.

        Args:
            ids: int [n, values]; of lists, unused places are `MISSING_ID`.
        """
        means = (self.sums + self.smoothing * self.prior) / (self.counts + self.smoothing)
        return average_values(means, ids)


def fit_target_encoding(ids: np.ndarray, labels: np.ndarray, num_ids: int) -> TargetEncoding:
    """Counts the labels of each id, and estimates the smoothing.

    Args:
        ids: int [n, values], training rows.
        labels: float [n].
        num_ids: Number of ids.
    """
    counts, sums = count_labels(ids, labels, num_ids)
    return TargetEncoding(
        counts,
        sums,
        float(labels.mean(dtype=np.float64)),
        _estimate_smoothing(counts, sums, labels),
    )


def encode_out_of_fold(
    encoding: TargetEncoding, ids: np.ndarray, labels: np.ndarray, seed: int
) -> np.ndarray:
    """Encodes the training rows, each by the labels of the other folds alone.

    An encoding of all rows would tell a tree the label of a rare id: it would trust the column
    more than it deserves on new rows.

    Args:
        encoding: Fitted to the same rows.
        ids: int [n, values].
        labels: float [n].
        seed: Seed of the folds.

    Returns:
        float64 [n].
    """
    fold = np.random.default_rng(seed).permutation(len(labels)) % NUM_FOLDS
    encoded_rows = np.empty(len(labels))
    total = encoding.sums.sum(), encoding.counts.sum()
    for number in range(NUM_FOLDS):
        rows = np.flatnonzero(fold == number)
        counts, sums = count_labels(ids[rows], labels[rows], len(encoding.counts))
        num_others = total[1] - counts.sum()
        others = TargetEncoding(
            encoding.counts - counts,
            encoding.sums - sums,
            float((total[0] - sums.sum()) / num_others) if num_others else encoding.prior,
            encoding.smoothing,
        )
        encoded_rows[rows] = others.encode(ids[rows])
    return encoded_rows


def count_labels(
    ids: np.ndarray, labels: np.ndarray, num_ids: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the rows of each id and sums their labels, each float64 [num_ids].

    Unused places of lists are not counted.
    """
    weights = np.repeat(labels[:, None], ids.shape[1], axis=1)
    mask = _mask_values(ids)
    counts = np.bincount(ids[mask], minlength=num_ids).astype(np.float64)
    return counts, np.bincount(ids[mask], weights[mask], minlength=num_ids)


def average_values(values_of_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Averages a number per id over the values of each row: float64 [n].

    An empty list has the number of `MISSING_ID`.
    """
    if ids.shape[1] == 1:
        return np.asarray(values_of_ids[ids[:, 0]])
    mask = _mask_values(ids)
    counts = mask.sum(axis=1)
    sums = (values_of_ids[ids] * mask).sum(axis=1)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), values_of_ids[MISSING_ID]))


def _mask_values(ids: np.ndarray) -> np.ndarray:
    """Returns bool [n, values]: false for unused places of lists."""
    return np.asarray(ids != MISSING_ID if ids.shape[1] > 1 else np.ones_like(ids, bool))


def _estimate_smoothing(counts: np.ndarray, sums: np.ndarray, labels: np.ndarray) -> float:
    """Estimates the variance within ids over that between them (analysis of variance)."""
    mask = counts > 0
    counts, means = counts[mask], sums[mask] / counts[mask]
    num_rows, num_groups = counts.sum(), len(counts)
    if num_groups < 2 or num_rows <= num_groups:
        return MAX_SMOOTHING
    mean = np.average(means, weights=counts)
    total = float(labels.var(dtype=np.float64)) * num_rows
    between = float((counts * (means - mean) ** 2).sum())
    variance_within = max(total - between, 0.0) / (num_rows - num_groups)
    effective_size = num_rows - (counts**2).sum() / num_rows
    variance_between = (between - (num_groups - 1) * variance_within) / effective_size
    if variance_between <= 0:
        return MAX_SMOOTHING
    return float(np.clip(variance_within / variance_between, MIN_SMOOTHING, MAX_SMOOTHING))
