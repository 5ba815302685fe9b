"""Item scores by an exponential kernel of item embeddings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.students import item_kernel
from kd_tf.models.students.item_kernel import MASKED_BIAS, ItemKernelStudent

V, L, d = 60, 6, 5


def numbers(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A table and biases as fitting leaves them: row 0 and some items never count."""
    random = np.random.default_rng(seed)
    table = random.normal(0, 0.5, (V + 1, d)).astype(np.float32)
    target_bias = random.normal(0, 1, V + 1).astype(np.float32)
    history_bias = random.normal(-4, 1, V + 1).astype(np.float32)
    target_bias[0] = history_bias[0] = history_bias[7] = history_bias[V] = MASKED_BIAS
    return table, target_bias, history_bias


def model(*some: np.ndarray, prior: bool = True) -> ItemKernelStudent:
    made = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    made.create_weights()
    made.assign(*(some or numbers()))
    if prior:
        random = np.random.default_rng(9)
        made.prior.assign(random.uniform(0, 0.01, V + 1).astype(np.float32))
    return made


def padded(*items: int) -> list[int]:
    return [*items] + [0] * (L - len(items))


some_items = st.lists(st.integers(1, V), max_size=L, unique=True)


def by_loop(made: ItemKernelStudent, items: list[int]) -> np.ndarray:
    """float64 [V], one number after the other."""
    table, target_bias, history_bias = numbers()
    scores = []
    for item in range(1, V + 1):
        score = float(made.prior.numpy()[item])
        for read in items:
            inner = sum(float(a) * float(b) for a, b in zip(table[read], table[item], strict=True))
            score += math.exp(inner + float(target_bias[item]) + float(history_bias[read]))
        scores.append(score)
    return np.array(scores)


@settings(max_examples=15)
@given(items=some_items)
def test_scores_are_those_of_a_loop_over_the_formula(items):
    made = model()
    expected = by_loop(made, items)
    actual = made(tf.constant([padded(*items)], tf.int32)).numpy()[0, 1:]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    outside = made.numpy_scores(from_lists([items]))[0, 1:]
    np.testing.assert_allclose(outside, expected, rtol=1e-5)


def test_many_users_of_many_items_are_scored_outside_tensorflow_block_by_block(monkeypatch):
    made = model()
    random = np.random.default_rng(2)
    histories = from_lists(
        [random.choice(V, size, replace=False) + 1 for size in [0, 1, 3, L] * 10]
    )
    expected = made(tf.constant(histories.pad(L))).numpy()
    for at_once in (1, 7, V - 1, 256):
        monkeypatch.setattr(item_kernel, "_BLOCK_SIZE", at_once)
        np.testing.assert_allclose(made.numpy_scores(histories), expected, rtol=1e-4)


def test_an_item_that_never_counts_adds_nothing_and_a_candidate_that_never_does_gets_nothing():
    table, target_bias, history_bias = numbers()
    target_bias[11] = MASKED_BIAS
    made = model(table, target_bias, history_bias)
    alone, empty, other = made(tf.constant([padded(7), padded(), padded(3)])).numpy()
    np.testing.assert_array_equal(alone, empty)
    assert other[11] == empty[11]
    assert (other[1:11] > empty[1:11]).all()


def test_every_item_speaks_for_every_other_and_never_against_it():
    made = model(prior=False)
    similar = made.similar(tf.constant([3, 9])).numpy()
    assert (similar[:, 1:] > 0).all()


def test_the_matrix_has_a_far_higher_rank_than_the_table():
    table, *biases = numbers()
    made = model(2 * table, *biases, prior=False)
    added = made.similar(tf.range(1, V + 1)).numpy()[:, 1:].astype(np.float64)
    singular = np.linalg.svd(added, compute_uv=False)
    assert (singular > 1e-4 * singular[0]).sum() > 4 * d


