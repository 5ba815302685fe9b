"""Candidates among which held-out items are ranked: the full catalog, or a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet
from kd_tf.errors import UserError

FULL, COLD = "full", "cold"
_MAX_KEYS_IN_MEMORY = 16_000_000


@dataclass(frozen=True)
class SampledCandidates:
    """Ranks held-out items among sampled negatives, items that the user has not seen.

    Sampled metrics are not comparable with those of a full ranking, and can reverse the order of
    two models: Krichene and Rendle, "On Sampled Metrics for Item Recommendation", 2020. They are
    here because many published results use them.

    Attributes:
        num_negatives: Number of unseen items to sample for each user, uniformly and without
            replacement; all of them where a user has fewer.
        seed: Seed of the samples. A user gets the same items for every model.

    Example:
        >>> str(SampledCandidates(499))
        'sampled:499'
        >>> parse_candidates("sampled:99")
        SampledCandidates(num_negatives=99, seed=42)
    """

    num_negatives: int
    seed: int = 42

    def __str__(self) -> str:
        return f"sampled:{self.num_negatives}"

    def draw(self, held_out: HeldOutSet, num_items: int) -> np.ndarray:
        """Samples negatives for each user.

        Args:
            held_out: The users. Items of their histories, targets and seen items are not sampled.
            num_items: V.

        Returns:
            int32 [n, num_negatives], ids in arbitrary order, 0 where no item remains.
        """
        num_users = len(held_out.histories)
        negatives = np.zeros((num_users, self.num_negatives), np.int32)
        width = min(self.num_negatives, num_items)
        rows = max(_MAX_KEYS_IN_MEMORY // (num_items + 1), 1)
        for start in range(0, num_users, rows):
            part = np.arange(start, min(start + rows, num_users))
            # One generator per block of rows, so that a sample depends only on the user's row.
            keys = np.random.default_rng([self.seed, start]).random(
                (len(part), num_items + 1), np.float32
            )
            keys[:, 0] = np.inf
            for histories in (held_out.histories, held_out.targets, held_out.seen_items):
                if histories is not None:
                    excluded_items = histories.take(part)
                    rows_of_items = np.repeat(np.arange(len(part)), excluded_items.lengths)
                    keys[rows_of_items, excluded_items.items] = np.inf
            lowest = np.argpartition(keys, width - 1, axis=1)[:, :width]
            lowest[np.take_along_axis(keys, lowest, axis=1) == np.inf] = 0
            negatives[part, :width] = lowest
        return negatives


def parse_candidates(text: str, seed: int = 42) -> SampledCandidates | None:
    """Parses ``full``, ``cold`` or ``sampled:N``.

    Args:
        text: For example ``sampled:499``.
        seed: Seed of the sample.

    Returns:
        The sample; None where nothing is sampled: all items, or all cold ones
        (`HeldOutSet.select_cold_items`), are ranked.

    Raises:
        UserError: `text` has another form.
    """
    if text in (FULL, COLD):
        return None
    method, _, number = text.partition(":")
    if method != "sampled" or not number.isascii() or not number.isdigit() or int(number) < 1:
        raise UserError(
            f"candidates must be full, cold or sampled:N, with N negatives per user, not {text!r}",
            hint="Use for example --candidates sampled:499.",
        )
    return SampledCandidates(int(number), seed)


def mask_other_items(scores: np.ndarray, candidate_items: np.ndarray) -> np.ndarray:
    """Sets the scores of all items but the candidates to NaN: float32 [b, V + 1].

    Args:
        scores: float32 [b, V + 1].
        candidate_items: int32 [c], ids.
    """
    masked_scores = np.full_like(scores, np.nan)
    masked_scores[:, candidate_items] = scores[:, candidate_items]
    return masked_scores


def mask_non_candidates(
    scores: np.ndarray, targets: Histories, negatives: np.ndarray
) -> np.ndarray:
    """Sets the scores of all items but targets and negatives to NaN.

    Args:
        scores: float32 [b, V + 1].
        targets: The held-out items of the b users.
        negatives: int32 [b, n] from `SampledCandidates.draw`, 0 is padding.

    Returns:
        float32 [b, V + 1].
    """
    rows = np.arange(len(scores))[:, None]
    masked_scores = np.full_like(scores, np.nan)
    masked_scores[rows, negatives] = scores[rows, negatives]
    target_index = np.repeat(rows[:, 0], targets.lengths), targets.items
    masked_scores[target_index] = scores[target_index]
    masked_scores[:, 0] = np.nan
    return masked_scores
