"""Files of large catalogs, whose packed ids and weights take 16 bits and more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from kd_tf.models.base import HistoryModel
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.convert import convert_quantized, quantize_student
from kd_tf.tflite.quantization import Quantization

L = 6


def make_neighbours(num_items: int) -> NeighboursStudent:
    random = np.random.default_rng(0)
    rows = np.repeat(np.arange(1, num_items + 1), 3)
    columns = random.integers(1, num_items + 1, len(rows))
    is_entry = rows != columns
    matrix = sparse.csr_array(
        (
            random.uniform(0.1, 1, is_entry.sum()).astype(np.float32),
            (rows[is_entry], columns[is_entry]),
        ),
        shape=(num_items + 1, num_items + 1),
    )
    prior = random.uniform(0, 1e-3, num_items + 1).astype(np.float32)
    return NeighboursStudent.from_matrix(matrix, max_length=L, prior=prior)


def make_residual(num_items: int) -> WeightedEnsemble:
    factors = FoldInModel(num_items, max_length=L, embedding_dim=4, bits=4)
    factors.create_weights()
    factors.assign(np.random.default_rng(1).normal(size=(num_items + 1, 4)).astype(np.float32))
    model = WeightedEnsemble(members=[make_neighbours(num_items), factors])
    model.create_weights()
    return model


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_neighbours, make_residual])
@pytest.mark.parametrize("num_items", [4095, 4096, 70_000])
@pytest.mark.parametrize("name", ["float32", "dynamic-int8"])
def test_a_file_of_a_large_catalog_opens_and_answers(
    make: Callable[[int], HistoryModel], num_items: int, name: str
) -> None:
    student, quantization = make(num_items), Quantization(name)
    content = convert_quantized(
        quantize_student(student, quantization, None),
        quantization,
        recommendations=10,
        candidates=5,
    )
    model = TFLiteModel(content)
    history = np.array([[num_items, 7, 3000, 0, 0, 0]], np.int32)
    ids, scores = model.recommend(history)
    expected = model.score(history[0], ids[0] if ids.ndim == 2 else ids)
    np.testing.assert_allclose(np.ravel(scores), expected, rtol=0.05, atol=1e-3)
