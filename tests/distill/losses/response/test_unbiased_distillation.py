import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.unbiased_distillation import (
    UnbiasedDistillation,
    split_by_popularity,
)

V, K = 30, 8


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.integers(1, 8))
def test_groups_part_the_items_by_popularity_into_about_equal_shares(read, groups):
    popularity = np.array([0, *read])
    group_of = split_by_popularity(popularity, groups)
    assert group_of[0] == -1
    assert ((group_of[1:] >= 0) & (group_of[1:] < groups)).all()
    for group in range(groups):
        inside = popularity[1:][group_of[1:] == group]
        later = popularity[1:][group_of[1:] > group]
        if len(inside) and len(later):
            assert inside.min() >= later.max()
        share = sum(read) / groups
        assert inside.sum() <= share + 2 * max(read) + 1e-9


def test_groups_by_hand():
    # 12 readings, 4 to a group: {3}, {1, 4}, the four others.
    assert split_by_popularity(np.array([0, 2, 1, 4, 2, 1, 1, 1]), 3).tolist() == [
        -1, 1, 2, 0, 1, 2, 2, 2,
    ]  # fmt: skip


def test_items_without_users_belong_to_a_group():
    assert split_by_popularity(np.zeros(5, np.int64), 3).tolist() == [-1, 0, 0, 0, 0]


def prepared(responses, popularity, **settings) -> UnbiasedDistillation:
    method = UnbiasedDistillation(**settings)
    method.build(responses.make_setup(popularity))
    return method


def test_the_loss_by_hand(responses):
    # Groups {1, 2} and {3, 4}. The teacher's 1 and 4 leave one pair in each: 1 before 2, 4 before
    # 3. Odds 3 to 1 are 3/4, odds 1 to 4 are 1/5.
    method = prepared(responses, [0, 5, 5, 4, 4], num_groups=2, num_pairs=40)
    batch = responses.make_batch(np.log([[1, 3, 1, 4, 1]]), [[1, 4]])
    expected = (np.log(4 / 3) + np.log(5)) / 2
    assert method.compute_loss(batch).numpy() == pytest.approx([expected], rel=1e-6)


def slopes_of(method, responses, ids, rows, logits=None):
    """The gradient of each example, [rows, V + 1]."""
    rng.set_seed(0)
    start = np.zeros(V + 1) if logits is None else logits
    logits = tf.Variable(np.tile(start, (rows, 1)), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = method.compute_loss(responses.make_batch(logits, np.tile(ids, (rows, 1))))
    return tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()


def test_no_pair_crosses_two_groups(responses):
    popularity = np.r_[0, np.full(10, 20), np.full(20, 10)]
    method = prepared(responses, popularity, num_groups=2, num_pairs=1)
    slopes = slopes_of(method, responses, [1, 11, 2, 12, 3, 13], 500)
    # With one pair a group what goes up in a group goes down there.
    np.testing.assert_allclose(slopes[:, 1:11].sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(slopes[:, 11:].sum(axis=1), 0, atol=1e-6)
    assert (np.abs(slopes[:, 1:11]).sum(axis=1) > 0).mean() > 0.5


def test_pairs_come_in_the_papers_odds(responses):
    method = prepared(responses, np.r_[0, np.ones(V)], num_groups=1, num_pairs=1, rank_decay=2.0)
    ids = [4, 7, 1]
    slopes = slopes_of(method, responses, ids, 8000)
    counts = np.zeros((3, V + 1))
    for row in slopes[(slopes != 0).any(axis=1)]:
        counts[ids.index(int(row.argmin())), row.argmax()] += 1
    expected = np.zeros((3, V + 1))
    for place in range(3):
        lower = np.setdiff1d(np.arange(1, V + 1), ids[: place + 1])
        expected[place, lower] = np.exp(-place / 2)
    np.testing.assert_allclose(counts / counts.sum(), expected / expected.sum(), atol=0.006)
    assert (counts[expected == 0] == 0).all()


def test_a_popular_item_does_not_lose_to_a_rare_one(responses):
    # The teacher prefers rare items; the student has not learned so, but has the order in groups.
    popularity = np.r_[0, np.full(10, 200), np.full(20, 100)]
    method = prepared(responses, popularity, num_groups=2, num_pairs=200)
    logits = np.r_[0, 100 - np.arange(10.0), -np.arange(20.0)] * 20
    actual = method.compute_loss(responses.make_batch([logits], [[11, 12, 13, 1, 2]]))
    np.testing.assert_allclose(actual, 0, atol=1e-5)


def test_a_worse_order_within_a_group_costs_more(responses):
    method = prepared(responses, np.r_[0, np.ones(V)], num_groups=2, num_pairs=400)
    losses = [
        float(
            method.compute_loss(
                responses.make_batch([slope * np.arange(V + 1)], [np.arange(1, K + 1)])
            )[0]
        )
        for slope in (-0.5, -0.1, 0.1, 0.5)
    ]
    assert losses == sorted(losses)
    assert losses[0] < np.log(2) < losses[-1]


def test_it_must_be_prepared(responses):
    with pytest.raises(ValueError, match="call build first"):
        UnbiasedDistillation().compute_loss(responses.make_batch(np.zeros((1, V + 1)), [[1, 2]]))


@pytest.mark.slow
def test_a_student_learns_the_teachers_order(responses):
    losses, before, after = responses.train(UnbiasedDistillation(num_groups=3), steps=60)
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert after > before + 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_groups": 0}, "num_groups must be at least 1, not 0"),
        ({"num_pairs": 0}, "num_pairs must be at least 1, not 0"),
        ({"rank_decay": float("nan")}, "rank_decay must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        UnbiasedDistillation(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(UnbiasedDistillation(3, 5, 2.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, UnbiasedDistillation)
    assert (loaded.num_groups, loaded.num_pairs, loaded.rank_decay) == (3, 5, 2.5)
