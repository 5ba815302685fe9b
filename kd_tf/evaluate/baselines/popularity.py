"""The same list for everyone: the most read books, without those that the reader knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.evaluate.top_k import check_ids


@dataclass(frozen=True)
class Popularity:
    """Ranks by the number of training readers; see `fit`.

    Attributes:
        order: int32 [V], all books, the most read first, equally read ones by id.
        name: How tables call it.
    """

    order: np.ndarray
    name: str = "popularity"

    @property
    def parameters(self) -> int:
        return len(self.order)

    @property
    def bytes(self) -> int:
        return self.order.nbytes

    def rank(self, histories: Histories, k: int) -> np.ndarray:
        """int32 [n, k], the most read books that are not in the history, zeros when none is left.

        Raises:
            ValueError: A history holds an id outside 1..V.
        """
        books = len(self.order)
        check_ids(histories, books)
        place = np.empty(books + 1, np.int64)
        place[self.order] = np.arange(books)
        # A list of k books needs no more than the head of the order: k and what is struck out.
        head = min(books, k + int(histories.lengths.max(initial=0)))
        reader = np.repeat(np.arange(len(histories)), histories.lengths)
        struck = place[histories.items]
        left = np.ones((len(histories), head), bool)
        left[reader[struck < head], struck[struck < head]] = False

        position = np.cumsum(left, axis=1) - 1
        row, column = np.nonzero(left & (position < k))
        ranked = np.zeros((len(histories), k), np.int32)
        ranked[row, position[row, column]] = self.order[column]
        return ranked


def fit(split: Split) -> Popularity:
    """Counts the training histories of `split`."""
    counts = split.popularity()[1:]
    return Popularity((np.argsort(-counts, kind="stable") + 1).astype(np.int32))
