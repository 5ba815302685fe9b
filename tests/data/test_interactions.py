import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.interactions import Interactions


def interactions(rows: list[tuple[int, int, float, int]], users: int, items: int) -> Interactions:
    user, item, rating, time = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Interactions(
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        rating=np.array(rating, np.float32),
        timestamp=np.array(time, np.int64),
        user_ids=[f"reader {number}" for number in range(users)],
        num_items=items,
    )


def rows_with_user_ids(data: Interactions) -> list[tuple[str, int, float, int]]:
    return [
        (data.user_ids[user], int(item), float(rating), int(time))
        for user, item, rating, time in zip(
            data.user, data.item, data.rating, data.timestamp, strict=True
        )
    ]


@st.composite
def tables(draw) -> Interactions:
    users, items = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    row = st.tuples(
        st.integers(0, users - 1), st.integers(1, items), st.integers(1, 5), st.integers(-9, 9)
    )
    everyone = [(user, 1, 3, 0) for user in range(users)]
    return interactions(everyone + draw(st.lists(row, max_size=20)), users, items)


@settings(deadline=None)
@given(tables(), st.data())
def test_keep_returns_the_selected_rows_unchanged_and_renumbers_users(table, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table))))
    kept = table.keep(mask)
    expected = [row for row, keep in zip(rows_with_user_ids(table), mask, strict=True) if keep]
    assert rows_with_user_ids(kept) == expected
    assert kept.num_items == table.num_items
    assert sorted(set(kept.user.tolist())) == list(range(kept.num_users))
    assert kept.user_ids == [
        name for name in table.user_ids if name in {row[0] for row in expected}
    ]
    assert (kept.user.dtype, kept.item.dtype) == (np.int32, np.int32)


@settings(deadline=None)
@given(tables(), st.data())
def test_keeping_twice_keeps_what_both_masks_keep(table, data):
    masks = st.lists(st.booleans(), min_size=len(table), max_size=len(table)).map(np.array)
    first, second = data.draw(masks), data.draw(masks)
    twice = table.keep(first).keep(second[first])
    assert rows_with_user_ids(twice) == rows_with_user_ids(table.keep(first & second))


def test_keep_of_a_table_without_ratings_and_times_has_none_either():
    table = Interactions(
        np.array([0, 1], np.int32), np.array([1, 1], np.int32), None, None, ["a", "b"], 1
    )
    kept = table.keep(np.array([False, True]))
    assert kept.rating is None
    assert kept.timestamp is None
    assert kept.user_ids == ["b"]


@pytest.mark.parametrize("item", [0, 4, -1])
def test_an_item_outside_the_catalog_is_refused(item):
    with pytest.raises(ValueError, match=r"1\.\.3"):
        interactions([(0, item, 5, 0)], 1, 3)


@pytest.mark.parametrize("name", ["item", "rating", "timestamp"])
def test_columns_of_different_length_are_refused(name):
    columns = {column: np.ones(2, np.int32) for column in ("user", "item", "rating", "timestamp")}
    columns[name] = np.ones(3, np.int32)
    with pytest.raises(ValueError, match=f"{name} has 3 rows, user has 2"):
        Interactions(**columns, user_ids=["a", "b"], num_items=1)
