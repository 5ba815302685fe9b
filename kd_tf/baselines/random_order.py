"""The random baseline: a different random ranking for each history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluation.top_k import check_ids


@dataclass(frozen=True)
class RandomOrder:
    """Scores items by pseudo-random numbers in [0, 1); see `fit`.

    A score depends on the seed, the set of items in the history and the item only, so a user's
    ranking does not depend on the other users in the batch.

    Attributes:
        num_items: Number of items, V.
        seed: Seed of the scores.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> scores = RandomOrder(num_items=3, seed=42).score(from_lists([[1, 2], [2, 1], [3]]))
        >>> np.array_equal(scores[0], scores[1])  # the order of the history does not matter
        True
    """

    num_items: int
    seed: int
    name: str = "random"

    @property
    def num_parameters(self) -> int:
        """0: nothing is learned."""
        return 0

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        return 0

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1], -inf for padding."""
        check_ids(histories, self.num_items)
        rows = np.repeat(np.arange(len(histories)), histories.lengths)
        history_hash = np.full(len(histories), self.seed, np.uint64)
        # A sum does not depend on the order of the history.
        np.add.at(history_hash, rows, _mix_bits(histories.items.astype(np.uint64)))
        item_hash = _mix_bits(np.arange(self.num_items + 1, dtype=np.uint64))
        mixed_bits = _mix_bits(_mix_bits(history_hash)[:, None] ^ item_hash)
        # A float32 below 1 holds 24 bits exactly.
        scores = (mixed_bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        scores[:, 0] = -np.inf
        return scores


def fit(split: Split) -> RandomOrder:
    """Creates the baseline with the seed of `split`; there is nothing to fit."""
    return RandomOrder(split.num_items, split.seed)


def _mix_bits(values: np.ndarray) -> np.ndarray:
    """Mixes the bits of uint64 values: every output bit depends on every input bit.

    This is the finalizer of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014.
    """
    mixed_bits = values + np.uint64(0x9E3779B97F4A7C15)
    mixed_bits = (mixed_bits ^ (mixed_bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed_bits = (mixed_bits ^ (mixed_bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed_bits ^ (mixed_bits >> np.uint64(31))
