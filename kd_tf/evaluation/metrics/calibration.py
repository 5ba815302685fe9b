"""Whether probabilities come true: reliability bins and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_BINS = 10
"""Number of bins of equal width, as is usual."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed probabilities by bin: the points of a reliability plot.

    Attributes:
        mean_prediction: float64 [bins], mean prediction of the rows of each bin; NaN without rows.
        positive_share: float64 [bins], share of these rows with label 1; NaN without rows.
        num_rows: int64 [bins].
    """

    mean_prediction: np.ndarray
    positive_share: np.ndarray
    num_rows: np.ndarray

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, 0 to 1: the mean gap of the two, weighted by rows."""
        mask = self.num_rows > 0
        gaps = np.abs(self.mean_prediction[mask] - self.positive_share[mask])
        return float(np.average(gaps, weights=self.num_rows[mask])) if mask.any() else 0.0


def compute_reliability(
    labels: np.ndarray, predictions: np.ndarray, num_bins: int = NUM_BINS
) -> Reliability:
    """Sorts rows into bins of equal width by their prediction: (0, .1], (.1, .2] and so on.

    A prediction of 0 is in the first bin.
    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", 2015; Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
        labels: [n], 0 or 1.
        predictions: float [n], probabilities.
        num_bins: Number of bins.

    Example:
        >>> reliability = compute_reliability(np.array([0, 1, 1]), np.array([0.25, 0.25, 0.95]))
        >>> round(reliability.calibration_error, 4)
        0.1833
    """
    edges = np.linspace(0, 1, num_bins + 1)[1:-1]
    index = np.searchsorted(edges, predictions)
    num_rows = np.bincount(index, minlength=num_bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        return Reliability(
            np.bincount(index, predictions, minlength=num_bins) / num_rows,
            np.bincount(index, labels > 0.5, minlength=num_bins) / num_rows,
            num_rows,
        )
