"""Evaluates students of the ranking task in plain NumPy, independently of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kd_tf.layers.feature_embedding import FeatureEmbedding
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students.factorization_machine import FactorizationMachineStudent
from kd_tf.models.ranking.students.logistic_regression import LogisticRegressionStudent
from kd_tf.models.ranking.students.mlp import RankingMLPStudent

PredictRowsFn = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A function from ids int32 [n, F] and numbers float32 [n, G] to probabilities float64 [n]."""


def make_numpy_predict_fn(student: RankingModel) -> PredictRowsFn | None:
    """Returns a function that predicts in NumPy; None for a student of another class.

    Args:
        student: A student whose weights exist.
    """
    compute_logits = _LOGIT_FUNCTIONS.get(type(student))
    if compute_logits is None:
        return None

    def predict(categorical: np.ndarray, numeric: np.ndarray) -> np.ndarray:
        numbers = numeric.astype(np.float64)
        if student.components is not None:
            kernel, offset = (
                weight.numpy().astype(np.float64)
                for weight in (student.components.kernel, student.components.offset)
            )
            numbers = numbers @ kernel + offset
        logits = compute_logits(student, categorical, numbers)
        probabilities: np.ndarray = 1 / (1 + np.exp(-(logits + float(student.bias))))
        return probabilities

    return predict


def _embed(layer: FeatureEmbedding, categorical: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """Returns the vectors of all features, row by row and value by value: [n, features, d]."""
    vectors = np.zeros((len(categorical), 0, layer.dim))
    place, offset = 0, 0
    for feature in layer.layout.categorical:
        table = layer.table.numpy()[offset : offset + feature.num_ids].astype(np.float64)
        ids = categorical[:, place : place + feature.num_values]
        ids = np.where((ids >= 0) & (ids < feature.num_ids), ids, 0)
        means = [
            table[row[row > 0] if (row > 0).any() and len(row) > 1 else row[:1]].mean(axis=0)
            for row in ids
        ]
        vectors = np.concatenate([vectors, np.stack(means)[:, None]], axis=1)
        place, offset = place + feature.num_values, offset + feature.num_ids
    if layer.layout.num_numeric:
        products = numeric[:, :, None] * layer.numeric_table.numpy().astype(np.float64)
        vectors = np.concatenate([vectors, products], axis=1)
    return vectors


def _compute_linear(
    student: RankingModel, categorical: np.ndarray, numeric: np.ndarray
) -> np.ndarray:
    return np.asarray(_embed(student.embedding, categorical, numeric).sum(axis=(1, 2)))


def _compute_factorization(
    student: RankingModel, categorical: np.ndarray, numeric: np.ndarray
) -> np.ndarray:
    vectors = _embed(student.embedding, categorical, numeric)
    products = np.einsum("nid,njd->nij", vectors, vectors)
    first, second = np.triu_indices(vectors.shape[1], k=1)
    linear = _embed(student.linear, categorical, numeric).sum(axis=(1, 2))
    return np.asarray(linear + products[:, first, second].sum(axis=1))


def _compute_mlp(student: RankingModel, categorical: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    hidden = np.concatenate([_embed_flat(student, categorical, numeric), numeric], axis=1)
    for layer in student.core.layers:
        if hasattr(layer, "kernel"):
            hidden = np.maximum(hidden @ layer.kernel.numpy() + layer.bias.numpy(), 0)
    return np.asarray(hidden @ student.output_layer.kernel.numpy()[:, 0])


def _embed_flat(student: RankingModel, categorical: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """Returns the joined vectors of all features, in the order of the student's layer."""
    layer = student.embedding
    if isinstance(layer, FeatureEmbedding):
        return _embed(layer, categorical, numeric).reshape(len(categorical), -1)
    parts = [
        _embed(part, categorical[:, places], numeric[:, :0]).reshape(len(categorical), -1)
        for part, places in zip(layer.parts, layer.places, strict=True)
    ]
    return np.concatenate(parts, axis=1)


_LOGIT_FUNCTIONS = {
    LogisticRegressionStudent: _compute_linear,
    FactorizationMachineStudent: _compute_factorization,
    RankingMLPStudent: _compute_mlp,
}
