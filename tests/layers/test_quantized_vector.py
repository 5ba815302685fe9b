"""One number per item: its bytes, and the error of one byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kd_tf.backend import tf
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.base import HistoryModel
from kd_tf.models.low_rank import LowRankModel
from kd_tf.training import checkpoint

V = 30


def vector(*, items: int = V, **settings) -> tuple[HistoryModel, QuantizedVector]:
    """A vector, and the model that it belongs to."""
    model = HistoryModel(num_items=items, max_length=2)
    return model, QuantizedVector(model, "some", **settings)


def stored(values: np.ndarray, **settings) -> np.ndarray:
    """What is read back."""
    _, kept = vector(items=len(values) - 1, **settings)
    kept.assign(values)
    return kept.numpy()


def floats(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """Vectors of numbers of any size, but none so small that float32 can hardly hold it."""
    elements = st.floats(low, high, width=32, allow_subnormal=False)
    arrays = hnp.arrays(np.float32, st.integers(2, 40), elements=elements)
    return arrays.map(lambda values: np.where(np.abs(values) < 1e-20, np.float32(0), values))


@settings(max_examples=40)
@given(floats(-1e6, 1e6))
def test_floats_are_kept_as_they_are(values):
    np.testing.assert_array_equal(stored(values, is_quantized=False), values)


@settings(max_examples=40)
@given(floats(-1e6, 1e6))
def test_even_values_are_within_half_a_step_of_the_float(values):
    batch = (float(values.max()) - float(values.min())) / 255
    actual = stored(values, is_quantized=True)
    # Beside the half step, float32 itself: a step may be smaller than what it can tell apart.
    allowed = batch / 2 * (1 + 1e-4) + 4 * float(np.spacing(np.abs(values).max()))
    assert np.abs(actual.astype(np.float64) - values).max() <= allowed


@settings(max_examples=40)
@given(floats(-1e6, 1e6))
def test_even_values_keep_the_least_and_the_largest(values):
    actual = stored(values, is_quantized=True)
    assert actual.min() == values.min()
    rounding = 1e-6 * (float(values.max()) - float(values.min()))
    assert actual.max() == pytest.approx(values.max(), rel=1e-6, abs=rounding)


@settings(max_examples=40)
@given(floats(0.0, 1e6), st.floats(1e-6, 1.0))
def test_ratio_values_are_within_half_a_ratio_step_of_the_float_and_0_stays_0(values, factor):
    values = (values * np.float32(factor)).astype(np.float32)
    mask = values > 0
    actual = stored(values, is_quantized=True, spacing="ratio")
    assert not actual[~mask].any()
    if mask.any():
        given_values = values[mask].astype(np.float64)
        batch = np.log(given_values.max() / given_values.min()) / 254
        error = np.abs(np.log(actual[mask] / given_values))
        assert error.max() <= batch / 2 + 3e-6


@settings(max_examples=40)
@given(floats(0.0, 1e6))
def test_square_values_have_the_nearest_root_and_0_is_0_alone(values):
    actual = stored(values, is_quantized=True, spacing="square")
    np.testing.assert_array_equal(actual == 0, values == 0)
    batch = np.sqrt(float(values.max())) / 255
    roots, expected = np.sqrt(actual.astype(np.float64)), np.sqrt(values.astype(np.float64))
    # But for numbers that would round to 0.
    allowed = np.where(expected < batch / 2, batch, batch / 2) * (1 + 1e-4) + 1e-6 * expected
    assert (np.abs(roots - expected) <= allowed).all()
    assert actual.max() == pytest.approx(values.max(), rel=1e-5)


def test_a_number_between_two_values_of_equal_ratio_gets_the_nearer():
    # 255 values from 1 to 2^127: every second one is a power of two, those between the roots.
    values = np.array([0, 1, 2, 3, 4, 5, 2.0**100, 2.0**127], np.float32)
    actual = stored(values, is_quantized=True, spacing="ratio").astype(np.float64)
    assert actual[0] == 0
    np.testing.assert_allclose(2 * np.log2(actual[1:]), [0, 2, 3, 4, 5, 200, 254], atol=1e-3)


@settings(max_examples=40)
@given(values=floats(0.0, 1e6), spacing=st.sampled_from(["even", "square", "ratio"]))
def test_what_was_coded_before_becomes_itself(values, spacing):
    once = stored(values, is_quantized=True, spacing=spacing)
    twice = stored(once, is_quantized=True, spacing=spacing)
    np.testing.assert_allclose(twice, once, rtol=3e-6)


@pytest.mark.parametrize("spacing", ["even", "square", "ratio"])
@pytest.mark.parametrize("value", [0.0, 0.37, 1e-20, 5e8])
def test_a_constant_vector_is_kept(spacing, value):
    values = np.full(V + 1, value, np.float32)
    np.testing.assert_allclose(
        stored(values, is_quantized=True, spacing=spacing), values, rtol=1e-6
    )


def test_a_constant_below_0_is_kept_at_even_distances():
    values = np.full(V + 1, -3.2, np.float32)
    np.testing.assert_array_equal(stored(values, is_quantized=True), values)


def test_256_values_at_even_distances_are_all_kept():
    values = np.random.default_rng(0).permutation(np.arange(256)).astype(np.float32) - 100
    np.testing.assert_allclose(stored(values, is_quantized=True), values, atol=1e-4)


@pytest.fixture(
    params=[
        {"is_quantized": False},
        *({"is_quantized": True, "spacing": spacing} for spacing in ("even", "square", "ratio")),
    ]
)
def filled(request) -> QuantizedVector:
    _, kept = vector(**request.param)
    kept.assign(np.random.default_rng(1).gamma(1, 1, V + 1).astype(np.float32))
    return kept


def test_all_is_what_numpy_reads(filled):
    for ids in ([[0, 0]], [[3, 1]], [[V, V]]):
        actual = filled.gather_all(tf.constant(ids))
        assert actual.dtype == tf.float32
        np.testing.assert_array_equal(actual, filled.numpy())
    assert filled.numpy().shape == (V + 1,)


def test_at_is_what_numpy_reads_in_the_shape_of_the_ids(filled):
    ids = np.random.default_rng(2).integers(0, V + 1, (3, 4, 5)).astype(np.int32)
    np.testing.assert_array_equal(filled.gather(tf.constant(ids)), filled.numpy()[ids])


def test_a_coded_vector_that_was_never_filled_is_0():
    _, kept = vector(is_quantized=True)
    assert not kept.numpy().any()


def test_floats_begin_with_the_initial_value():
    _, kept = vector(is_quantized=False, initial_value=-4.0)
    np.testing.assert_array_equal(kept.numpy(), np.full(V + 1, -4, np.float32))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"is_quantized": False}, 4 * (V + 1)),
        ({"is_quantized": True}, V + 1 + 8),
        ({"is_quantized": True, "spacing": "square"}, V + 1 + 4),
        ({"is_quantized": True, "spacing": "ratio"}, V + 1 + 1024),
    ],
)
def test_bytes_are_those_of_its_weights(settings, size):
    model, kept = vector(**settings)
    sizes = [weight.numpy().nbytes for weight in model.weights if "some" in weight.name]
    assert kept.num_bytes == sum(sizes) == size


def test_only_floats_are_trained():
    assert [
        len(vector(is_quantized=is_quantized)[0].trainable_weights)
        for is_quantized in (False, True)
    ] == [1, 0]


@pytest.mark.parametrize("is_quantized", [False, True])
@pytest.mark.parametrize("size", [1, V, V + 2])
def test_a_vector_of_another_catalog_is_refused(is_quantized, size):
    _, kept = vector(is_quantized=is_quantized)
    before = kept.numpy()
    with pytest.raises(ValueError, match=rf"\({size},\)"):
        kept.assign(np.ones(size, np.float32))
    np.testing.assert_array_equal(kept.numpy(), before)


@pytest.mark.slow
def test_a_converted_model_holds_the_bytes_and_not_the_floats_they_stand_for():
    items = 20_000
    model = LowRankModel(num_items=items, max_length=2, embedding_dim=1, is_quantized=True)
    model.create_weights()
    left, right, prior = np.random.default_rng(3).normal(size=(3, items + 1)).astype(np.float32)
    model.assign(left[:, None], right[:, None])  # different: equal tables would be stored once
    model.prior.assign(prior)
    signature = tf.TensorSpec([1, 2], tf.int32)
    traced = tf.function(model.call, input_signature=[signature]).get_concrete_function()
    file = tf.lite.TFLiteConverter.from_concrete_functions([traced], model).convert()
    tables = 2 * 4 * (items + 1)
    assert len(file) - tables < 2 * items


def test_a_saved_vector_keeps_its_codes(tmp_path):
    model = LowRankModel(num_items=V, max_length=2, embedding_dim=1, is_quantized=True)
    model.create_weights()
    model.prior.assign(np.random.default_rng(4).normal(size=V + 1).astype(np.float32))
    checkpoint.save(model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.prior.numpy(), model.prior.numpy())
