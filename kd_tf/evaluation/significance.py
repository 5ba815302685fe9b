"""Paired significance tests between two models on the same users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class PairedComparison:
    """The comparison of model b with model a on the same users.

    Attributes:
        difference: Mean of b - a; above 0 where b is better.
        standard_error: Standard error of that mean: the standard deviation (ddof 1) of the users'
            differences over the square root of their number.
        num_users: Number of users on which both were evaluated; of predictions whose users are not
            known, of rows.
        p_value: p-value of the two-sided paired t-test: the probability of a difference at least
            as large between two equally good models. See `compute_p_value`.

    Example:
        >>> import numpy as np
        >>> comparison = compare_paired(np.array([0.1, 0.2, 0.3]), np.array([0.2, 0.4, 0.3]))
        >>> f"{comparison.difference:.2f} +- {comparison.standard_error:.3f}"
        '0.10 +- 0.058'
        >>> f"t = {comparison.t_statistic:.2f}, p = {comparison.p_value:.2f}"
        't = 1.73, p = 0.23'
    """

    difference: float
    standard_error: float
    num_users: int
    p_value: float

    @property
    def t_statistic(self) -> float:
        """The difference in standard errors; beyond +-2 it is unlikely to be chance.

        Where all users have the same difference, the standard error is 0, and this is 0 for a
        difference of 0, else infinite with the sign of the difference.
        """
        if self.standard_error == 0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error


def compare_paired(a: np.ndarray, b: np.ndarray) -> PairedComparison:
    """Compares two models user by user, which removes the variance between users.

    Args:
        a: float [n], one metric of the first model, from `Evaluation.per_user`.
        b: float [n], the same metric of the second model, same users in the same order.

    Raises:
        ValueError: The lengths differ, there are fewer than two users, or a value is not finite.
    """
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            "a comparison needs one value per model for each of at least two users, "
            f"not {list(a.shape)} and {list(b.shape)}"
        )
    differences = b.astype(np.float64) - a.astype(np.float64)
    if not np.isfinite(differences).all():
        raise ValueError("a metric value is not finite")
    mean = float(differences.mean())
    # Equal differences have an error of exactly 0, which rounding would hide.
    is_constant = bool((differences == differences[0]).all())
    error = 0.0 if is_constant else float(differences.std(ddof=1) / math.sqrt(len(differences)))
    p_value = compute_p_value(mean, error, len(differences))
    return PairedComparison(mean, error, len(differences), p_value)


def compute_p_value(difference: float, standard_error: float, num_users: int) -> float:
    """Computes the p-value of a two-sided paired t-test.

    A t-test knows no error where all users have the same difference. Then the p-value is that of
    the sign test, 2 / 2^n: so often n coins fall alike. It is 1 for a difference of 0.

    Args:
        difference: Mean difference.
        standard_error: Standard error of that mean.
        num_users: Number of users, at least two.

    Example:
        >>> compute_p_value(0.1, 0.0, 2), compute_p_value(0.1, 0.0, 6)
        (0.5, 0.03125)
    """
    if standard_error:
        return float(2 * stats.t.sf(abs(difference) / standard_error, num_users - 1))
    return float(2.0 ** (1 - num_users)) if difference else 1.0


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for multiple comparisons with the Holm method.

    The smallest of m p-values is multiplied by m, the next by m - 1 and so on; none is below the
    one before it, none above 1. With 95 % probability, all differences with an adjusted p-value
    below 0.05 are real.
    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Args:
        p_values: One p-value per comparison, in any order.

    Returns:
        The adjusted p-values, in the same order.

    Example:
        >>> adjust_p_values([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted_p_values = np.minimum(
        np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0
    )
    result = np.empty(len(p_values))
    result[order] = adjusted_p_values
    return [float(value) for value in result]
