"""No model at all: books in an order that is drawn anew for each history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.top_k import check_ids


@dataclass(frozen=True)
class RandomOrder:
    """Scores in [0, 1) that look drawn, but depend on seed, history and book alone.

    So a reader's list is the same whoever else is scored with them.

    Attributes:
        books: V.
        seed: Draws the scores.
        name: How tables call it.
    """

    num_items: int
    seed: int
    name: str = "random"

    @property
    def num_parameters(self) -> int:
        return 0

    @property
    def num_bytes(self) -> int:
        return 0

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1]."""
        check_ids(histories, self.num_items)
        rows = np.repeat(np.arange(len(histories)), histories.lengths)
        of_history = np.full(len(histories), self.seed, np.uint64)
        # A sum does not mind the order of the history.
        np.add.at(of_history, rows, _mix_bits(histories.items.astype(np.uint64)))
        of_item = _mix_bits(np.arange(self.num_items + 1, dtype=np.uint64))
        mixed = _mix_bits(_mix_bits(of_history)[:, None] ^ of_item)
        # 24 bits are what a float32 below 1 holds exactly.
        drawn = (mixed >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        drawn[:, 0] = -np.inf
        return drawn


def fit(split: Split) -> RandomOrder:
    """Takes the seed of `split`."""
    return RandomOrder(split.num_items, split.seed)


def _mix_bits(values: np.ndarray) -> np.ndarray:
    """uint64 -> uint64, every bit of the result depends on every bit of the value.

    The finalizer of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014.
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
