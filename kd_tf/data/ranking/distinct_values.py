"""Numbers the distinct texts of a column while it is read, in little memory."""

from __future__ import annotations

import numpy as np
import polars as pl

_SEED = 20_240_229


class DistinctValues:
    """Gives every distinct text of a column a code: 0, 1, 2, ... in the order of appearance.

    A text is known by a hash of 64 bits: 10 million texts need 120 MB beside the texts themselves,
    where a dict of Python needs ten times as much. Two of 10 million texts share a hash with a
    probability of 3 in a million.

    Example:
        >>> values = DistinctValues()
        >>> values.add(pl.Series(["b", "a", None, "b"])).tolist()
        [0, 1, -1, 0]
        >>> values.add(pl.Series(["c", "a"])).tolist(), values.join_texts().to_list()
        ([2, 1], ['b', 'a', 'c'])
    """

    def __init__(self) -> None:
        self._hashes = np.empty(0, np.uint64)
        self._codes = np.empty(0, np.int32)
        self._texts: list[pl.Series] = []

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, texts: pl.Series) -> np.ndarray:
        """Returns the codes of texts: int32 [n], -1 where one is null."""
        is_missing = texts.is_null().to_numpy()
        hashes, first_places, inverse = np.unique(
            texts.hash(_SEED).to_numpy(), return_index=True, return_inverse=True
        )
        # A hash of null is a hash like others: its code is never used.
        places = np.minimum(np.searchsorted(self._hashes, hashes), max(len(self) - 1, 0))
        is_new = self._hashes[places] != hashes if len(self) else np.ones(len(hashes), bool)
        is_new &= ~is_missing[first_places]
        codes = np.full(len(hashes), -1, np.int32)
        if len(self):
            codes[~is_new] = self._codes[places[~is_new]]
        new = np.flatnonzero(is_new)
        if len(new):
            new = new[np.argsort(first_places[new])]
            codes[new] = len(self) + np.arange(len(new), dtype=np.int32)
            self._texts.append(texts.gather(first_places[new]))
            new.sort()
            positions = np.searchsorted(self._hashes, hashes[new])
            self._codes = np.insert(self._codes, positions, codes[new])
            self._hashes = np.insert(self._hashes, positions, hashes[new])
        return np.where(is_missing, np.int32(-1), codes[inverse])

    def join_texts(self) -> pl.Series:
        """Returns the texts in the order of their codes: String [number of codes]."""
        if not self._texts:
            return pl.Series([], dtype=pl.String)
        self._texts = [pl.concat(self._texts)]
        return self._texts[0]
