"""Fold-in matrix factorization: user factors are solved on the device, from their history."""

from __future__ import annotations

from collections.abc import Iterator

from kd_tf.baselines import ials
from kd_tf.distill.warm_start.neighbours import list_splits, select_best_neighbours
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble

MAX_EMBEDDING_DIM = 256
"""Maximum number of factors."""

FRACTIONS = (0.3, 0.6)
"""Shares of the bytes for the factors, where item neighbours take the rest."""


def has_room_for_fold_in(num_items: int, max_bytes: int) -> bool:
    """Says whether a fold-in student fits into `max_bytes`."""
    return _choose_shape(num_items, max_bytes) is not None


def has_room_for_fold_in_residual(num_items: int, max_bytes: int) -> bool:
    """Says whether factors and item neighbours fit into `max_bytes`."""
    return bool(_list_splits(num_items, max_bytes))


def generate_fold_in_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields a fold-in student with as many factors as fit into `max_bytes`.

    Its hyperparameters are those of the teacher's matrix factorization if the teacher has one.
    """
    shape = _choose_shape(teacher_scores.data.train.num_items, max_bytes)
    if shape:
        yield _make_start(teacher_scores, *shape)


def generate_fold_in_residual_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields ensembles of item neighbours and fold-in factors that share `max_bytes`."""
    for shape, rest in _list_splits(teacher_scores.data.train.num_items, max_bytes):
        neighbours = select_best_neighbours(teacher_scores, rest)
        assert neighbours is not None
        yield _blend_starts(teacher_scores, neighbours, _make_start(teacher_scores, *shape))


def _list_splits(num_items: int, max_bytes: int) -> list[tuple[tuple[int, int], int]]:
    """Lists the shapes that leave room for item neighbours, and the bytes that they leave."""
    return list_splits(num_items, max_bytes, FRACTIONS, _choose_shape, _count_bytes)


def _count_bytes(num_items: int, shape: tuple[int, int]) -> int:
    # One byte per item for the prior, with 4 bits another one for the row's scale. The d x d matrix
    # is needed to solve for the user's factors.
    embedding_dim, bits = shape
    vectors = 1 + (bits == 4)
    rows = (num_items + 1) * (embedding_dim * bits // 8 + vectors)
    return rows + embedding_dim**2 + vectors * 1024


def _choose_shape(num_items: int, max_bytes: int) -> tuple[int, int] | None:
    """Chooses the number of factors and their bits: 8 bits if the maximum fits, else 4.

    With too few bytes for that, twice the factors with 4 bits each rank better.
    """
    largest = min(MAX_EMBEDDING_DIM, num_items // 8) // 2 * 2
    if largest >= 4 and _count_bytes(num_items, (largest, 8)) <= max_bytes:
        return largest, 8
    for embedding_dim in range(largest, 3, -2):
        if _count_bytes(num_items, (embedding_dim, 4)) <= max_bytes:
            return embedding_dim, 4
    return None


def _make_start(teacher_scores: TeacherItemScores, embedding_dim: int, bits: int) -> WarmStart:
    data = teacher_scores.data
    alpha, regularization = teacher_scores.factorization_settings or (None, None)
    model = FoldInStudent(
        data.train.num_items,
        max_length=data.max_length,
        embedding_dim=ials.cap_num_factors(data.train.num_items, embedding_dim),
        alpha=alpha,
        regularization=regularization,
        bits=bits,
    )
    model.create_weights()
    model.solve(data)
    if teacher_scores.mixtures is not None:
        model.mix_items(teacher_scores.mixtures)
    description = f"d={model.embedding_dim} of {bits} bits, alpha {model.alpha:g}"
    return WarmStart("fold-in", description, model)


def _blend_starts(
    teacher_scores: TeacherItemScores, neighbours: WarmStart, factors: WarmStart
) -> WarmStart:
    model = WeightedEnsemble.from_members(
        [neighbours.model, factors.model],
        teacher_scores.data.validation_metric,
        teacher_scores.data.progress,
    )
    model.create_weights()
    description = f"{neighbours.description} + {factors.description}"
    return WarmStart("fold-in-residual", description, model)
