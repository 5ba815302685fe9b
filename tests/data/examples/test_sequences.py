import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.examples.sequences import draw_sequence_examples
from kd_tf.data.histories import from_lists
from kd_tf.errors import UserError

# Each user's items are distinct, at least two of them.
users = st.lists(
    st.lists(st.integers(1, 60), min_size=2, max_size=9, unique=True), min_size=1, max_size=6
)


def items(row: np.ndarray) -> list[int]:
    """The ids of a padded row, after checking that zeros stand only at the end."""
    actual = row[row > 0].tolist()
    assert row.tolist() == actual + [0] * (len(row) - len(actual))
    return actual


@given(users, st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**16))
def test_ordered_targets_directly_follow_the_newest_items_of_the_input(rows, L, M, seed):
    samples = draw_sequence_examples(
        from_lists(rows), num_passes=3, max_length=L, num_targets=M, chronological=True, seed=seed
    )
    assert samples.history.dtype == samples.targets.dtype == np.int32
    assert samples.history.shape == (3, len(rows), L)
    assert samples.targets.shape == (3, len(rows), M)
    assert samples.num_passes == 3
    for one_pass in range(3):
        for row, whole in enumerate(rows):
            target = items(samples.targets[one_pass, row])
            cut = whole.index(target[0])
            assert target == whole[cut : cut + M]
            assert items(samples.history[one_pass, row]) == whole[max(cut - L, 0) : cut]


@given(users, st.booleans(), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**16))
def test_an_example_holds_items_of_its_own_user_each_at_most_once(rows, ordered, L, M, seed):
    samples = draw_sequence_examples(
        from_lists(rows),
        num_passes=2,
        max_length=L,
        num_targets=M,
        chronological=ordered,
        seed=seed,
    )
    for one_pass in range(2):
        for row, whole in enumerate(rows):
            history = items(samples.history[one_pass, row])
            target = items(samples.targets[one_pass, row])
            assert target, "every example has something to find"
            assert not set(history) & set(target)
            assert len({*history, *target}) == len(history) + len(target)
            assert {*history, *target} <= set(whole)


@given(users, st.integers(0, 2**16))
def test_without_order_history_and_targets_are_a_permutation_of_the_items(rows, seed):
    samples = draw_sequence_examples(
        from_lists(rows), num_passes=2, max_length=9, num_targets=9, chronological=False, seed=seed
    )
    for one_pass in range(2):
        for row, whole in enumerate(rows):
            together = items(samples.history[one_pass, row]) + items(samples.targets[one_pass, row])
            assert sorted(together) == sorted(whole)


def test_without_order_every_item_comes_first_equally_often():
    samples = draw_sequence_examples(
        from_lists([[1, 2, 3, 4]] * 4000),
        num_passes=1,
        max_length=4,
        num_targets=4,
        chronological=False,
        empty_share=0.0,
        seed=0,
    )
    share = np.bincount(samples.history[0, :, 0], minlength=5)[1:] / 4000
    np.testing.assert_allclose(share, 0.25, atol=0.03)


def test_short_inputs_are_as_likely_as_long_ones():
    samples = draw_sequence_examples(
        from_lists([[1, 2, 3, 4, 5]] * 4000),
        num_passes=1,
        max_length=4,
        num_targets=4,
        chronological=True,
        empty_share=0.0,
        seed=0,
    )
    share = np.bincount((samples.history[0] > 0).sum(axis=1), minlength=5) / 4000
    assert share[0] == 0
    np.testing.assert_allclose(share[1:], 0.25, atol=0.03)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_configured_share_of_inputs_is_empty_and_still_has_targets(share):
    samples = draw_sequence_examples(
        from_lists([[1, 2, 3]] * 4000),
        num_passes=1,
        max_length=3,
        num_targets=2,
        chronological=True,
        empty_share=share,
        seed=3,
    )
    empty = (samples.history[0] == 0).all(axis=1)
    assert abs(empty.mean() - share) <= (0.03 if 0 < share < 1 else 0)
    assert (samples.targets[0][empty] == [1, 2]).all()


@pytest.mark.parametrize("ordered", [True, False])
def test_the_seed_alone_decides_and_passes_differ(ordered):
    histories = from_lists([list(range(1, 21)), list(range(21, 41)), list(range(41, 61))] * 5)

    def drawn(seed):
        return draw_sequence_examples(
            histories, num_passes=2, max_length=8, num_targets=8, chronological=ordered, seed=seed
        )

    one, same, other = drawn(1), drawn(1), drawn(2)
    np.testing.assert_array_equal(one.history, same.history)
    np.testing.assert_array_equal(one.targets, same.targets)
    assert (one.history != other.history).any()
    assert (one.history[0] != one.history[1]).any()


def test_histories_with_fewer_than_two_items_give_no_examples():
    histories = from_lists([[1, 2, 3], [], [4], [5, 6]])
    examples = draw_sequence_examples(
        histories, num_passes=2, max_length=3, num_targets=2, chronological=True, seed=0
    )
    assert examples.examples_per_pass == 2
    assert not np.isin([4], examples.history).any()
    with pytest.raises(UserError, match="two items to learn from"):
        draw_sequence_examples(
            from_lists([[1], []]),
            num_passes=1,
            max_length=3,
            num_targets=2,
            chronological=True,
            seed=0,
        )
