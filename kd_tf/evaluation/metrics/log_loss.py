"""Log loss of probabilities: the cross-entropy with what happened, in nats."""

from __future__ import annotations

import numpy as np

MIN_PROBABILITY = 1e-7
"""Predictions are clipped to `MIN_PROBABILITY` and 1 minus it, as Keras does: a certain prediction
that is wrong costs 16.1, not infinity."""


def compute_log_losses(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Computes the log loss of each row: -log p where the label is 1, -log(1 - p) where it is 0.

    Args:
        labels: [n], 0 or 1.
        predictions: float [n], probabilities, clipped to `MIN_PROBABILITY`.

    Returns:
        float64 [n]; the log loss is its mean.

    Example:
        >>> compute_log_losses(np.array([1, 0, 0]), np.array([0.5, 0.5, 0.0])).round(3).tolist()
        [0.693, 0.693, 0.0]
    """
    probability = np.clip(predictions.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(-np.log(np.where(labels > 0.5, probability, 1 - probability)))
