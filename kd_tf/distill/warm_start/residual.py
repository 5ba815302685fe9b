"""Adds a sparse correction of the largest errors to a dense student."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.closed_form.sparsify import keep_top_weights
from kd_tf.models.students.neighbours import NeighboursStudent, compute_max_entries
from kd_tf.models.weighted_ensemble import WeightedEnsemble

_BATCH_SIZE = 128


def add_residual(
    teacher_scores: TeacherItemScores,
    base: WarmStart,
    item_item_scores: sparse.csr_array,
    architecture: str,
    max_bytes: int,
) -> WarmStart:
    """Adds the largest positive residuals of a student's item-item scores as neighbours.

    Args:
        teacher_scores: The source that the student was fitted from.
        base: An additive student.
        item_item_scores: float32 CSR [V + 1, V + 1], the scores that the student was fitted to.
        architecture: Name of the combined student.
        max_bytes: Size limit of the correction.

    Returns:
        An ensemble of the student and a `NeighboursStudent`.
    """
    assert isinstance(base.model, AdditiveModel)
    num_rows, indptr = item_item_scores.shape[0], item_item_scores.indptr
    residuals = item_item_scores.data.copy()
    for start in range(0, num_rows, _BATCH_SIZE):
        end = min(start + _BATCH_SIZE, num_rows)
        student_scores = base.model.item_scores(
            tf.constant(np.arange(start, end, dtype=np.int32))
        ).numpy()
        entries = slice(indptr[start], indptr[end])
        row = np.repeat(np.arange(end - start), np.diff(indptr[start : end + 1]))
        residuals[entries] -= student_scores[row, item_item_scores.indices[entries]]
    residual_matrix = sparse.csr_array(
        (residuals, item_item_scores.indices, indptr), shape=item_item_scores.shape
    )
    num_items = teacher_scores.data.train.num_items
    width = compute_max_entries(num_items, max_bytes) // num_items
    correction = NeighboursStudent.from_matrix(
        keep_top_weights(residual_matrix, width, "history"),
        max_length=teacher_scores.data.max_length,
        prior=np.zeros(num_rows, np.float32),
    )
    model = WeightedEnsemble(members=[base.model, correction])
    model.create_weights()
    return WarmStart(
        architecture, f"{base.description}, residual of {width} weights per item", model
    )
