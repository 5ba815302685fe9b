"""Low rank: the best thin factorisation of the teacher's rows, alone or with what it misses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from kd_tf.distill.warm_start.residual import add_residual
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.students.neighbours import compute_packed_size

MAX_EMBEDDING_DIM = 256


def generate_low_rank_starts(source: TeacherItemScores, max_bytes: int) -> Iterator[WarmStart]:
    """As many dimensions as the bytes hold."""
    embedding_dim = _choose_embedding_dim(source, max_bytes)
    if embedding_dim:
        yield _make_start(source, embedding_dim)


def generate_low_rank_residual_starts(
    source: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """A factorisation on some of the bytes, and on the others what it gets wrong."""
    items = source.data.split.num_items
    for share in (0.25, 0.5, 0.75):
        embedding_dim = _choose_embedding_dim(source, int(max_bytes * share))
        left = max_bytes - _count_bytes(items, embedding_dim)
        if embedding_dim and left > compute_packed_size(items, items):
            start = _make_start(source, embedding_dim)
            yield add_residual(
                source, start, source.item_item_score_sources[0][1], "low-rank-residual", left
            )


def _count_bytes(num_items: int, embedding_dim: int) -> int:
    return (num_items + 1) * (2 * embedding_dim + 1) + 1024


def _choose_embedding_dim(source: TeacherItemScores, max_bytes: int) -> int:
    items = source.data.split.num_items
    room = (max_bytes - _count_bytes(items, 0)) // (2 * (items + 1))
    return int(max(min(room, MAX_EMBEDDING_DIM, items // 2), 0))


def _make_start(source: TeacherItemScores, embedding_dim: int) -> WarmStart:
    data = source.data
    name, rows = source.item_item_score_sources[0]
    with data.progress.task(f"low rank d={embedding_dim}", 1) as advance:
        left, values, right = randomized_svd(
            sparse.csr_matrix(rows), embedding_dim, n_iter=3, random_state=data.split.seed
        )
        advance()
    root = np.sqrt(values)
    model = LowRankModel(
        num_items=data.split.num_items, max_length=data.max_length, embedding_dim=embedding_dim
    )
    model.create_weights()
    model.assign((left * root).astype(np.float32), (right.T * root).astype(np.float32))
    model.prior.assign(source.compute_prior(rows))
    return WarmStart("low-rank", f"d={embedding_dim}, {name} rows", model)
