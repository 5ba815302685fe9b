"""Item neighbours: the most important item-item weights that fit into the bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import sparse

from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.local_ridge import refit
from kd_tf.models.closed_form.sparsify import Side, keep_top_weights
from kd_tf.models.students.neighbours import NeighboursStudent, compute_max_entries, truncate_rows
from kd_tf.models.teachers.local_ridge import NUM_NEIGHBOURS, LocalRidgeTeacher

Shape = TypeVar("Shape")

SIDES: tuple[Side, ...] = ("history", "candidate")
"""Whether the top weights are kept per history item (row) or per candidate item (column)."""

MAX_ITEMS_FOR_SALIENCY = 300_000
"""Above this catalog size, saliency pruning is skipped: with a million items it needs 2 GB more
and as long as all other warm starts together."""


def has_room_for_neighbours(num_items: int, max_bytes: int) -> bool:
    """Says whether one weight per item fits into `max_bytes`."""
    return compute_max_entries(num_items, max_bytes) >= num_items


def list_splits(
    num_items: int,
    max_bytes: int,
    fractions: Sequence[float],
    choose_shape: Callable[[int, int], Shape | None],
    count_bytes: Callable[[int, Shape], int],
) -> list[tuple[Shape, int]]:
    """Lists the shapes of another model that leave room for neighbours beside it.

    Args:
        num_items: V.
        max_bytes: For both.
        fractions: Shares of the bytes for the other model.
        choose_shape: Chooses its shape from V and the bytes; nothing where none fits.
        count_bytes: Counts its bytes from V and the shape.

    Returns:
        Each shape, and the bytes that it leaves.
    """
    shapes = (choose_shape(num_items, int(max_bytes * fraction)) for fraction in fractions)
    splits = ((shape, max_bytes - count_bytes(num_items, shape)) for shape in shapes if shape)
    return [(shape, rest) for shape, rest in splits if has_room_for_neighbours(num_items, rest)]


def generate_neighbours_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields a neighbours student for each selection rule, if one weight per item fits."""
    if not has_room_for_neighbours(teacher_scores.data.train.num_items, max_bytes):
        return
    for rule in _list_selection_rules(teacher_scores):
        yield rule.make_start(teacher_scores, max_bytes)


def select_best_neighbours(teacher_scores: TeacherItemScores, max_bytes: int) -> WarmStart | None:
    """Makes the neighbours student with the best validation NDCG, as a part of an ensemble.

    The selection rule is chosen once and cached: the best rule differs between data sets, but
    hardly between byte budgets.

    Returns:
        The student; None if not even one weight per item fits into `max_bytes`.
    """
    if not has_room_for_neighbours(teacher_scores.data.train.num_items, max_bytes):
        return None

    def select_rule() -> _SelectionRule:
        return max(
            _list_selection_rules(teacher_scores),
            key=lambda rule: teacher_scores.data.validation_metric(
                make_score_fn(rule.make_start(teacher_scores, max_bytes).model)
            ),
        )

    return teacher_scores.get_or_compute("best neighbours", select_rule).make_start(
        teacher_scores, max_bytes
    )


@dataclass(frozen=True)
class _SelectionRule:
    """A rule for selecting weights.

    Keeps the top weights of `item_item_scores` by `side`, or without scores prunes the local ridge
    by saliency.
    """

    name: str
    item_item_scores: sparse.csr_array | None = None
    side: Side = "history"

    def make_start(self, teacher_scores: TeacherItemScores, max_bytes: int) -> WarmStart:
        """Makes the neighbours student of at most `max_bytes`."""
        num_items = teacher_scores.data.train.num_items
        num_entries = compute_max_entries(num_items, max_bytes)
        if self.item_item_scores is None:
            width = num_entries // num_items
            matrix = prune_by_saliency(
                teacher_scores, num_entries - width * teacher_scores.num_new_items
            )
            matrix = teacher_scores.add_new_items(matrix, width)
            description = f"local ridge, {num_entries} weights in all"
        else:
            width = num_entries // num_items
            matrix = keep_top_weights(self.item_item_scores, width, self.side)
            description = f"{self.name} scores, {width} weights per {self.side} item"
        matrix = truncate_rows(matrix)
        model = NeighboursStudent.from_matrix(
            matrix,
            max_length=teacher_scores.data.max_length,
            prior=teacher_scores.compute_prior(matrix),
        )
        return WarmStart("neighbours", description, model)


def _list_selection_rules(teacher_scores: TeacherItemScores) -> list[_SelectionRule]:
    matrices = list(teacher_scores.item_item_score_sources)
    if teacher_scores.teacher is not None and not isinstance(
        teacher_scores.teacher, LocalRidgeTeacher
    ):
        matrices = [
            (name, matrix) for name, matrix in matrices if not name.startswith("LocalRidge")
        ]
        ridge_matrix = teacher_scores.ridge[0].to_matrix()
        matrices.append(("local ridge", teacher_scores.add_new_items(ridge_matrix, NUM_NEIGHBOURS)))
    rules = [_SelectionRule(name, matrix, side) for name, matrix in matrices for side in SIDES]
    if (
        teacher_scores.teacher is None
        or teacher_scores.data.train.num_items > MAX_ITEMS_FOR_SALIENCY
    ):
        return rules
    return [*rules, _SelectionRule("saliency")]


def prune_by_saliency(teacher_scores: TeacherItemScores, num_entries: int) -> sparse.csr_array:
    """Prunes the local ridge to `num_entries` weights in all: the least salient ones are removed.

    The number of weights differs by item: an item that one neighbour explains keeps one, another
    keeps twenty. Each item's remaining weights are then fitted again.

    Returns:
        float32 CSR [V + 1, V + 1].
    """
    ridge, co_occurrences, regularization = teacher_scores.ridge
    saliency = teacher_scores.saliency
    threshold = 0.0
    if num_entries < saliency.size:
        threshold = max(
            float(np.partition(saliency, -num_entries - 1, axis=None)[-num_entries - 1]), 0.0
        )
    # Strictly above the largest saliency that does not fit: of equal weights none is kept, so that
    # the result does not depend on their order.
    neighbours = np.where(saliency > threshold, ridge.neighbours, 0)
    pruned_ridge = refit(
        co_occurrences,
        neighbours,
        regularization=regularization,
        progress=teacher_scores.data.progress,
    )
    return pruned_ridge.to_matrix()
