"""What a model of the ranking task predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

LabelKind = Literal["click", "rating"]


@dataclass(frozen=True)
class Label:
    """What a model predicts.

    Models work with labels from 0 to 1: a click is 0 or 1, a rating is scaled from its range.

    Attributes:
        name: Name of the label's column.
        kind: ``click`` where there are two values, ``rating`` where there are more.
        low: The value that is 0 for models.
        high: The value that is 1 for models.

    Example:
        >>> label = Label("stars", "rating", low=1.0, high=5.0)
        >>> label.scale(np.array([1.0, 2.0, 5.0])).tolist(), label.unscale(np.array([0.5])).tolist()
        ([0.0, 0.25, 1.0], [3.0])
    """

    name: str
    kind: LabelKind
    low: float = 0.0
    high: float = 1.0

    def scale(self, values: np.ndarray) -> np.ndarray:
        """Returns labels from 0 to 1, float32 [n], of values as the table has them."""
        return ((values - self.low) / (self.high - self.low)).astype(np.float32)

    def unscale(self, labels: np.ndarray) -> np.ndarray:
        """Returns values as the table has them of labels or probabilities from 0 to 1."""
        return self.low + labels * (self.high - self.low)
