"""Warm starts: students initialized from item-item scores without training, one family per file.

A family is a function ``generate_..._starts(teacher_scores, max_bytes)`` that yields students of at
most `max_bytes`, one for each setting worth trying. The caller selects the best one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kd_tf.distill.warm_start.fold_in import (
    generate_fold_in_residual_starts,
    generate_fold_in_starts,
)
from kd_tf.distill.warm_start.item_kernel import (
    generate_kernel_residual_starts,
    generate_kernel_starts,
)
from kd_tf.distill.warm_start.low_rank import (
    generate_low_rank_residual_starts,
    generate_low_rank_starts,
)
from kd_tf.distill.warm_start.neighbours import generate_neighbours_starts
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart

WARM_STARTS: dict[str, Callable[[TeacherItemScores, int], Iterator[WarmStart]]] = {
    "neighbours": generate_neighbours_starts,
    "fold-in": generate_fold_in_starts,
    "fold-in-residual": generate_fold_in_residual_starts,
    "low-rank": generate_low_rank_starts,
    "low-rank-residual": generate_low_rank_residual_starts,
    "item-kernel": generate_kernel_starts,
    "kernel-residual": generate_kernel_residual_starts,
}
"""The families by name. Fast ones come first: item kernels stop early if their screening fit is
far below the best student so far."""

__all__ = ["WARM_STARTS", "TeacherItemScores", "WarmStart"]
