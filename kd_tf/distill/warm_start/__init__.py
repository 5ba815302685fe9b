"""Warm starts: students initialized from item-item scores without training, one family per file.

The caller selects the best of a family's students, or of all families.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kd_tf.distill.warm_start.fold_in import (
    generate_fold_in_residual_starts,
    generate_fold_in_starts,
    has_room_for_fold_in,
    has_room_for_fold_in_residual,
)
from kd_tf.distill.warm_start.item_kernel import (
    generate_kernel_residual_starts,
    generate_kernel_starts,
    has_room_for_kernel,
    has_room_for_kernel_residual,
)
from kd_tf.distill.warm_start.low_rank import (
    generate_low_rank_residual_starts,
    generate_low_rank_starts,
    has_room_for_low_rank,
    has_room_for_low_rank_residual,
)
from kd_tf.distill.warm_start.neighbours import generate_neighbours_starts, has_room_for_neighbours
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart

MAX_MIN_BYTES = 2**40
"""A family that does not fit into this many bytes cannot hold the catalog at all."""


@dataclass(frozen=True)
class WarmStartFamily:
    """The students of one architecture.

    Attributes:
        has_room: Says whether a student for so many items fits into so many bytes.
        generate: Yields students of at most so many bytes, one for each setting worth trying;
            none where none fits.
    """

    has_room: Callable[[int, int], bool]
    generate: Callable[[TeacherItemScores, int], Iterator[WarmStart]]

    def compute_min_bytes(self, num_items: int) -> int | None:
        """Computes the least bytes into which a student fits; None if no number is enough.

        Example:
            >>> WARM_STARTS["low-rank"].compute_min_bytes(999)
            4024
        """
        low, high = 0, 1024
        while not self.has_room(num_items, high):
            if high > MAX_MIN_BYTES:
                return None
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.has_room(num_items, middle) else (middle, high)
        return high


WARM_STARTS = {
    "neighbours": WarmStartFamily(has_room_for_neighbours, generate_neighbours_starts),
    "fold-in": WarmStartFamily(has_room_for_fold_in, generate_fold_in_starts),
    "fold-in-residual": WarmStartFamily(
        has_room_for_fold_in_residual, generate_fold_in_residual_starts
    ),
    "low-rank": WarmStartFamily(has_room_for_low_rank, generate_low_rank_starts),
    "low-rank-residual": WarmStartFamily(
        has_room_for_low_rank_residual, generate_low_rank_residual_starts
    ),
    "item-kernel": WarmStartFamily(has_room_for_kernel, generate_kernel_starts),
    "kernel-residual": WarmStartFamily(
        has_room_for_kernel_residual, generate_kernel_residual_starts
    ),
}
"""The families by name. Fast ones come first: item kernels stop early if their screening fit is
far below the best student so far."""

__all__ = ["WARM_STARTS", "TeacherItemScores", "WarmStart", "WarmStartFamily"]
