"""Features whose ids are combinations of values of several columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.runtime.features.categorical import FIRST_ID, hash_to_ids
from kd_tf.runtime.features.columns import ColumnValues

CROSS_SEPARATOR = "\x1f"
"""Stands between the values of a combination when it is hashed: U+001F, the unit separator."""


@dataclass(frozen=True)
class CrossFeature:
    """A combination of categories, hashed.

    The id is 2 plus the hash of the canonical texts, with `CROSS_SEPARATOR` between them, modulo
    the number of buckets; 0 where any of them is missing. Id 1 is never used. Crosses are what
    linear models lack: Cheng et al., "Wide & deep learning for recommender systems", 2016.

    Attributes:
        name: Name of the feature.
        columns: Its columns, of type ``category``, at least two.
        buckets: Number of buckets.

    Example:
        >>> feature = CrossFeature("device*hour", ("device", "hour"), 100)
        >>> feature.encode(["phone", "phone"], ["8", None]).tolist()
        [[70], [0]]
    """

    name: str
    columns: tuple[str, ...]
    buckets: int

    @property
    def num_ids(self) -> int:
        """Number of ids: missing, the unused 1, and one per bucket."""
        return FIRST_ID + self.buckets

    @property
    def num_values(self) -> int:
        """Number of places in a row."""
        return 1

    def encode(self, *values: ColumnValues) -> np.ndarray:
        """Returns ids of combinations of categories: int32 [n, 1]."""
        texts = [
            None if None in parts else CROSS_SEPARATOR.join(parts)
            for parts in zip(*values, strict=True)
        ]
        return hash_to_ids(texts, self.buckets)[:, None]
