"""Target encodings by hand: no row knows its own label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.baselines.ranking.target_encoding import (
    MAX_SMOOTHING,
    MIN_SMOOTHING,
    NUM_FOLDS,
    encode_out_of_fold,
    fit_target_encoding,
)


@given(st.data())
def test_rows_of_training_are_encoded_by_the_other_folds(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    values = data.draw(st.integers(1, 3))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    ids, labels = random.integers(0, 5, (n, values)), random.random(n)
    encoding = fit_target_encoding(ids, labels, 6)
    assert MIN_SMOOTHING <= encoding.smoothing <= MAX_SMOOTHING
    actual = encode_out_of_fold(encoding, ids, labels, seed=3)
    fold = np.random.default_rng(3).permutation(n) % NUM_FOLDS
    for row in range(n):
        others = np.flatnonzero(fold != fold[row])
        row_values = [value for value in ids[row] if value or values == 1] or [0]
        weights = labels[others], encoding.smoothing

        def encode(value: int, others: np.ndarray = others, weights=weights) -> float:
            labels_of_others, smoothing = weights
            count = (ids[others] == value).sum(axis=1)
            if value == 0 and values > 1:
                count = np.zeros(len(others))
            share = np.average(labels[others]) if values == 1 else prior_of(others)
            return (count @ labels_of_others + smoothing * share) / (count.sum() + smoothing)

        def prior_of(others: np.ndarray) -> float:
            counts = (ids[others] != 0).sum(axis=1)
            return counts @ labels[others] / counts.sum() if counts.sum() else encoding.prior

        expected = np.mean([encode(value) for value in row_values])
        assert actual[row] == pytest.approx(expected)


def test_an_id_of_one_row_says_nothing_of_its_label() -> None:
    labels = np.random.default_rng(0).integers(0, 2, 2000).astype(np.float32)
    ids = np.arange(2000)[:, None]
    encoding = fit_target_encoding(ids, labels, 2000)
    assert np.ptp(encode_out_of_fold(encoding, ids, labels, seed=0)) < 0.02


def test_the_smoothing_is_the_variance_within_over_that_between() -> None:
    random = np.random.default_rng(1)
    means = 0.2 * random.standard_normal(3000)
    ids = np.repeat(np.arange(3000), random.integers(1, 20, 3000))
    labels = means[ids] + 0.6 * random.standard_normal(len(ids))
    assert fit_target_encoding(ids[:, None], labels, 3000).smoothing == pytest.approx(9, rel=0.15)


def test_ids_without_an_effect_are_drawn_to_the_mean() -> None:
    random = np.random.default_rng(2)
    ids, labels = random.integers(0, 500, (5000, 1)), random.random(5000)
    encoding = fit_target_encoding(ids, labels, 500)
    assert encoding.smoothing > 100
    assert encoding.encode(ids) == pytest.approx(0.5, abs=0.05)
