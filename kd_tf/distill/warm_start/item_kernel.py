"""Item kernels fitted to item-item scores, alone or with a sparse residual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse

from kd_tf.distill.warm_start.neighbours import list_splits
from kd_tf.distill.warm_start.residual import add_residual
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.item_kernel import STEPS, fit_item_kernel
from kd_tf.models.students.item_kernel import ItemKernelStudent

NUM_TARGETS = (50, 300)
FINER_NUM_TARGETS = {50: (15, 150), 300: (150, 1000)}
"""Numbers of target items per row to fit: first these are tried, then those around the better one.
The best number is the setting that differs most between data sets."""

SCREENING_STEPS = 200
"""Steps of the short fits that compare settings."""

MIN_SCREENING_RATIO = 0.8
"""Item kernels are skipped if a short fit stays below this fraction of the best student's NDCG: a
longer fit would stay below it too."""

MAX_ITEMS = 40_000
"""Above this catalog size, fitting and inference take too long."""

MAX_EMBEDDING_DIM = 96
"""Maximum kernel width."""

MIN_INT8_EMBEDDING_DIM = 24
"""Below this width with 8 bits, twice the width with 4 bits is tried too."""


FRACTIONS = (0.5, 0.75)
"""Shares of the bytes for the kernel, where a correction takes the rest."""


def has_room_for_kernel(num_items: int, max_bytes: int) -> bool:
    """Says whether an item kernel fits into `max_bytes`."""
    return bool(_list_shapes(num_items, max_bytes))


def has_room_for_kernel_residual(num_items: int, max_bytes: int) -> bool:
    """Says whether an item kernel with a correction fits into `max_bytes`."""
    return bool(_list_splits(num_items, max_bytes))


def generate_kernel_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields item kernels as wide as `max_bytes` allows.

    Short fits choose the scores and the number of targets to fit.
    """
    shapes = _list_shapes(teacher_scores.data.train.num_items, max_bytes)
    if len(shapes) == 2 and not shapes[0].embedding_dim < min(
        MIN_INT8_EMBEDDING_DIM, shapes[1].embedding_dim
    ):
        shapes.pop()
    # Screening uses the wider kernel: with a few dimensions all settings look alike.
    fit_targets = _choose_fit_targets(teacher_scores, shapes[-1]) if shapes else None
    if fit_targets is None:
        return
    for shape in shapes:
        yield _make_start(teacher_scores, shape, fit_targets, STEPS)


