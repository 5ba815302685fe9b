"""GPTQ rounding, against rounding to the nearest and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.backend import tf
from kd_tf.compress.gptq import (
    INT8_LEVELS,
    choose_row_scales,
    compute_second_moments,
    quantize_int4,
    quantize_int8,
    quantize_tables,
    quantize_with_feedback,
)
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.two_tower import TwoTowerStudent

V, L, d = 300, 8, 12


def some_table(seed: int = 0, rows: int = V + 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    table = random.normal(0, 1, (rows, d)) * np.arange(1, d + 1) ** -0.5
    table[0] = 0
    return table.astype(np.float32)


def some_moments(seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    vectors = random.normal(0, 1, (500, 3)) @ random.normal(0, 1, (3, d))
    vectors += 0.2 * random.normal(0, 1, (500, d))
    return vectors.T @ vectors / len(vectors)


def loss(error: np.ndarray, second_moments: np.ndarray) -> float:
    return float(np.einsum("ni,ij,nj->", error, second_moments, error))


def test_where_directions_are_independent_every_number_goes_to_the_nearest_step():
    table = some_table()
    whole = quantize_with_feedback(table, np.diag(np.arange(1.0, d + 1)), np.full((1, 1), 0.1), 50)
    np.testing.assert_array_equal(whole, np.clip(np.round(table / np.float32(0.1)), -50, 50))


def test_two_numbers_by_hand():
    # Users' two numbers are nearly the same, so only the sum matters: .4 + .4 is nearer to 1 + 0
    # than to 0 + 0.
    second_moments = np.array([[1.0, 0.999], [0.999, 1.0]])
    whole = quantize_with_feedback(
        np.array([[0.4, 0.4]], np.float32), second_moments, np.ones((1, 1)), 7
    )
    assert sorted(whole[0].tolist()) == [0, 1]


@given(st.integers(0, 50), st.sampled_from([7, 127]))
@settings(max_examples=25, deadline=None)
def test_products_with_users_are_nearer_than_with_nearest_steps(seed, levels):
    table, second_moments = some_table(seed), some_moments(seed + 1)
    batch = np.full((1, 1), np.abs(table).max() / levels, np.float32)
    whole = quantize_with_feedback(table, second_moments, batch, levels)
    assert np.array_equal(whole, np.round(whole))
    assert np.abs(whole).max() <= levels
    nearest = np.round(table / batch) * batch
    assert loss(whole * batch - table, second_moments) < loss(nearest - table, second_moments)


def test_the_step_of_bytes_is_found_again_from_the_largest_number():
    table = some_table()
    actual = quantize_int8(table, some_moments())
    batch = np.abs(actual).max() / INT8_LEVELS
    np.testing.assert_allclose(actual / batch, np.round(actual / batch), atol=1e-3)
    assert batch == pytest.approx(np.abs(table[1:]).max() / INT8_LEVELS, rel=1e-6)


def test_rows_of_four_bits_have_a_step_each_and_an_empty_row_none():
    table = some_table()
    table[5] = 0
    table[7] *= 100
    batch = choose_row_scales(table, some_moments())
    whole = quantize_int4(table, some_moments(), batch)
    assert batch[[0, 5]].tolist() == [0, 0]
    assert not whole[[0, 5]].any()
    assert batch[7] > 20 * np.median(batch)
    assert np.abs(whole).max() <= 7
    largest = np.abs(table).max(axis=1)
    assert (batch[1:] <= largest[1:] / 7 * 1.0001).all()


def test_the_chosen_steps_lose_less_than_those_that_reach_every_number():
    table, second_moments = some_table(), some_moments()
    chosen = choose_row_scales(table, second_moments)
    reaching = np.where(chosen > 0, np.abs(table).max(axis=1) / 7, 0).astype(np.float32)

    def lost(batch: np.ndarray) -> float:
        rounded = quantize_int4(table, second_moments, batch) * batch[:, np.newaxis]
        return loss((rounded - table)[1:], second_moments)

    assert lost(chosen) < 0.95 * lost(reaching)


def test_moments_are_those_of_users_vectors():
    student = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    histories = np.random.default_rng(2).integers(0, V + 1, (40, L)).astype(np.int32)
    vectors = [student.user_embeddings(tf.constant(row[None])).numpy()[0] for row in histories]
    expected = sum(np.outer(one, one) for one in vectors) / 40
    np.testing.assert_allclose(compute_second_moments(student, histories), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [MLPStudent, TwoTowerStudent])
def test_a_copy_has_rounded_tables_and_the_student_keeps_its_own(kind):
    student = kind(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    before = [weight.numpy().copy() for weight in student.weights]
    histories = np.random.default_rng(2).integers(0, V + 1, (40, L)).astype(np.int32)
    copy = quantize_tables(student, histories)
    for weight, old in zip(student.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    for name in student.quantized_weights:
        table, expected_scores = getattr(copy, name).numpy(), getattr(student, name).numpy()
        batch = np.abs(table).max() / INT8_LEVELS
        np.testing.assert_allclose(table / batch, np.round(table / batch), atol=1e-3)
        assert 0 < np.abs(table - expected_scores)[1:].max() < 10 * batch
    np.testing.assert_array_equal(copy.recency.numpy(), student.recency.numpy())


def test_an_item_kernel_is_returned_unchanged():
    student = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    assert quantize_tables(student, np.zeros((3, L), np.int32)) is student
