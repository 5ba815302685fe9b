"""Histories of every length: files whose training users had three books each (see `calibration`).

Everything here is computed without the checks that a run makes.
"""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.distill.warm_start import WARM_STARTS
from kd_tf.models.batch_scoring import compute_scores
from kd_tf.models.students import STUDENTS, TRAINED_STUDENTS
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.parity import TOLERANCES
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

V, L, K = 250, 10, 20

EVERY_FILE = [
    (name, form)
    for name, kind in STUDENTS.items()
    if name in TRAINED_STUDENTS or name in WARM_STARTS
    for form in Quantization
    if form.value in kind.quantizations
]


@pytest.fixture(scope="module")
def by_length(split) -> np.ndarray:
    """int32 [L + 1, 12, L]: books that one user read together, and books at random."""
    random = np.random.default_rng(0)
    long_ones = [row for row in split.test.histories.pad(L) if row.all()]
    rows = np.zeros((L + 1, 12, L), np.int32)
    for length in range(L + 1):
        for k in range(12):
            items = long_ones[k] if k < 6 else 1 + random.permutation(V)
            rows[length, k, :length] = items[:length]
    return rows


@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_recommend_and_score_mean_the_same_at_every_length(
    file, student, started, by_length, name, form
):
    model = TFLiteModel(file(name, form))
    float_student = started(name) if name in WARM_STARTS else student(name)
    bound = TOLERANCES[form].max_score_error
    for histories in by_length:
        expected = compute_scores(float_student, histories)
        for history, row in zip(histories, expected, strict=True):
            ids, listed = model.recommend(history)
            # Errors count beside the largest score of a book that can be recommended.
            unread = np.delete(row, np.append(history, 0))
            allowed = bound * np.abs(unread).max()
            np.testing.assert_allclose(listed[:10], row[ids[:10]], atol=allowed, rtol=0)
            np.testing.assert_allclose(model.score(history, ids), listed, atol=allowed, rtol=0)


@pytest.mark.parametrize("name", ["mlp", "shallow-cnn"])
def test_long_histories_keep_their_ten_best_in_int8(file, student, by_length, name):
    model, overlap = TFLiteModel(file(name, Quantization.INT8)), []
    for histories in by_length:
        expected = compute_scores(student(name), histories)
        for history, row in zip(histories, expected, strict=True):
            row[np.append(history, 0)] = -np.inf
            best = set(np.argsort(-row)[:10].tolist())
            overlap.append(len(best & set(model.recommend(history)[0][:10].tolist())) / 10)
    overlap = np.reshape(overlap, (L + 1, -1)).mean(axis=1)
    # Not of an empty history: there are a dozen equal ones.
    assert overlap[1:].min() > 0.9