def generate_kernel_residual_starts(
    teacher_scores: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """Yields item kernels with a sparse correction of their largest errors."""
    for shape, residual_bytes in _list_splits(teacher_scores.data.train.num_items, max_bytes):
        fit_targets = _choose_fit_targets(teacher_scores, shape)
        if fit_targets is None:
            continue
        kernel = _make_start(teacher_scores, shape, fit_targets, STEPS)
        yield add_residual(
            teacher_scores, kernel, fit_targets.item_item_scores, "kernel-residual", residual_bytes
        )


@dataclass(frozen=True)
class _Shape:
    """Width of a kernel and bits per number."""

    embedding_dim: int
    bits: int


@dataclass(frozen=True)
class _FitTargets:
    """What a kernel is fitted to: the `num_targets` highest scores of each row."""

    name: str
    item_item_scores: sparse.csr_array
    num_targets: int


def _count_bytes(num_items: int, shape: _Shape) -> int:
    # Three numbers per item in bytes (two biases and the prior), with 4 bits another one for the
    # row's scale; each of these vectors has a codebook of 256 float32 values.
    vectors = 3 + (shape.bits == 4)
    return (num_items + 1) * (shape.embedding_dim * shape.bits // 8 + vectors) + vectors * 1024


def _choose_shape(num_items: int, max_bytes: int, bits: int) -> _Shape | None:
    if num_items > MAX_ITEMS:
        return None
    available_bits = (max_bytes - _count_bytes(num_items, _Shape(0, bits))) * 8
    # A multiple of 4: matrix kernels load 4 numbers at once.
    embedding_dim = min(available_bits // ((num_items + 1) * bits), MAX_EMBEDDING_DIM) // 4 * 4
    return _Shape(embedding_dim, bits) if embedding_dim >= 4 else None


def _list_shapes(num_items: int, max_bytes: int) -> list[_Shape]:
    shapes = (_choose_shape(num_items, max_bytes, bits) for bits in (8, 4))
    return [shape for shape in shapes if shape is not None]


def _list_splits(num_items: int, max_bytes: int) -> list[tuple[_Shape, int]]:
    """Lists the shapes that leave room for a correction, and the bytes that they leave."""
    choose_shape = partial(_choose_shape, bits=8)
    return list_splits(num_items, max_bytes, FRACTIONS, choose_shape, _count_bytes)


def _choose_fit_targets(teacher_scores: TeacherItemScores, shape: _Shape) -> _FitTargets | None:
    """Chooses the fit targets by short fits, once; None if item kernels are not worth fitting."""
    return teacher_scores.get_or_compute(
        "kernel setting", lambda: _screen_fit_targets(teacher_scores, shape)
    )


def _screen_fit_targets(teacher_scores: TeacherItemScores, shape: _Shape) -> _FitTargets | None:
    def select_best(choices: list[_FitTargets]) -> tuple[float, _FitTargets]:
        results = []
        for fit_targets in choices:
            screening_shape = _Shape(shape.embedding_dim, 8)
            model = _make_start(teacher_scores, screening_shape, fit_targets, SCREENING_STEPS).model
            results.append(
                (teacher_scores.data.validation_metric(make_score_fn(model)), fit_targets)
            )
        return max(results, key=lambda result: result[0])

    coarse = [
        _FitTargets(name, scores, num_targets)
        for name, scores in teacher_scores.item_item_score_sources
        for num_targets in NUM_TARGETS
        if num_targets < 2 * _count_longest_row(scores) or num_targets == NUM_TARGETS[0]
    ]
    if not len(teacher_scores.data.validation_metric):
        return coarse[0]
    best_ndcg, best = select_best(coarse)
    finer = [
        _FitTargets(best.name, best.item_item_scores, num_targets)
        for num_targets in FINER_NUM_TARGETS[best.num_targets]
        if num_targets < 2 * _count_longest_row(best.item_item_scores)
    ]
    if finer:
        best_ndcg, best = max((best_ndcg, best), select_best(finer), key=lambda result: result[0])
    if best_ndcg < MIN_SCREENING_RATIO * teacher_scores.best_validation_ndcg:
        teacher_scores.data.progress.info(
            f"Skipped item kernels: validation NDCG@10 {best_ndcg:.4f} in a short fit, but "
            f"{teacher_scores.best_validation_ndcg:.4f} for another student"
        )
        return None
    return best


def _count_longest_row(matrix: sparse.csr_array) -> int:
    return int(np.diff(matrix.indptr).max(initial=1))


def _make_start(
    teacher_scores: TeacherItemScores, shape: _Shape, fit_targets: _FitTargets, steps: int
) -> WarmStart:
    data = teacher_scores.data
    kernel = fit_item_kernel(
        fit_targets.item_item_scores,
        embedding_dim=shape.embedding_dim,
        num_targets=fit_targets.num_targets,
        steps=steps,
        bits=shape.bits,
        seed=data.train.seed,
        progress=data.progress,
    )
    model = ItemKernelStudent(
        num_items=data.train.num_items,
        max_length=data.max_length,
        embedding_dim=shape.embedding_dim,
        bits=shape.bits,
    )
    model.create_weights()
    model.assign(kernel.table, kernel.target_bias, kernel.history_bias)
    model.prior.assign(teacher_scores.compute_prior(fit_targets.item_item_scores))
    bits = " of 4 bits" if shape.bits == 4 else ""
    description = (
        f"d={shape.embedding_dim}{bits}, {fit_targets.name} scores, "
        f"{fit_targets.num_targets} targets per item"
    )
    return WarmStart("item-kernel", description, model)
