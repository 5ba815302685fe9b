"""Neighbours: the weights that matter most, as many as the bytes hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from kd_tf.distill.starts.source import Source, Start
from kd_tf.models.closed_form.local_ridge import LocalRidge, eliminate, refit
from kd_tf.models.closed_form.pruning import Side, keep_strongest
from kd_tf.models.students.neighbours import NeighboursStudent, entries_within, shortened
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher

SIDES: tuple[Side, ...] = ("history", "candidate")


def neighbours_starts(source: Source, max_bytes: int) -> Iterator[Start]:
    """By what the teacher says, on either side, and by what the fit of every book can spare."""
    books = source.data.split.books
    entries = entries_within(books, max_bytes)
    width = entries // books
    if width < 1:
        return
    for matrix, name in _matrices(source):
        for side in SIDES:
            yield _start(
                source, keep_strongest(matrix, width, side), f"{name}, {side} side {width}"
            )
    if source.teacher is not None:
        yield _start(source, spared(source, entries), f"ridge, {entries} weights over all books")


def _matrices(source: Source) -> Iterator[tuple[sparse.csr_array, str]]:
    if source.teacher is None:
        yield source.rows, "cosine"
        return
    yield source.rows, "teacher's rows"
    if not isinstance(source.teacher, LocalRidgeTeacher):  # whose rows they are
        yield source.ridge[0].matrix(), "ridge"


def spared(source: Source, entries: int) -> sparse.csr_array:
    """The ridge with `entries` weights over all books: those that the fit misses least go.

    A book that one neighbour explains keeps one, another keeps twenty; each is solved again on
    what is left to it.
    """
    ridge, pairs, regularization = source.ridge
    progress = source.data.progress
    ordered = eliminate(pairs, ridge, 1, regularization=regularization, progress=progress)
    saliency = ordered.saliency
    assert saliency is not None
    kept = np.zeros(saliency.size, bool)
    strongest = np.argsort(-saliency.ravel(), kind="stable")[:entries]
    kept[strongest] = saliency.ravel()[strongest] > 0
    partners = np.where(kept.reshape(saliency.shape), ridge.partners, 0)
    again: LocalRidge = refit(pairs, partners, regularization=regularization, progress=progress)
    return again.matrix()


def _start(source: Source, matrix: sparse.csr_array, setting: str) -> Start:
    matrix = shortened(matrix)
    model = NeighboursStudent.of(
        matrix, history_length=source.data.history_length, prior=source.prior(matrix)
    )
    return Start("neighbours", setting, model)
