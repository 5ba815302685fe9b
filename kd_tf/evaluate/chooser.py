"""How good a setting is for the readers who choose."""

from __future__ import annotations

import copy

import numpy as np

from kd_tf.data.split import HeldOut
from kd_tf.evaluate.candidates import SampledCandidates, only_candidates
from kd_tf.evaluate.metrics.ranked import per_reader
from kd_tf.evaluate.protocol import Scorer
from kd_tf.evaluate.top_k import top_k_excluding

READERS = 2000
"""More would not choose better between settings, only slower."""

SCORES_AT_ONCE = 8_000_000


class Chooser:
    """Mean NDCG@10 of validation readers, as a function of a scorer.

    Readers without a history are passed over: no setting makes a difference to them.

    Args:
        validation: Who chooses.
        books: V.
        candidates: What their held-out books are ranked among; None is the whole catalogue.
        readers: At most so many choose, drawn at random and the same every time: readers often
            stand in the order in which they joined, and the first ones are not like the others.
    """

    def __init__(
        self,
        validation: HeldOut,
        books: int,
        candidates: SampledCandidates | None = None,
        *,
        readers: int = READERS,
    ) -> None:
        rows = np.flatnonzero(validation.histories.lengths > 0)
        if len(rows) > readers:
            rows = np.random.default_rng(0).permutation(rows)[:readers]
        self.histories = validation.histories.take(rows)
        self.targets = validation.targets.take(rows)
        self._size = int(np.clip(SCORES_AT_ONCE // (books + 1), 1, 512))
        self._negatives: np.ndarray | None = None
        if candidates is not None and len(rows):
            held_out = HeldOut(self.histories, self.targets, validation.readers[rows])
            self._negatives = candidates.draw(held_out, books)

    def first(self, readers: int) -> Chooser:
        """The same with at most so many readers."""
        fewer = copy.copy(self)
        some = np.arange(min(readers, len(self)))
        fewer.histories, fewer.targets = self.histories.take(some), self.targets.take(some)
        if self._negatives is not None:
            fewer._negatives = self._negatives[some]
        return fewer

    def __len__(self) -> int:
        """How many readers choose."""
        return len(self.histories)

    def __call__(self, score: Scorer) -> float:
        """NDCG@10 of `score`; 0 where nobody chooses."""
        found = self.per_reader(score)
        return float(found.mean()) if len(found) else 0.0

    def per_reader(self, score: Scorer) -> np.ndarray:
        """float64 [n], the same for each reader."""
        found = [np.empty(0)]
        for rows in self.batches():
            found.append(self._ndcg(score(self.histories.take(rows)), rows))
        return np.concatenate(found)

    def of_scores(self, scores: np.ndarray) -> float:
        """NDCG@10 of scores that are there already: float32 [n, V + 1]."""
        found = [self._ndcg(scores[rows], rows) for rows in self.batches()]
        return float(np.concatenate(found).mean()) if found else 0.0

    def _ndcg(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        histories, targets = self.histories.take(rows), self.targets.take(rows)
        if self._negatives is not None:
            scores = only_candidates(scores, targets, self._negatives[rows])
            scores = np.where(np.isnan(scores), -np.inf, scores)
        return per_reader(top_k_excluding(scores, histories, 10), targets, [10])["ndcg@10"]

    def batches(self) -> list[np.ndarray]:
        """The rows of the choosing readers, as many as are scored together."""
        return [
            np.arange(start, min(start + self._size, len(self)))
            for start in range(0, len(self), self._size)
        ]
