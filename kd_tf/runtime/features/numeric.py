"""Features that are numbers: scaled, and whether one is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ScaledFeature:
    """A scaled number: ``(t(min(max(x, low), high)) - offset) / divisor``.

    t(x) is x, or with `log` the logarithm of both signs, ``sign(x) * log1p(|x|)``. All of it is
    computed in doubles and rounded to float32 at the end.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``number``.
        low: The least number of training; lower ones are taken for it.
        high: The largest number of training; higher ones are taken for it.
        offset: Is subtracted.
        divisor: Divides the difference; above 0.
        fill: The scaled number of a missing value.
        log: Whether the logarithm is taken.

    Example:
        >>> feature = ScaledFeature("price", "price", 0.0, 10.0, offset=4.0, divisor=2.0, fill=0.0)
        >>> feature.encode(np.array([6.0, 1e9, np.nan])).tolist()
        [1.0, 3.0, 0.0]
    """

    name: str
    column: str
    low: float
    high: float
    offset: float = 0.0
    divisor: float = 1.0
    fill: float = 0.0
    log: bool = False

    def encode(self, values: Any) -> np.ndarray:
        """Returns scaled numbers: float32 [n]."""
        numbers = np.minimum(np.maximum(values, self.low), self.high)
        if self.log:
            numbers = take_log(numbers)
        scaled_numbers = (numbers - self.offset) / self.divisor
        numbers = np.where(np.isnan(values), self.fill, scaled_numbers)
        return np.asarray(numbers, np.float32)


def take_log(numbers: np.ndarray) -> np.ndarray:
    """Returns logarithms of both signs: float64 [n]."""
    return np.asarray(np.sign(numbers) * np.log1p(np.abs(numbers)))


@dataclass(frozen=True)
class MissingFeature:
    """Whether a number is missing: 1 or 0.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``number``.

    Example:
        >>> MissingFeature("price:missing", "price").encode(np.array([6.0, np.nan])).tolist()
        [0.0, 1.0]
    """

    name: str
    column: str

    def encode(self, values: Any) -> np.ndarray:
        """Returns 1 where a number is missing and 0 elsewhere: float32 [n]."""
        return np.asarray(np.isnan(values), np.float32)
