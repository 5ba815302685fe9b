"""NDCG@10 on the validation users, used to select hyperparameters."""

from __future__ import annotations

import copy

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet
from kd_tf.evaluation.candidates import SampledCandidates, mask_non_candidates
from kd_tf.evaluation.evaluate import ScoreFn
from kd_tf.evaluation.metrics.ranking import compute_ranking_metrics
from kd_tf.evaluation.top_k import select_unseen_top_k

MAX_USERS = 2000
"""Maximum number of validation users; more make selection slower, not better."""

MAX_SCORES_IN_MEMORY = 8_000_000
"""Maximum number of scores in a batch: 32 MB of float32."""

NUM_STANDARD_ERRORS = 2.0
"""How many standard errors of the mean a gain in NDCG@10 must have to be more than chance."""


def is_clear_gain(gains: np.ndarray) -> bool:
    """Checks whether a mean gain is more than chance, by its standard error.

    Args:
        gains: float64 [n], the gain of each validation user.

    Example:
        >>> is_clear_gain(np.array([0.1, 0.2, 0.1])), is_clear_gain(np.array([0.3, -0.2, 0.0]))
        (True, False)
    """
    return bool(gains.mean() > NUM_STANDARD_ERRORS * gains.std() / np.sqrt(len(gains)))


class ValidationMetric:
    """Mean NDCG@10 of the validation users, as a function of a score function.

    Skips users without a history, for whom all settings give the same list. Where a protocol hides
    items from training (`HeldOutSet.cold_items`), half of the metric of a user with cold targets is
    the NDCG@10 of these among the cold items alone: in a list of all items they hardly count.

    Args:
        validation: The validation users.
        num_items: V.
        candidates: Sampled candidates to rank the held-out items among; None for the full catalog.
        max_users: Maximum number of users. More are sampled at random, the same ones every time:
            the first users of a file are often the oldest accounts, and not representative.

    Attributes:
        histories: Input histories of the selected users.
        targets: Held-out items of the same users.

    Example:
        >>> import numpy as np
        >>> from kd_tf.data.histories import from_lists
        >>> from kd_tf.data.split import HeldOutSet
        >>> validation = HeldOutSet(from_lists([[1], [2]]), from_lists([[3], [1]]), np.arange(2))
        >>> metric = ValidationMetric(validation, num_items=3)
        >>> len(metric)
        2
        >>> metric(lambda histories: np.tile(np.float32([0, 1, 2, 3]), (len(histories), 1)))
        0.8154648767857288
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
        self._batch_size = int(np.clip(MAX_SCORES_IN_MEMORY // (num_items + 1), 1, 512))
        self._cold_items = validation.cold_items
        self._is_candidate: np.ndarray | None = None
        if validation.candidate_items is not None:
            self._is_candidate = np.zeros(num_items + 1, bool)
            self._is_candidate[validation.candidate_items] = True
        self._negatives: np.ndarray | None = None
        if candidates is not None and len(rows):
            held_out = HeldOutSet(self.histories, self.targets, validation.users[rows])
            self._negatives = candidates.draw(held_out, num_items)

    def take_first(self, max_users: int) -> ValidationMetric:
        """Returns the same metric on the first `max_users` users only."""
        result = copy.copy(self)
        rows = np.arange(min(max_users, len(self)))
        result.histories, result.targets = self.histories.take(rows), self.targets.take(rows)
        if self._negatives is not None:
            result._negatives = self._negatives[rows]
        return result

    def __len__(self) -> int:
        """Returns the number of users."""
        return len(self.histories)

    def __call__(self, score: ScoreFn) -> float:
        """Computes the mean NDCG@10 of a score function; 0 without users."""
        ndcg = self.evaluate_per_user(score)
        return float(ndcg.mean()) if len(ndcg) else 0.0

    def evaluate_per_user(self, score: ScoreFn) -> np.ndarray:
        """Computes the NDCG@10 of each user, float64 [n]."""
        ndcg = [np.empty(0)]
        for rows in self.batch_rows():
            ndcg.append(self._compute_ndcg(score(self.histories.take(rows)), rows))
        return np.concatenate(ndcg)

    def evaluate_scores(self, scores: np.ndarray) -> float:
        """Computes the mean NDCG@10 of precomputed scores, float32 [n, V + 1]; 0 without users."""
        ndcg = self.evaluate_scores_per_user(scores)
        return float(ndcg.mean()) if len(ndcg) else 0.0

    def evaluate_scores_per_user(self, scores: np.ndarray) -> np.ndarray:
        """Computes the NDCG@10 of each user from precomputed scores [n, V + 1]: float64 [n]."""
        ndcg = [self._compute_ndcg(scores[rows], rows) for rows in self.batch_rows()]
        return np.concatenate([np.empty(0), *ndcg])

    def _compute_ndcg(self, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Computes the NDCG@10 of some users from their scores, float32 [len(rows), V + 1]."""
        histories, targets = self.histories.take(rows), self.targets.take(rows)
        if self._negatives is not None:
            scores = mask_non_candidates(scores, targets, self._negatives[rows])
            scores = np.where(np.isnan(scores), -np.inf, scores)
        elif self._is_candidate is not None:
            scores = np.where(self._is_candidate, scores, np.float32(-np.inf))
        ndcg = _compute_ndcg_of_scores(scores, histories, targets)
        if self._cold_items is None:
            return ndcg
        cold_targets = targets.keep(np.isin(targets.items, self._cold_items))
        rows = np.flatnonzero(cold_targets.lengths)
        cold_scores = np.full((len(rows), scores.shape[1]), -np.inf, np.float32)
        cold_scores[:, self._cold_items] = scores[np.ix_(rows, self._cold_items)]
        cold_ndcg = _compute_ndcg_of_scores(
            cold_scores, histories.take(rows), cold_targets.take(rows)
        )
        ndcg[rows] = (ndcg[rows] + cold_ndcg) / 2
        return ndcg

    def batch_rows(self) -> list[np.ndarray]:
        """Splits the user rows into batches to score together."""
        return [
            np.arange(start, min(start + self._batch_size, len(self)))
            for start in range(0, len(self), self._batch_size)
        ]


def _compute_ndcg_of_scores(
    scores: np.ndarray, histories: Histories, targets: Histories
) -> np.ndarray:
    """Computes the NDCG@10 of users from their scores, float32 [n, V + 1]: float64 [n]."""
    ranked_items = select_unseen_top_k(scores, histories, 10)
    return compute_ranking_metrics(ranked_items, targets, [10])["ndcg@10"]
