"""Whether one model is better than another, or the readers just fell that way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairedComparison:
    """Model b against model a on the same readers.

    Attributes:
        difference: The mean of b - a; above 0 where b is better.
        standard_error: Of that mean: the standard deviation of the readers' differences (ddof
            1) over the root of their number.
        readers: How many readers both were measured on.
    """

    difference: float
    standard_error: float
    readers: int

    @property
    def ratio(self) -> float:
        """The difference in standard errors; beyond +-2 chance alone is an unlikely cause.

        Where all readers differ by the same amount the standard error is 0, and this is 0 for
        no difference, else infinite with its sign.
        """
        if self.standard_error == 0:
            return math.copysign(math.inf, self.difference) if self.difference else 0.0
        return self.difference / self.standard_error


def paired_comparison(a: np.ndarray, b: np.ndarray) -> PairedComparison:
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
    return PairedComparison(
        difference=float(differences.mean()),
        standard_error=float(differences.std(ddof=1) / math.sqrt(len(differences))),
        readers=len(differences),
    )
