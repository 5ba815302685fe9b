"""Matrix factorisation with the reader's factors solved on the device, alone or with neighbours."""

from __future__ import annotations

from collections.abc import Iterator

from kd_tf.distill.warm_start.neighbours import select_best_neighbours
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble

MAX_EMBEDDING_DIM = 256


def generate_fold_in_starts(source: TeacherItemScores, max_bytes: int) -> Iterator[WarmStart]:
    """As many factors as the bytes hold, with the teacher's settings where it has factors."""
    shape = _choose_shape(source, max_bytes)
    if shape:
        yield _make_start(source, *shape)


def generate_fold_in_residual_starts(
    source: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Neighbours, and on the other bytes factors that know what neighbours cannot."""
    for share in (0.3, 0.6):
        shape = _choose_shape(source, int(max_bytes * share))
        if shape is None:
            continue
        neighbours = select_best_neighbours(source, max_bytes - _count_bytes(source, *shape))
        if neighbours is not None:
            yield _blend_starts(source, neighbours, _make_start(source, *shape))


def _count_bytes(source: TeacherItemScores, embedding_dim: int, bits: int) -> int:
    # A prior in bytes, with four bits a scale too; and the matrix that a reader is solved with.
    vectors = 1 + (bits == 4)
    rows = (source.data.split.num_items + 1) * (embedding_dim * bits // 8 + vectors)
    return rows + embedding_dim**2 + vectors * 1024


def _choose_shape(source: TeacherItemScores, max_bytes: int) -> tuple[int, int] | None:
    """Dimensions and bits. Twice the factors in half the bits are better until there is room."""
    largest = min(MAX_EMBEDDING_DIM, source.data.split.num_items // 8) // 2 * 2
    if largest >= 4 and _count_bytes(source, largest, 8) <= max_bytes:
        return largest, 8
    for embedding_dim in range(largest, 3, -2):
        if _count_bytes(source, embedding_dim, 4) <= max_bytes:
            return embedding_dim, 4
    return None


def _make_start(source: TeacherItemScores, embedding_dim: int, bits: int) -> WarmStart:
    model = FoldInStudent.from_training_data(
        source.data, embedding_dim=embedding_dim, setting=source.factorization_settings, bits=bits
    )
    name = f"d={model.embedding_dim} of {bits} bits, alpha {model.alpha:g}"
    return WarmStart("fold-in", name, model)


def _blend_starts(
    source: TeacherItemScores, neighbours: WarmStart, factors: WarmStart
) -> WarmStart:
    model = WeightedEnsemble.from_members(
        [neighbours.model, factors.model], source.data.validation_metric, source.data.progress
    )
    model.create_weights()
    return WarmStart("fold-in-residual", f"{neighbours.description} + {factors.description}", model)
