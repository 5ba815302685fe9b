"""Neighbours: the weights that matter most, as many as the bytes hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.local_ridge import refit
from kd_tf.models.closed_form.sparsify import Side, keep_top_weights
from kd_tf.models.students.neighbours import NeighboursStudent, compute_max_entries, truncate_rows
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher

SIDES: tuple[Side, ...] = ("history", "candidate")

MAX_ITEMS_FOR_SALIENCY = 300_000
"""Books beyond which it is not asked what every ridge can spare: with a million 2 GB more, and as
long as all the rest together."""


def generate_neighbours_starts(source: TeacherItemScores, max_bytes: int) -> Iterator[WarmStart]:
    """By what the teacher says, on either side, and by what the fit of every book can spare."""
    if compute_max_entries(source.data.split.num_items, max_bytes) < source.data.split.num_items:
        return
    for way in _list_selection_rules(source):
        yield way.make_start(source, max_bytes)


def select_best_neighbours(source: TeacherItemScores, max_bytes: int) -> WarmStart | None:
    """The start that ranks best, for a student of which it is a part.

    Which way is best is found out once: it differs between data sets, but hardly between budgets.
    """
    if compute_max_entries(source.data.split.num_items, max_bytes) < source.data.split.num_items:
        return None

    def found() -> _SelectionRule:
        return max(
            _list_selection_rules(source),
            key=lambda way: source.data.validation_metric(
                make_score_fn(way.make_start(source, max_bytes).model)
            ),
        )

    return source.get_or_compute("best neighbours", found).make_start(source, max_bytes)


@dataclass(frozen=True)
class _SelectionRule:
    """How to choose weights: those of `rows` by `side`, or without rows those of the ridge."""

    name: str
    item_item_scores: sparse.csr_array | None = None
    side: Side = "history"

    def make_start(self, source: TeacherItemScores, max_bytes: int) -> WarmStart:
        items = source.data.split.num_items
        entries = compute_max_entries(items, max_bytes)
        if self.item_item_scores is None:
            matrix, setting = (
                prune_by_saliency(source, entries),
                f"ridge, {entries} weights over all books",
            )
        else:
            width = entries // items
            matrix = keep_top_weights(self.item_item_scores, width, self.side)
            setting = f"{self.name} rows, {self.side} side {width}"
        matrix = truncate_rows(matrix)
        model = NeighboursStudent.from_matrix(
            matrix, max_length=source.data.max_length, prior=source.compute_prior(matrix)
        )
        return WarmStart("neighbours", setting, model)


def _list_selection_rules(source: TeacherItemScores) -> list[_SelectionRule]:
    matrices = list(source.item_item_score_sources)
    if source.teacher is not None and not isinstance(source.teacher, LocalRidgeTeacher):
        matrices = [one for one in matrices if not one[0].startswith("LocalRidge")]
        matrices.append(("ridge's", source.ridge[0].to_matrix()))
    ways = [_SelectionRule(name, rows, side) for name, rows in matrices for side in SIDES]
    if source.teacher is None or source.data.split.num_items > MAX_ITEMS_FOR_SALIENCY:
        return ways
    return [*ways, _SelectionRule("spared")]


def prune_by_saliency(source: TeacherItemScores, num_entries: int) -> sparse.csr_array:
    """The ridge with `entries` weights over all books: those that the fit misses least go.

    A book that one neighbour explains keeps one, another keeps twenty; each is solved again on
    what is left to it.
    """
    ridge, pairs, regularization = source.ridge
    saliency = source.saliency
    least = 0.0
    if num_entries < saliency.size:
        least = max(
            float(np.partition(saliency, -num_entries - 1, axis=None)[-num_entries - 1]), 0.0
        )
    # Above the first that has no place: of equal ones none is kept, so that none is preferred.
    partners = np.where(saliency > least, ridge.neighbours, 0)
    again = refit(pairs, partners, regularization=regularization, progress=source.data.progress)
    return again.to_matrix()
