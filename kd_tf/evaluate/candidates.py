"""Which books a reader's held-out ones are ranked among: all, or a drawn sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet
from kd_tf.errors import UserError

FULL = "full"
_MAX_KEYS_IN_MEMORY = 16_000_000


@dataclass(frozen=True)
class SampledCandidates:
    """Held-out books are ranked among `negatives` books that the reader did not read.

    The figures do not compare with those of a full ranking, and can order two models the other
    way round: Krichene and Rendle, "On Sampled Metrics for Item Recommendation", 2020. They are
    here because many published figures are measured so.

    Attributes:
        negatives: How many unread books are drawn for each reader, all alike, none twice; where
            a reader has fewer unread books, all of those.
        seed: Draws them. The same readers get the same books for every model.
    """

    num_negatives: int
    seed: int = 42

    def __str__(self) -> str:
        return f"sampled:{self.num_negatives}"

    def draw(self, held_out: HeldOutSet, num_items: int) -> np.ndarray:
        """int32 [n, negatives], ids in no order that means anything, 0 where none is left.

        Args:
            held_out: Readers; the books of their histories, targets and `also_read` are not drawn.
            books: V.
        """
        users = len(held_out.histories)
        drawn = np.zeros((users, self.num_negatives), np.int32)
        width = min(self.num_negatives, num_items)
        rows = max(_MAX_KEYS_IN_MEMORY // (num_items + 1), 1)
        for start in range(0, users, rows):
            part = np.arange(start, min(start + rows, users))
            # One generator a block of rows: what a reader gets depends on nothing but its place.
            keys = np.random.default_rng([self.seed, start]).random(
                (len(part), num_items + 1), np.float32
            )
            keys[:, 0] = np.inf
            for known in (held_out.histories, held_out.targets, held_out.seen_items):
                if known is not None:
                    some = known.take(part)
                    keys[np.repeat(np.arange(len(part)), some.lengths), some.items] = np.inf
            lowest = np.argpartition(keys, width - 1, axis=1)[:, :width]
            lowest[np.take_along_axis(keys, lowest, axis=1) == np.inf] = 0
            drawn[part, :width] = lowest
        return drawn


def parse_candidates(text: str, seed: int = 42) -> SampledCandidates | None:
    """What ``full`` or ``sampled:499`` means; None for the full ranking.

    Args:
        text: One of both.
        seed: Draws the sample.

    Raises:
        UserError: It is neither.
    """
    if text == FULL:
        return None
    kind, _, number = text.partition(":")
    if kind != "sampled" or not number.isascii() or not number.isdigit() or int(number) < 1:
        raise UserError(
            f"candidates must be full or sampled:N with N negatives, not {text!r}",
            hint="For example --candidates sampled:499.",
        )
    return SampledCandidates(int(number), seed)


def mask_non_candidates(
    scores: np.ndarray, targets: Histories, negatives: np.ndarray
) -> np.ndarray:
    """The scores of the held-out and the drawn books; all others are NaN.

    Args:
        scores: float32 [b, V + 1].
        targets: The b readers' held-out books.
        negatives: int32 [b, n] from `SampledCandidates.draw`, 0 where none is left.

    Returns:
        float32 [b, V + 1].
    """
    rows = np.arange(len(scores))[:, None]
    kept = np.full_like(scores, np.nan)
    kept[rows, negatives] = scores[rows, negatives]
    held = np.repeat(rows[:, 0], targets.lengths), targets.items
    kept[held] = scores[held]
    kept[:, 0] = np.nan
    return kept
