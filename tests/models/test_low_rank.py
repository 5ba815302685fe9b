"""A product of two thin matrices; that scores are sums is tested in test_additive."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.low_rank import LowRankModel

V, L, d = 15, 5, 3
HISTORIES = [[3, 1, 4], [], [V, 2, 9, 14, 1]]


def model(**settings) -> LowRankModel:
    made = LowRankModel(**{"num_items": V, "max_length": L, "embedding_dim": d, **settings})
    made.create_weights()
    random = np.random.default_rng(0)
    made.assign(*(random.normal(0, 1, (V + 1, d)).astype(np.float32) for _ in range(2)))
    made.prior.assign(random.normal(0, 1, V + 1).astype(np.float32))
    return made


def test_an_item_of_the_history_is_read_left_and_a_candidate_right():
    made = model()
    expected = (
        made.input_factors.numpy()[3] @ made.output_factors.numpy()[7] + made.prior.numpy()[7]
    )
    actual = made(tf.constant([[3, 0, 0, 0, 0]])).numpy()[0, 7]
    assert actual == pytest.approx(expected, rel=1e-5)


def test_the_compact_model_differs_by_the_rounding_of_its_prior_alone():
    made = model()
    compact = made.pack()
    assert (made.is_quantized, compact.is_quantized) == (False, True)
    prior = made.prior.numpy()
    half_a_step = (prior.max() - prior.min()) / 255 / 2
    histories = from_lists(HISTORIES)
    rows = tf.constant(histories.pad(L))
    difference = (compact(rows) - made(rows)).numpy()
    assert 0 < np.abs(difference).max() <= half_a_step * 1.001 + 1e-6
    np.testing.assert_allclose(difference, [compact.prior.numpy() - prior] * 3, atol=1e-6)
    np.testing.assert_array_equal(compact.input_factors, made.input_factors)
    np.testing.assert_array_equal(compact.output_factors, made.output_factors)


@pytest.mark.parametrize("shape", [(V, d), (V + 2, d), (V + 1, d + 1), (V + 1,)])
@pytest.mark.parametrize("side", [0, 1])
def test_tables_of_another_shape_are_refused_and_nothing_is_taken(shape, side):
    made = model()
    before = made.get_weights()
    tables = [np.zeros((V + 1, d), np.float32) for _ in range(2)]
    tables[side] = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match="another catalog") as refused:
        made.assign(*tables)
    assert str(list(shape)) in str(refused.value)
    for old, now in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(now, old)


def test_a_model_of_no_dimensions_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        model(embedding_dim=0)


def test_both_tables_begin_at_numbers_of_their_own():
    made = LowRankModel(num_items=V, max_length=L, embedding_dim=d)
    assert made.input_factors.numpy().std() > 0
    assert np.abs(made.input_factors.numpy() - made.output_factors.numpy()).max() > 1e-3


def test_gradients_reach_both_tables_and_the_prior():
    made = model()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(tf.constant([[3, 1, 0, 0, 0]]))[:, 1:] ** 2)
    gradients = tape.gradient(total, made.trainable_weights)
    by = {
        weight.name.split(":")[0]: tf.convert_to_tensor(gradient).numpy()
        for weight, gradient in zip(made.trainable_weights, gradients, strict=True)
    }
    assert set(np.flatnonzero(by["input_factors"].any(axis=1))) == {1, 3}
    assert by["output_factors"][1:].all()
    assert by["prior"][1:].all()
