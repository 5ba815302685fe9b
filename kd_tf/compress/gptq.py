"""Rounding a table so that scores stay right, not numbers.

Rounding every number to the nearest step is best for the numbers. What a reader sees are products
with a row, and readers differ far more along some directions than along others. So each number's
rounding error is passed on to the numbers of its row that are not rounded yet, in the measure in
which readers' vectors move together (Hassibi & Stork's optimal brain surgeon, 1993, for rounding:
Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
2023). On an invented table of 10,000 books one scale for all and eight bits then keep .99 of the
ten best books instead of .975, for no byte.
"""

from __future__ import annotations

import numpy as np

from kd_tf.backend import tf
from kd_tf.layers.quantized_embedding import INT4_MAX
from kd_tf.models.base import HistoryModel
from kd_tf.models.tied_embedding import TiedEmbeddingModel

INT8_LEVELS = 127

_DAMPING = 0.01
"""Of the mean square of a direction, added to all: readers who are not among the few asked differ
in every direction a little."""

_CLIP_RATIOS = np.linspace(0.5, 1.0, 11)
"""Of a row's largest number that its steps may reach to; what is beyond is cut off."""


def compute_second_moments(student: TiedEmbeddingModel, histories: np.ndarray) -> np.ndarray:
    """float64 [d, d]: the mean of u u^T over readers' vectors u.

    Args:
        student: Trained.
        histories: int32 [n, L], training readers'; several hundred.
    """
    vectors = student.user_embeddings(tf.constant(histories)).numpy().astype(np.float64)
    # A model with several vectors a reader has an axis more.
    vectors = vectors.reshape(-1, vectors.shape[-1])
    return np.asarray(vectors.T @ vectors / len(vectors))


def quantize_with_feedback(
    table: np.ndarray, second_moments: np.ndarray, scale: np.ndarray, max_level: int
) -> np.ndarray:
    """Whole numbers whose steps keep the products with readers' vectors.

    Args:
        table: float32 [n, d].
        second_moments: float64 [d, d] of `moments`.
        step: float32 [n, 1] or [1, 1], above 0.
        levels: The largest whole number.

    Returns:
        float32 [n, d], whole numbers from -levels to levels.
    """
    d = len(second_moments)
    damped = second_moments + _DAMPING * max(np.trace(second_moments) / d, 1e-12) * np.eye(d)
    # What matters most is rounded first, while others can still make up for it.
    order = np.argsort(-np.diag(damped), kind="stable")
    # Row j: how much each later number has to move for an error of 1 in the j-th.
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    passed_on = np.linalg.cholesky(inverse).T
    rest = table[:, order].astype(np.float64)
    whole = np.empty_like(rest)
    steps = scale.astype(np.float64).ravel()
    for j in range(d):
        whole[:, j] = np.clip(np.round(rest[:, j] / steps), -max_level, max_level)
        error = (rest[:, j] - whole[:, j] * steps) / passed_on[j, j]
        rest[:, j + 1 :] -= error[:, np.newaxis] * passed_on[j, j + 1 :]
    placed = np.empty_like(whole, dtype=np.float32)
    placed[:, order] = whole
    return placed


def quantize_int8(table: np.ndarray, second_moments: np.ndarray) -> np.ndarray:
    """float32 [V + 1, d] on 255 even steps, with one step for the whole table.

    Row 0, which means nothing, holds the largest number, so that whoever finds the step from the
    largest number finds this one.
    """
    step = np.float32(max(float(np.abs(table[1:]).max(initial=0)), 1e-30) / INT8_LEVELS)
    whole = quantize_with_feedback(table, second_moments, np.full((1, 1), step), INT8_LEVELS)
    whole[0] = 0
    whole[0, 0] = INT8_LEVELS
    return np.asarray(whole * step)


def choose_row_scales(table: np.ndarray, second_moments: np.ndarray) -> np.ndarray:
    """float32 [V + 1]: the step of each row whose steps from -7 to 7 keep its products best.

    A row's steps reach as far as makes its products right: cutting off the largest number a little
    makes all others finer. 0 for rows of zeros and for row 0, which means nothing.
    """
    largest = np.abs(table).max(axis=1, keepdims=True)
    best = np.full(len(table), np.inf)
    steps = np.zeros(len(table), np.float32)
    for share in _CLIP_RATIOS:
        tried = np.maximum(largest * np.float32(share) / INT4_MAX, 1e-30)
        error = quantize_int4(table, second_moments, tried[:, 0]) * tried - table
        error = np.einsum("nd,nd->n", error @ second_moments, error)
        steps = np.where(error < best, tried[:, 0], steps)
        best = np.minimum(error, best)
    return np.where((largest[:, 0] > 0) & (np.arange(len(table)) > 0), steps, np.float32(0))


def quantize_int4(table: np.ndarray, second_moments: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Whole numbers from -7 to 7, float32 [V + 1, d], of rows with these steps [V + 1].

    Rows whose step is 0 are 0.
    """
    whole = quantize_with_feedback(
        table, second_moments, np.maximum(scales, 1e-30)[:, np.newaxis], INT4_MAX
    )
    whole[scales == 0] = 0
    return whole


def quantize_tables(student: HistoryModel, histories: np.ndarray) -> HistoryModel:
    """A copy whose tables lie where a file of one byte a number holds them.

    Args:
        student: Trained. One without tied tables is given back as it is: those that are sums of
            pairs are settled before (`kd_tf.compress.storage`).
        histories: int32 [n, L], training readers'.
    """
    if not isinstance(student, TiedEmbeddingModel):
        return student
    second_moments = compute_second_moments(student, histories)
    copy = type(student).from_config(student.get_config())
    copy.create_weights()
    for own, weight in zip(copy.weights, student.weights, strict=True):
        own.assign(weight)
    for name in student.quantized_weights:
        table = getattr(student, name).numpy()
        getattr(copy, name).assign(quantize_int8(table, second_moments))
    return copy
