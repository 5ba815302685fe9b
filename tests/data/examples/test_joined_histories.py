import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.examples.joined_histories import draw_histories_of_every_length
from kd_tf.data.histories import from_lists

V = 12

# Repeated items and users without any occur in real data.
users = st.lists(st.lists(st.integers(1, V), max_size=9), max_size=6)


@given(users, st.integers(1, 2 * V), st.integers(1, 60), st.integers(0, 2**16))
def test_lengths_are_even_from_0_to_the_longest_and_no_item_repeats(rows, L, count, seed):
    drawn = draw_histories_of_every_length(
        from_lists(rows), max_length=L, num_items=V, count=count, seed=seed
    )
    assert len(drawn) == count
    longest = min(L, V)
    if count >= 2 * (longest + 1):
        assert set(drawn.lengths.tolist()) == set(range(longest + 1))
    assert (np.diff(drawn.lengths) >= 0).all()
    assert drawn.lengths[0] == 0
    for history in map(drawn.__getitem__, range(len(drawn))):
        assert len(set(history.tolist())) == len(history)
        assert set(history.tolist()) <= set(range(1, V + 1))


@given(users.filter(any), st.integers(1, V), st.integers(0, 2**16))
def test_a_history_ends_with_the_newest_items_of_a_user(rows, L, seed):
    drawn = draw_histories_of_every_length(
        from_lists(rows), max_length=L, num_items=V, count=20, seed=seed
    )
    newest_first = [list(dict.fromkeys(row[::-1])) for row in rows if row]
    for history in map(drawn.__getitem__, range(len(drawn))):
        backwards = history[::-1].tolist()
        assert any(backwards[: len(items)] == items[: len(backwards)] for items in newest_first)


def test_similar_users_are_joined_first_and_random_ones_as_well():
    # Two groups of users without a common item, 6 items each.
    rows = [
        [1, 2, 3],
        [2, 3, 4],
        [4, 5, 6],
        [1, 5, 6],
        [7, 8, 9],
        [8, 9, 10],
        [7, 11, 12],
        [9, 10, 12],
    ]
    groups = [set(range(1, 7)), set(range(7, 13))]
    mixed = np.zeros(2, int)
    for seed in range(20):
        drawn = draw_histories_of_every_length(
            from_lists(rows), max_length=5, num_items=V, count=12, seed=seed
        )
        for half in range(2):
            longest = set(drawn[10 + half].tolist())
            assert len(longest) == 5
            mixed[half] += not any(longest <= group for group in groups)
    assert mixed[0] == 0
    assert mixed[1] > 5
