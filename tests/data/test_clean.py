import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.clean import clean
from kd_tf.data.interactions import Interactions
from kd_tf.errors import UserError


def table(
    rows: list[tuple[str, int, float, int]], *, ratings: bool = True, times: bool = True
) -> Interactions:
    """Interactions from (reader's own id, book, rating, time)."""
    names = list(dict.fromkeys(row[0] for row in rows))
    return Interactions(
        user=np.array([names.index(row[0]) for row in rows], np.int32),
        item=np.array([row[1] for row in rows], np.int32),
        rating=np.array([row[2] for row in rows], np.float32) if ratings else None,
        timestamp=np.array([row[3] for row in rows], np.int64) if times else None,
        user_ids=names,
        books=9,
    )


def triples(data: Interactions) -> list[tuple[str, int, float]]:
    return [
        (data.user_ids[user], int(item), float(rating))
        for user, item, rating in zip(data.user, data.item, data.rating, strict=True)
    ]


rows_of_a_table = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(1, 9), st.integers(1, 5), st.integers(-3, 3)),
    min_size=1,
    max_size=40,
)


def test_each_step_is_counted_by_hand():
    data = table(
        [
            ("a", 1, 5, 0),
            ("a", 2, 4, 0),
            ("a", 3, 2, 0),  # below
            ("b", 1, 3, 0),  # below, and all that b has
            ("c", 1, 4, 1),
            ("c", 1, 5, 2),
            ("c", 1, 4, 0),  # two of these three repeat
            ("d", 4, 4, 0),  # d and c have one book each
        ]
    )
    cleaned, steps = clean(data, min_rating=4, min_user_interactions=2)
    assert [(step.interactions, step.users) for step in steps] == [(2, 1), (2, 0), (2, 2)]
    assert [step.name.split()[0] for step in steps] == ["rating", "repeated", "reader"]
    assert triples(cleaned) == [("a", 1, 5), ("a", 2, 4)]
    assert cleaned.books == 9, "books that nobody reads any more keep their ids"


@settings(deadline=None)
@given(rows_of_a_table, st.none() | st.integers(1, 5), st.integers(2, 4), st.booleans())
def test_what_is_left_is_what_a_slow_loop_leaves(rows, min_rating, least, times):
    # The oracle: a dict keeps the last of those with the highest time, reader by reader.
    latest: dict[tuple[str, int], tuple[int, int]] = {}
    for index, (user, book, rating, time) in enumerate(rows):
        if min_rating is not None and rating < min_rating:
            continue
        key = (time if times else 0, index)
        latest[user, book] = max(latest.get((user, book), key), key)
    books_of = {user: sum(pair[0] == user for pair in latest) for user, _ in latest}
    kept = sorted(index for (user, _), (_, index) in latest.items() if books_of[user] >= least)
    data = table(rows, times=times)
    if not kept:
        with pytest.raises(UserError, match="no interactions are left"):
            clean(data, min_rating=min_rating, min_user_interactions=least)
        return
    cleaned, steps = clean(data, min_rating=min_rating, min_user_interactions=least)
    assert triples(cleaned) == [rows[index][:3] for index in kept]
    assert len(data) - sum(step.interactions for step in steps) == len(cleaned)
    assert data.users - sum(step.users for step in steps) == cleaned.users
    again, nothing = clean(cleaned, min_rating=min_rating, min_user_interactions=least)
    assert triples(again) == triples(cleaned)
    assert all(step.interactions == step.users == 0 for step in nothing)


def test_of_a_repeated_pair_the_newest_stays_and_of_equals_the_last_in_the_file():
    rows = [("a", 1, 5, 9), ("a", 1, 4, 7), ("a", 2, 1, 3), ("a", 2, 2, 3)]
    cleaned, _ = clean(table(rows), min_user_interactions=2)
    assert triples(cleaned) == [("a", 1, 5), ("a", 2, 2)]
    cleaned, _ = clean(table(rows, times=False), min_user_interactions=2)
    assert triples(cleaned) == [("a", 1, 4), ("a", 2, 2)]


def test_without_a_threshold_low_ratings_stay_and_ratings_are_not_needed():
    rows = [("a", 1, 1, 0), ("a", 2, 1, 0)]
    assert len(clean(table(rows), min_user_interactions=2)[0]) == 2
    cleaned, steps = clean(table(rows, ratings=False), min_user_interactions=2)
    assert len(cleaned) == 2
    assert len(steps) == 2


def test_a_threshold_without_ratings_is_refused():
    with pytest.raises(UserError, match="no ratings") as caught:
        clean(table([("a", 1, 1, 0)], ratings=False), min_rating=4)
    assert "rating column" in caught.value.hint


@pytest.mark.parametrize("least", [1, 0, -1])
def test_a_reader_needs_one_book_to_show_and_one_to_hide(least):
    with pytest.raises(UserError, match="2 or more"):
        clean(table([("a", 1, 1, 0)]), min_user_interactions=least)


def test_nothing_left_is_refused_with_what_each_step_took():
    with pytest.raises(UserError) as caught:
        clean(table([("a", 1, 1, 0), ("a", 2, 5, 0)]), min_rating=4, min_user_interactions=2)
    assert "rating below 4: 1 rows" in caught.value.what
    assert "fewer than 2 books: 1 rows" in caught.value.what
    with pytest.raises(UserError, match="no interactions are left"):
        clean(table([("a", 1, 1, 0)]), min_rating=4)
