"""What a smooth student gets wrong most, as a sparse correction beside it."""

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
    source: TeacherItemScores,
    base: WarmStart,
    item_item_scores: sparse.csr_array,
    architecture: str,
    max_bytes: int,
) -> WarmStart:
    """The student plus the largest weights that some rows have above its own.

    Args:
        source: Of both.
        smooth: An additive student.
        rows: What it was fitted to.
        kind: What the sum is called.
        max_bytes: Of the correction.
    """
    assert isinstance(base.model, AdditiveModel)
    missing = item_item_scores.data.copy()
    for start in range(0, item_item_scores.shape[0], _BATCH_SIZE):
        some = np.arange(start, min(start + _BATCH_SIZE, item_item_scores.shape[0]), dtype=np.int32)
        own = base.model.item_scores(tf.constant(some)).numpy()
        part = slice(item_item_scores.indptr[some[0]], item_item_scores.indptr[some[-1] + 1])
        row = np.repeat(
            np.arange(len(some)), np.diff(item_item_scores.indptr[some[0] : some[-1] + 2])
        )
        missing[part] -= own[row, item_item_scores.indices[part]]
    matrix = sparse.csr_array(
        (missing, item_item_scores.indices, item_item_scores.indptr), shape=item_item_scores.shape
    )
    width = (
        compute_max_entries(source.data.split.num_items, max_bytes) // source.data.split.num_items
    )
    sparse_part = NeighboursStudent.from_matrix(
        keep_top_weights(matrix, width, "history"),
        max_length=source.data.max_length,
        prior=np.zeros(item_item_scores.shape[0], np.float32),
    )
    model = WeightedEnsemble(members=[base.model, sparse_part])
    model.create_weights()
    return WarmStart(architecture, f"{base.description}, residual {width} a book", model)
