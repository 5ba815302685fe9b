"""Slices partition users and items."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.histories import from_lists
from kd_tf.data.split import HeldOutSet
from kd_tf.evaluation.slices import slice_held_out


def held_out(histories, targets, cold_items=None) -> HeldOutSet:
    return HeldOutSet(
        from_lists(histories),
        from_lists(targets),
        np.arange(len(histories), dtype=np.int32),
        cold_items=cold_items,
    )


def as_lists(part) -> list[tuple[int, list[int]]]:
    return [(int(row), part.targets[at].tolist()) for at, row in enumerate(part.rows)]


def test_slices_match_the_hand_computed_case() -> None:
    # Interactions 6, 4, 4, 4, 0: 18 in all, thirds begin at 6 and 12.
    popularity = np.array([0, 4, 6, 4, 0, 4])
    users = held_out([[1, 2, 3, 4], [], [1, 2, 3, 4, 5]], [[2, 4], [1, 3], [5]], np.array([4, 5]))
    actual = {part.name: as_lists(part) for part in slice_held_out(users, popularity)}
    assert actual == {
        "cold-users": [(0, [2, 4]), (1, [1, 3])],
        "warm-users": [(2, [5])],
        "cold-items": [(0, [4]), (1, [1, 3]), (2, [5])],
        "hidden-items": [(0, [4]), (2, [5])],
        "head-items": [(0, [2])],
        "middle-items": [(1, [1, 3])],
        "tail-items": [(0, [4]), (2, [5])],
    }


@given(
    popularity=st.lists(st.integers(0, 9), min_size=3, max_size=12),
    data=st.data(),
)
def test_users_and_items_are_each_in_one_part(popularity, data) -> None:
    items = len(popularity)
    some = st.lists(st.integers(1, items), unique=True, max_size=6)
    targets = data.draw(st.lists(some.filter(bool), min_size=1, max_size=6))
    histories = [data.draw(some) for _ in targets]
    users = held_out(histories, targets)
    actual = {part.name: part for part in slice_held_out(users, np.array([0, *popularity]))}
    assert all(len(part.rows) for part in actual.values()), "empty slices are left out"
    by_user = [actual[n].rows for n in ("cold-users", "warm-users") if n in actual]
    assert sorted(np.concatenate(by_user)) == list(range(len(targets)))
    pairs = []
    for name in ("head-items", "middle-items", "tail-items"):
        if name in actual:
            pairs += [(row, item) for row, held in as_lists(actual[name]) for item in held]
    everything = [(row, item) for row, held in enumerate(targets) for item in held]
    assert sorted(pairs) == sorted(everything)


def test_the_head_has_the_most_read_items() -> None:
    random = np.random.default_rng(0)
    popularity = np.concatenate([[0], random.integers(0, 100, 200)])
    everybody = held_out([[]], [list(range(1, 201))])
    actual = {part.name: part.targets[0] for part in slice_held_out(everybody, popularity)}
    head, middle, tail = (actual[f"{name}-items"] for name in ("head", "middle", "tail"))
    assert popularity[head].min() >= popularity[middle].max()
    assert popularity[middle].min() >= popularity[tail].max()
    third = popularity.sum() / 3
    assert abs(popularity[head].sum() - third) <= 100
    assert abs(popularity[middle].sum() - third) <= 100
    assert len(head) < len(middle) < len(tail)
