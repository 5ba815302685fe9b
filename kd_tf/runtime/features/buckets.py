"""Features whose ids are ranges of a number, which linear models need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kd_tf.runtime.features.categorical import FIRST_ID
from kd_tf.runtime.features.layout import MISSING_ID


@dataclass(frozen=True)
class BucketFeature:
    """The range that a number is in.

    The id is 2 plus the number of boundaries that are not above the number, 0 where it is missing.
    Id 1 is never used.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``number``.
        boundaries: Where a new range begins, ascending.

    Example:
        >>> feature = BucketFeature("price:bucket", "price", (10.0, 20.0))
        >>> feature.encode(np.array([9.9, 10.0, 25.0, np.nan])).tolist()
        [[2], [3], [4], [0]]
    """

    name: str
    column: str
    boundaries: tuple[float, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def num_ids(self) -> int:
        """Number of ids: missing, the unused 1, and one per range."""
        return FIRST_ID + len(self.boundaries) + 1

    @property
    def num_values(self) -> int:
        """Number of places in a row."""
        return 1

    @cached_property
    def _boundaries(self) -> np.ndarray:
        return np.array(self.boundaries, np.float64)

    def encode(self, values: Any) -> np.ndarray:
        """Returns ids of numbers: int32 [n, 1]."""
        ids = FIRST_ID + np.searchsorted(self._boundaries, values, side="right")
        return np.where(np.isnan(values), MISSING_ID, ids).astype(np.int32)[:, None]
