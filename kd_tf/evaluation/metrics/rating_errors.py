"""Errors of predicted ratings, in the units of the ratings."""

from __future__ import annotations

import numpy as np


def compute_rmse(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the root of the mean squared error.

    Args:
        ratings: float [n], as the table has them.
        predictions: float [n], in the same units.

    Example:
        >>> compute_rmse(np.array([1.0, 5.0]), np.array([2.0, 5.0]))
        0.7071067811865476
    """
    return float(np.sqrt(np.mean(np.square(_compute_errors(ratings, predictions)))))


def compute_mae(ratings: np.ndarray, predictions: np.ndarray) -> float:
    """Computes the mean absolute error.

    Args:
        ratings: float [n], as the table has them.
        predictions: float [n], in the same units.

    Example:
        >>> compute_mae(np.array([1.0, 5.0]), np.array([2.0, 5.0]))
        0.5
    """
    return float(np.mean(np.abs(_compute_errors(ratings, predictions))))


def _compute_errors(ratings: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    # Sums of millions of float32 would lose digits.
    return np.asarray(predictions.astype(np.float64) - ratings.astype(np.float64))
