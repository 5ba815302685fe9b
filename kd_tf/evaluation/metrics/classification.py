"""Accuracy, precision, recall and F1 of probabilities at a threshold."""

from __future__ import annotations

import numpy as np

DEFAULT_THRESHOLD = 0.5
"""The threshold where validation rows cannot choose one."""


def compute_classification_metrics(
    labels: np.ndarray, predictions: np.ndarray, threshold: float
) -> dict[str, float]:
    """Computes accuracy, precision, recall and F1 of the rows that are predicted positive.

    A row is predicted positive where its prediction is at least `threshold`. With TP rows that are
    rightly predicted positive, of P predicted and A actual positives: precision = TP / P, recall =
    TP / A, F1 = 2 TP / (P + A), their harmonic mean. A metric whose denominator is 0 is 0.

    Args:
        labels: [n], 0 or 1, at least one row.
        predictions: float [n], probabilities.
        threshold: See `choose_threshold`.

    Returns:
        ``accuracy``, ``precision``, ``recall`` and ``f1``.

    Example:
        >>> labels, predictions = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.6, 0.1])
        >>> compute_classification_metrics(labels, predictions, 0.5)
        {'accuracy': 0.5, 'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    is_positive, is_predicted = labels > 0.5, predictions >= threshold
    num_hits = int(np.count_nonzero(is_positive & is_predicted))
    num_predicted, num_positive = int(is_predicted.sum()), int(is_positive.sum())
    return {
        "accuracy": float(np.mean(is_positive == is_predicted)),
        "precision": num_hits / max(num_predicted, 1),
        "recall": num_hits / max(num_positive, 1),
        "f1": 2 * num_hits / max(num_predicted + num_positive, 1),
    }


def choose_threshold(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Chooses the threshold with the best F1, on validation rows.

    It lies halfway between two predictions, so that rounding in an exported file moves no
    validation row to the other side, and is 0 where it is best to predict every row positive. Of
    several thresholds with the same F1 the highest is chosen. Without a positive row F1 is 0
    everywhere, and the threshold is `DEFAULT_THRESHOLD`.

    Args:
        labels: [n], 0 or 1.
        predictions: float [n], probabilities.

    Returns:
        The threshold, 0 to 1.

    Example:
        >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.25, 0.75, 0.8]))
        0.5
    """
    is_positive = labels > 0.5
    num_positive = np.count_nonzero(is_positive)
    if not num_positive:
        return DEFAULT_THRESHOLD
    order = np.argsort(-predictions, kind="stable")
    descending = predictions[order].astype(np.float64)
    # The last row of each run of equal predictions: equal predictions fall on the same side.
    lasts = np.append(np.flatnonzero(descending[1:] != descending[:-1]), len(order) - 1)
    num_hits = np.cumsum(is_positive[order])[lasts]
    f1 = 2 * num_hits / (lasts + 1 + num_positive)
    best = int(np.argmax(f1))
    if best == len(lasts) - 1:
        return 0.0
    return float((descending[lasts[best]] + descending[lasts[best] + 1]) / 2)