def test_the_compact_student_is_as_close_as_two_half_steps_of_its_biases():
    made = model()
    compact = made.pack()
    biases = numbers()[1:]
    # A NEVER is brought within 10 of the lowest other: the span that 255 steps share.
    spans = [
        one[one > MASKED_BIAS / 2].max() - one[one > MASKED_BIAS / 2].min() + 10 for one in biases
    ]
    half_steps = sum(spans) / 255 / 2
    assert half_steps < 0.07
    counted = np.setdiff1d(np.arange(1, V + 1), [7, V])
    ids = tf.constant(counted, tf.int32)
    ratio = compact.item_scores(ids).numpy()[:, 1:] / made.item_scores(ids).numpy()[:, 1:]
    assert np.abs(np.log(ratio)).max() <= half_steps * 1.001 + 1e-5
    assert np.abs(np.log(ratio)).max() > half_steps / 10
    np.testing.assert_array_equal(compact.table.numpy(), made.table.numpy())
    half_a_step = np.ptp(made.prior.numpy()) / 255 / 2
    assert np.abs(compact.prior.numpy() - made.prior.numpy()).max() <= half_a_step * 1.001


def test_an_item_that_never_counts_is_next_to_silent_in_the_compact_student():
    made = model()
    compact = made.pack()
    added = compact.item_scores(tf.constant([7, V])).numpy()[:, 1:]
    others = made.item_scores(tf.constant(np.setdiff1d(np.arange(1, V), [7]), tf.int32)).numpy()[
        :, 1:
    ]
    assert added.sum(axis=1).max() < 1e-3 * np.median(others.sum(axis=1))


def test_a_student_of_items_that_all_never_count_can_be_compact():
    table = numbers()[0]
    never = np.full(V + 1, MASKED_BIAS, np.float32)
    made = model(table, never, never)
    rows = tf.constant([padded(1, 2, 3), padded()])
    compact = made.pack()(rows).numpy()
    # Column 0 means nothing.
    np.testing.assert_allclose(compact[:, 1:], made(rows)[:, 1:], atol=0.01 / 255)


def test_of_a_compact_student_only_the_table_is_left_in_floats():
    compact = model().pack()
    names = {weight.name.split(":")[0] for weight in compact.trainable_weights}
    assert names == {"table"}
    assert all(
        one.is_quantized for one in (compact.prior, compact.target_bias, compact.history_bias)
    )


def test_gradients_reach_the_table_on_both_sides_and_both_biases():
    made = model()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(tf.constant([padded(3, 1)]))[:, 9])
    by = {
        weight.name.split(":")[0]: tf.convert_to_tensor(gradient).numpy()
        for weight, gradient in zip(
            made.trainable_weights, tape.gradient(total, made.trainable_weights), strict=True
        )
    }
    assert set(np.flatnonzero(by["table"].any(axis=1))) == {1, 3, 9}
    assert set(np.flatnonzero(by["target_bias"])) == {9}
    assert set(np.flatnonzero(by["history_bias"])) == {1, 3}
    # By the bias of the candidate: the score without the prior; each item's is its own part.
    parts = made.contributions(tf.constant([padded(3, 1)]), tf.constant([9])).numpy()[0]
    assert by["history_bias"][3] == pytest.approx(parts[0], rel=1e-5)
    assert by["history_bias"][1] == pytest.approx(parts[1], rel=1e-5)
    assert by["target_bias"][9] == pytest.approx(parts.sum(), rel=1e-5)


@pytest.mark.parametrize("shape", [(V, d), (V + 2, d), (V + 1, d + 1), (V + 1,)])
def test_a_table_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="another catalog") as refused:
        model().assign(np.zeros(shape, np.float32), *numbers()[1:])
    assert str(list(shape)) in str(refused.value)


@pytest.mark.parametrize(("which", "size"), [(1, V + 2), (2, V), (2, 1)])
def test_biases_of_another_catalog_are_refused_and_change_nothing(which, size):
    made = model()
    before = made.get_weights()
    some = list(numbers(seed=1))
    some[which] = np.zeros(size, np.float32)
    with pytest.raises(ValueError, match=str(size)):
        made.assign(*some)
    for old, now in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(now, old)


def test_a_student_of_no_dimensions_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        ItemKernelStudent(num_items=V, max_length=L, embedding_dim=0)
