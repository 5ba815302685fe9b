"""Item kernels, alone or with the weights that they miss most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.distill.warm_start.residual import add_residual
from kd_tf.distill.warm_start.teacher_items import TeacherItemScores, WarmStart
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.item_kernel import STEPS, fit_item_kernel
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.neighbours import compute_packed_size

NUM_TARGETS = (50, 300)
FINER_NUM_TARGETS = {50: (15, 150), 300: (150, 1000)}
"""How many targets a row is fitted to: first these, then those around the better one. Which number
is best differs most between data sets."""

SCREENING_STEPS = 200

MIN_SCREENING_RATIO = 0.8
"""Of what the best other student reaches: where a short fit stays below, longer ones would too."""

MAX_ITEMS = 40_000
"""Beyond them fitting, and every answer, takes too long."""

MAX_EMBEDDING_DIM = 96

MIN_INT8_EMBEDDING_DIM = 24
"""Dimensions of eight bits below which twice as many of four may be better."""


def generate_kernel_starts(source: TeacherItemScores, max_bytes: int) -> Iterator[WarmStart]:
    """A kernel as wide as the bytes allow; what it is fitted to is tried in short fits."""
    shapes = [one for one in (_choose_shape(source, max_bytes, bits) for bits in (8, 4)) if one]
    if len(shapes) == 2 and not shapes[0].embedding_dim < min(
        MIN_INT8_EMBEDDING_DIM, shapes[1].embedding_dim
    ):
        shapes.pop()
    # Tried with the wider one: a kernel of a few dimensions hardly tells settings apart.
    setting = _choose_fit_targets(source, shapes[-1]) if shapes else None
    if setting is None:
        return
    for shape in shapes:
        yield _make_start(source, shape, setting, STEPS)


def generate_kernel_residual_starts(
    source: TeacherItemScores, max_bytes: int
) -> Iterator[WarmStart]:
    """A kernel on some of the bytes, and on the others what it gets wrong."""
    items = source.data.split.num_items
    for share in (0.5, 0.75):
        shape = _choose_shape(source, int(max_bytes * share), 8)
        if shape is None:
            continue
        left = max_bytes - _count_bytes(items, shape)
        setting = _choose_fit_targets(source, shape)
        if setting is None or left <= compute_packed_size(items, items):
            continue
        kernel = _make_start(source, shape, setting, STEPS)
        yield add_residual(source, kernel, setting.item_item_scores, "kernel-residual", left)


@dataclass(frozen=True)
class _Shape:
    embedding_dim: int
    bits: int


@dataclass(frozen=True)
class _FitTargets:
    """What a kernel is fitted to: the `targets` strongest of each of the rows of `name`."""

    name: str
    item_item_scores: sparse.csr_array
    num_targets: int


def _count_bytes(num_items: int, shape: _Shape) -> int:
    # Three numbers a book in bytes, with four bits a scale too; 256 values give each its meaning.
    vectors = 3 + (shape.bits == 4)
    return (num_items + 1) * (shape.embedding_dim * shape.bits // 8 + vectors) + vectors * 1024


def _choose_shape(source: TeacherItemScores, max_bytes: int, bits: int) -> _Shape | None:
    items = source.data.split.num_items
    if items > MAX_ITEMS:
        return None
    room = (max_bytes - _count_bytes(items, _Shape(0, bits))) * 8 // ((items + 1) * bits)
    # A multiple of 4, which kernels load at once.
    embedding_dim = min(room, MAX_EMBEDDING_DIM) // 4 * 4
    return _Shape(embedding_dim, bits) if embedding_dim >= 4 else None


def _choose_fit_targets(source: TeacherItemScores, shape: _Shape) -> _FitTargets | None:
    """What is best in short fits; None where even that promises nothing. Tried once a source."""
    return source.get_or_compute("kernel setting", lambda: _screen_fit_targets(source, shape))


def _screen_fit_targets(source: TeacherItemScores, shape: _Shape) -> _FitTargets | None:
    def tried(settings: list[_FitTargets]) -> tuple[float, _FitTargets]:
        found = []
        for one in settings:
            model = _make_start(source, _Shape(shape.embedding_dim, 8), one, SCREENING_STEPS).model
            found.append((source.data.validation_metric(make_score_fn(model)), one))
        return max(found, key=lambda pair: pair[0])

    coarse = [
        _FitTargets(name, rows, targets)
        for name, rows in source.item_item_score_sources
        for targets in NUM_TARGETS
        if targets < 2 * _count_longest_row(rows) or targets == NUM_TARGETS[0]
    ]
    if not len(source.data.validation_metric):
        return coarse[0]
    reached, best = tried(coarse)
    finer = [
        _FitTargets(best.name, best.item_item_scores, targets)
        for targets in FINER_NUM_TARGETS[best.num_targets]
        if targets < 2 * _count_longest_row(best.item_item_scores)
    ]
    if finer:
        reached, best = max((reached, best), tried(finer), key=lambda pair: pair[0])
    if reached < MIN_SCREENING_RATIO * source.best_validation_ndcg:
        source.data.progress.info(
            f"item kernels are left out: {reached:.4f} in a short fit, another student has "
            f"{source.best_validation_ndcg:.4f}"
        )
        return None
    return best


def _count_longest_row(rows: sparse.csr_array) -> int:
    return int(np.diff(rows.indptr).max(initial=1))


def _make_start(
    source: TeacherItemScores, shape: _Shape, setting: _FitTargets, steps: int
) -> WarmStart:
    data = source.data
    kernel = fit_item_kernel(
        setting.item_item_scores,
        embedding_dim=shape.embedding_dim,
        num_targets=setting.num_targets,
        steps=steps,
        bits=shape.bits,
        seed=data.split.seed,
        progress=data.progress,
    )
    model = ItemKernelStudent(
        num_items=data.split.num_items,
        max_length=data.max_length,
        embedding_dim=shape.embedding_dim,
        bits=shape.bits,
    )
    model.create_weights()
    model.assign(kernel.table, kernel.target_bias, kernel.history_bias)
    model.prior.assign(source.compute_prior(setting.item_item_scores))
    bits = " of 4 bits" if shape.bits == 4 else ""
    name = (
        f"d={shape.embedding_dim}{bits}, {setting.name} rows, {setting.num_targets} targets a book"
    )
    return WarmStart("item-kernel", name, model)
