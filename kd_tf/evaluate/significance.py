"""Whether one model is better than another, or the readers just fell that way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PairedComparison:
    """Model b against model a on the same readers.

    Attributes:
        difference: The mean of b - a; above 0 where b is better.
        standard_error: Of that mean: the standard deviation of the readers' differences (ddof
            1) over the root of their number.
        readers: How many readers both were measured on.
        p_value: Of the two-sided paired t-test: how likely a difference at least as large is
            between two equally good models. Where all readers differ by the same amount it is 1
            for no difference, else 0.
    """

    difference: float
    standard_error: float
    num_users: int
    p_value: float

    @property
    def t_statistic(self) -> float:
        """The difference in standard errors; beyond +-2 chance alone is an unlikely cause.

        Where all readers differ by the same amount the standard error is 0, and this is 0 for
        no difference, else infinite with its sign.
        """
        if self.standard_error == 0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error


def compare_paired(a: np.ndarray, b: np.ndarray) -> PairedComparison:
    """Compares two models reader by reader, which takes out how hard each reader is.

    Args:
        a: float [n], one metric of the first model, from `Evaluation.per_reader`.
        b: float [n], the same metric of the second, of the same readers in the same order.

    Raises:
        ValueError: The lengths differ, there are fewer than two readers, or a value is not finite.
    """
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            "two figures for each of at least two readers are needed, "
            f"not {list(a.shape)} and {list(b.shape)}"
        )
    differences = b.astype(np.float64) - a.astype(np.float64)
    if not np.isfinite(differences).all():
        raise ValueError("a figure is not finite")
    mean = float(differences.mean())
    alike = bool((differences == differences[0]).all())  # rounding must not make an error of it
    error = 0.0 if alike else float(differences.std(ddof=1) / math.sqrt(len(differences)))
    if error:
        p_value = float(2 * stats.t.sf(abs(mean) / error, len(differences) - 1))
    else:
        p_value = 0.0 if mean else 1.0
    return PairedComparison(mean, error, len(differences), p_value)


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for how many comparisons were made, so that few false ones are among them.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none falls below one before
    it, none exceeds 1. Comparisons that stay below .05 are all true with a chance of 95 %.
    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Args:
        p_values: One a comparison, in any order.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    found = np.empty(len(p_values))
    found[order] = adjusted
    return [float(value) for value in found]
