"""Rounding of numbers to the grid of a few bits."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.layers.fake_quantize import fake_quantize


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("by_row", [True, False])
def test_rounded_numbers_lie_on_the_grid_and_within_half_a_step(bits: int, by_row: bool):
    table = np.random.default_rng(0).normal(0, [[1.0], [5.0], [0.01]], (3, 50)).astype(np.float32)
    actual = fake_quantize(table, bits, per_row=by_row)
    levels = 2 ** (bits - 1) - 1
    largest = np.abs(table).max(axis=1 if by_row else None, keepdims=True)
    steps = actual / (largest / levels)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert (np.abs(actual - table) <= largest / levels / 2 * 1.001).all()
    np.testing.assert_allclose(fake_quantize(actual, bits, per_row=by_row), actual, rtol=1e-5)


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_outside_the_range_are_refused(bits: int):
    with pytest.raises(ValueError, match=str(bits)):
        fake_quantize(np.ones((2, 2), np.float32), bits)
