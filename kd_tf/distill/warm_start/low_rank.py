"""Low-rank factorization of the item-item scores, alone or with a sparse residual."""

from __future__ import annotations

from collections.abc import Iterator

from kd_tf.distill.warm_start.neighbours import list_splits
from kd_tf.distill.warm_start.residual import add_residual
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.students.low_rank import LowRankStudent, factorize_item_scores

MAX_EMBEDDING_DIM = 256
"""Maximum rank."""

FRACTIONS = (0.25, 0.5, 0.75)
"""Shares of the bytes for the factorization, where a correction takes the rest."""


def has_room_for_low_rank(num_items: int, max_bytes: int) -> bool:
    """Says whether a low-rank student fits into `max_bytes`."""
    return _choose_embedding_dim(num_items, max_bytes) > 0


def has_room_for_low_rank_residual(num_items: int, max_bytes: int) -> bool:
    """Says whether a low-rank student with a correction fits into `max_bytes`."""
    return bool(_list_splits(num_items, max_bytes))


def generate_low_rank_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields a low-rank student with the highest rank that fits into `max_bytes`."""
    embedding_dim = _choose_embedding_dim(teacher_scores.data.train.num_items, max_bytes)
    if embedding_dim:
        yield _make_start(teacher_scores, embedding_dim)


def generate_low_rank_residual_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields low-rank students with a sparse correction of their largest errors."""
    for embedding_dim, residual_bytes in _list_splits(
        teacher_scores.data.train.num_items, max_bytes
    ):
        base = _make_start(teacher_scores, embedding_dim)
        _, scores = teacher_scores.item_item_score_sources[0]
        yield add_residual(teacher_scores, base, scores, "low-rank-residual", residual_bytes)


def _list_splits(num_items: int, max_bytes: int) -> list[tuple[int, int]]:
    """Lists the ranks that leave room for a correction, and the bytes that they leave."""
    return list_splits(num_items, max_bytes, FRACTIONS, _choose_embedding_dim, _count_bytes)


def _count_bytes(num_items: int, embedding_dim: int) -> int:
    # Two embeddings and the prior, in bytes.
    return (num_items + 1) * (2 * embedding_dim + 1) + 1024


def _choose_embedding_dim(num_items: int, max_bytes: int) -> int:
    embedding_dim = (max_bytes - _count_bytes(num_items, 0)) // (2 * (num_items + 1))
    return int(max(min(embedding_dim, MAX_EMBEDDING_DIM, num_items // 2), 0))


def _make_start(teacher_scores: TeacherItemScores, embedding_dim: int) -> WarmStart:
    data = teacher_scores.data
    name, scores = teacher_scores.item_item_score_sources[0]
    with data.progress.task(f"low-rank factorization, d={embedding_dim}", 1) as advance:
        factors = factorize_item_scores(scores, embedding_dim, data.train.seed)
        advance()
    model = LowRankStudent(
        num_items=data.train.num_items, max_length=data.max_length, embedding_dim=embedding_dim
    )
    model.create_weights()
    model.assign(*factors)
    model.prior.assign(teacher_scores.compute_prior(scores))
    return WarmStart("low-rank", f"d={embedding_dim}, {name} scores", model)
