"""Features whose ids are values: by a vocabulary, or by a hash where there are too many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kd_tf.runtime.features.columns import ColumnValues
from kd_tf.runtime.features.hashing import hash_texts
from kd_tf.runtime.features.layout import MISSING_ID, UNKNOWN_ID

FIRST_ID = 2
"""Id of the first value or bucket: 0 is a missing value, 1 one that training has not seen."""


@dataclass(frozen=True)
class VocabularyFeature:
    """A category, or a list of categories, whose values training has seen.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``category``, or ``list`` if `max_values` is set.
        values: The canonical texts of the values; the first has the id 2.
        max_values: Number of places of a list, whose further values are cut off; None for a
            category.

    Example:
        >>> feature = VocabularyFeature("language", "language", ("en", "de"))
        >>> feature.encode(["de", None, "xx"]).tolist()
        [[3], [0], [1]]
        >>> VocabularyFeature("genres", "genres", ("a", "b"), 3).encode([("b", "z"), ()]).tolist()
        [[3, 1, 0], [0, 0, 0]]
    """

    name: str
    column: str
    values: tuple[str, ...]
    max_values: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def num_ids(self) -> int:
        """Number of ids: missing, unknown, and one per value."""
        return FIRST_ID + len(self.values)

    @property
    def num_values(self) -> int:
        """Number of places in a row."""
        return self.max_values or 1

    @cached_property
    def _ids(self) -> Mapping[str | None, int]:
        ids: dict[str | None, int] = {None: MISSING_ID}
        ids.update((value, number) for number, value in enumerate(self.values, FIRST_ID))
        return ids

    def encode(self, values: ColumnValues) -> np.ndarray:
        """Returns ids of categories or lists: int32 [n, num_values]."""
        return _encode_texts(values, self.max_values, self._look_up)

    def _look_up(self, texts: Any) -> np.ndarray:
        ids = self._ids
        return np.fromiter((ids.get(text, UNKNOWN_ID) for text in texts), np.int32, len(texts))


@dataclass(frozen=True)
class HashFeature:
    """A category, or a list of categories, with more values than a vocabulary should hold.

    The id of a value is 2 plus the hash of its canonical text modulo the number of buckets; see
    `kd_tf.runtime.features.hashing`. A value that training has not seen shares a bucket with
    others. Id 1 is never used. Weinberger et al., "Feature hashing for large scale multitask
    learning", 2009.

    Attributes:
        name: Name of the feature.
        column: Its column, of type ``category``, or ``list`` if `max_values` is set.
        buckets: Number of buckets.
        max_values: Number of places of a list, whose further values are cut off; None for a
            category.

    Example:
        >>> HashFeature("ad", "ad", 1000).encode(["foobar", None]).tolist()
        [[722], [0]]
    """

    name: str
    column: str
    buckets: int
    max_values: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def num_ids(self) -> int:
        """Number of ids: missing, the unused 1, and one per bucket."""
        return FIRST_ID + self.buckets

    @property
    def num_values(self) -> int:
        """Number of places in a row."""
        return self.max_values or 1

    def encode(self, values: ColumnValues) -> np.ndarray:
        """Returns ids of categories or lists: int32 [n, num_values]."""
        return _encode_texts(values, self.max_values, self._look_up)

    def _look_up(self, texts: Any) -> np.ndarray:
        return hash_to_ids(texts, self.buckets)


def hash_to_ids(texts: Any, buckets: int) -> np.ndarray:
    """Returns ids of texts by their hashes: int32 [n]; 0 where a text is None."""
    ids = np.full(len(texts), MISSING_ID, np.int32)
    places = [place for place, text in enumerate(texts) if text is not None]
    if places:
        hashes = hash_texts([texts[place] for place in places])
        ids[places] = FIRST_ID + (hashes % np.uint32(buckets)).astype(np.int32)
    return ids


def _encode_texts(
    values: Any, max_values: int | None, look_up: Callable[[Any], np.ndarray]
) -> np.ndarray:
    """Encodes categories, or lists that are cut off at `max_values`."""
    if max_values is None:
        return look_up(values)[:, None]
    lists = [texts[:max_values] for texts in values]
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    ids = np.full((len(lists), max_values), MISSING_ID, np.int32)
    ids[np.arange(max_values) < lengths[:, None]] = look_up(
        [text for texts in lists for text in texts]
    )
    return ids
