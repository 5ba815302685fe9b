"""How good a setting is for the readers who choose."""

from __future__ import annotations

import copy

import numpy as np

from kd_tf.data.split import HeldOutSet
from kd_tf.evaluate.candidates import SampledCandidates, mask_non_candidates
from kd_tf.evaluate.evaluation import ScoreFn
from kd_tf.evaluate.metrics.ranking import compute_ranking_metrics
from kd_tf.evaluate.top_k import select_unseen_top_k

MAX_USERS = 2000
"""More would not choose better between settings, only slower."""

MAX_SCORES_IN_MEMORY = 8_000_000


class ValidationMetric:
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
        validation: HeldOutSet,
        num_items: int,
        candidates: SampledCandidates | None = None,
        *,
        max_users: int = MAX_USERS,
    ) -> None:
        rows = np.flatnonzero(validation.histories.lengths > 0)
        if len(rows) > max_users:
            rows = np.random.default_rng(0).permutation(rows)[:max_users]
        self.histories = validation.histories.take(rows)
        self.targets = validation.targets.take(rows)
        self._size = int(np.clip(MAX_SCORES_IN_MEMORY // (num_items + 1), 1, 512))
        self._negatives: np.ndarray | None = None
        if candidates is not None and len(rows):
            held_out = HeldOutSet(self.histories, self.targets, validation.users[rows])
            self._negatives = candidates.draw(held_out, num_items)

    def take_first(self, max_users: int) -> ValidationMetric:
        """The same with at most so many readers."""
        fewer = copy.copy(self)
        some = np.arange(min(max_users, len(self)))
        fewer.histories, fewer.targets = self.histories.take(some), self.targets.take(some)
        if self._negatives is not None:
            fewer._negatives = self._negatives[some]
        return fewer

    def __len__(self) -> int:
        """How many readers choose."""
        return len(self.histories)

    def __call__(self, score: ScoreFn) -> float:
        """NDCG@10 of `score`; 0 where nobody chooses."""
        found = self.evaluate_per_user(score)
        return float(found.mean()) if len(found) else 0.0

    def evaluate_per_user(self, score: ScoreFn) -> np.ndarray:
        """float64 [n], the same for each reader."""
        found = [np.empty(0)]
        for rows in self.batch_rows():
            found.append(self._compute_ndcg(score(self.histories.take(rows)), rows))
        return np.concatenate(found)

    def evaluate_scores(self, scores: np.ndarray) -> float:
        """NDCG@10 of scores that are there already: float32 [n, V + 1]."""
        found = [self._compute_ndcg(scores[rows], rows) for rows in self.batch_rows()]
        return float(np.concatenate(found).mean()) if found else 0.0

    def _compute_ndcg(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        histories, targets = self.histories.take(rows), self.targets.take(rows)
        if self._negatives is not None:
            scores = mask_non_candidates(scores, targets, self._negatives[rows])
            scores = np.where(np.isnan(scores), -np.inf, scores)
        return compute_ranking_metrics(select_unseen_top_k(scores, histories, 10), targets, [10])[
            "ndcg@10"
        ]

    def batch_rows(self) -> list[np.ndarray]:
        """The rows of the choosing readers, as many as are scored together."""
        return [
            np.arange(start, min(start + self._size, len(self)))
            for start in range(0, len(self), self._size)
        ]
