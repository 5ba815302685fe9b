"""Cleaning against a slow loop and hand-computed cases; every step counted."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.catalog import Catalog
from kd_tf.data.clean import CleaningRules, clean, describe_dropped_rows
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Counts, Interactions
from kd_tf.errors import UserError


def table(
    rows: list[tuple[str, int, float, int]], *, ratings: bool = True, times: bool = True
) -> Interactions:
    """Interactions from (user's own id, item, rating, time)."""
    names = list(dict.fromkeys(row[0] for row in rows))
    return Interactions(
        user=np.array([names.index(row[0]) for row in rows], np.int32),
        item=np.array([row[1] for row in rows], np.int32),
        rating=np.array([row[2] for row in rows], np.float32) if ratings else None,
        timestamp=np.array([row[3] for row in rows], np.int64) if times else None,
        user_ids=names,
        num_items=9,
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


def removed(steps) -> list[tuple[int, int]]:
    """Rows and users that each step took."""
    return [
        (
            batch.before.interactions - batch.after.interactions,
            batch.before.users - batch.after.users,
        )
        for batch in steps
    ]


def rules(**values) -> CleaningRules:
    return CleaningRules(**{"min_user_interactions": 2, **values})


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
            ("c", 1, 5, 2),  # and this one in every column
            ("d", 4, 4, 0),  # d and c have one item each
            ("e", 1, 5, 99),  # too late
        ]
    )
    cleaned, steps = clean(data, rules(min_rating=4, until=50))
    assert removed(steps) == [(1, 1), (1, 0), (2, 0), (2, 1), (2, 2)]
    assert [batch.name.split()[0] for batch in steps] == [
        *("time", "exact", "repeated", "rating", "user")
    ]
    assert steps[0].before == data.count() == Counts(10, 5, 4)
    assert steps[-1].after == cleaned.count() == Counts(2, 1, 2)
    for batch, following in itertools.pairwise(steps):
        assert batch.after == following.before
    assert triples(cleaned) == [("a", 1, 5), ("a", 2, 4)]
    assert cleaned.num_items == 9, "books that nobody reads any more keep their ids"


@settings(deadline=None)
@given(rows_of_a_table, st.none() | st.integers(1, 5), st.integers(2, 4), st.booleans())
def test_what_is_left_is_what_a_slow_loop_leaves(rows, min_rating, least, times):
    # The oracle: a dict keeps the last of those with the highest time, user by user; of rows
    # that are equal in every column the first counts.
    seen, latest = set(), {}
    for index, (user, item, rating, time) in enumerate(rows):
        same = (user, item, rating, time if times else None)
        if same in seen:
            continue
        seen.add(same)
        key = (time if times else 0, index)
        latest[user, item] = max(latest.get((user, item), key), key)
    # The rating that counts is that of the row that stays.
    latest = {
        pair: key
        for pair, key in latest.items()
        if min_rating is None or rows[key[1]][2] >= min_rating
    }
    items_of = {user: sum(pair[0] == user for pair in latest) for user, _ in latest}
    kept = sorted(index for (user, _), (_, index) in latest.items() if items_of[user] >= least)
    data = table(rows, times=times)
    expected = CleaningRules(min_rating=min_rating, min_user_interactions=least)
    if not kept:
        with pytest.raises(UserError, match="no interactions remain"):
            clean(data, expected)
        return
    cleaned, steps = clean(data, expected)
    assert triples(cleaned) == [rows[index][:3] for index in kept]
    assert len(data) - sum(rows for rows, _ in removed(steps)) == len(cleaned)
    assert data.num_users - sum(users for _, users in removed(steps)) == cleaned.num_users
    again, nothing = clean(cleaned, expected)
    assert triples(again) == triples(cleaned)
    assert set(removed(nothing)) == {(0, 0)}


def test_of_a_repeated_pair_the_newest_stays_and_of_equals_the_last_in_the_file():
    rows = [("a", 1, 5, 9), ("a", 1, 4, 7), ("a", 2, 1, 3), ("a", 2, 2, 3)]
    cleaned, _ = clean(table(rows), rules())
    assert triples(cleaned) == [("a", 1, 5), ("a", 2, 2)]
    cleaned, _ = clean(table(rows, times=False), rules())
    assert triples(cleaned) == [("a", 1, 4), ("a", 2, 2)]


REPEATED = [("a", 1, 5, 1), ("a", 1, 2, 3), ("a", 1, 3, 2), ("a", 2, 4, 0)]


@pytest.mark.parametrize(
    ("policy", "rating", "time"), [("last", 2, 3), ("max", 5, 1), ("mean", 10 / 3, 3)]
)
def test_the_policy_decides_what_stays_of_a_repeated_pair(policy, rating, time):
    cleaned, _ = clean(table(REPEATED), rules(duplicates=policy))
    assert triples(cleaned) == [("a", 1, pytest.approx(rating)), ("a", 2, 4)]
    assert cleaned.timestamp.tolist() == [time, 0]


def test_a_repeated_pair_can_be_an_error_but_an_exact_repeat_is_none():
    with pytest.raises(UserError, match="user 'a' has catalog item 1"):
        clean(table(REPEATED), rules(duplicates="error"))
    exact = [("a", 1, 5, 1), ("a", 1, 5, 1), ("a", 2, 4, 0)]
    assert len(clean(table(exact), rules(duplicates="error"))[0]) == 2


@pytest.mark.parametrize("policy", ["max", "mean"])
def test_a_policy_of_ratings_needs_ratings(policy):
    with pytest.raises(UserError, match="no ratings"):
        clean(table(REPEATED, ratings=False), rules(duplicates=policy))


@given(rows_of_a_table)
def test_mean_ratings_agree_with_a_slow_loop(rows):
    cleaned, _ = clean(table([("z", 1, 1, 0), ("z", 2, 1, 0), *rows]), rules(duplicates="mean"))
    distinct = list(dict.fromkeys([("z", 1, 1, 0), ("z", 2, 1, 0), *rows]))
    for user, item, rating in triples(cleaned):
        ratings = [r for u, b, r, _ in distinct if (u, b) == (user, item)]
        assert rating == pytest.approx(np.mean(ratings), abs=1e-6)


@settings(deadline=None)
@given(rows_of_a_table, st.integers(2, 4), st.integers(1, 4))
def test_the_core_is_the_largest_in_which_all_have_enough(rows, users, items):
    pairs = {(user, item) for user, item, *_ in rows}
    while True:
        readers = {u for u, _ in pairs if sum(x == u for x, _ in pairs) >= users}
        books = {b for _, b in pairs if sum(x == b for _, x in pairs) >= items}
        remaining = {(u, b) for u, b in pairs if u in readers and b in books}
        if remaining == pairs:
            break
        pairs = remaining
    expected = rules(min_user_interactions=users, min_item_interactions=items)
    if not pairs:
        with pytest.raises(UserError, match="no interactions remain"):
            clean(table(rows), expected)
        return
    cleaned, _ = clean(table(rows), expected)
    assert {(user, item) for user, item, _ in triples(cleaned)} == pairs


def test_the_core_step_names_its_number_of_rounds():
    rows = [("a", 1), ("a", 2), ("b", 2), ("b", 3), ("c", 3), ("c", 4), ("d", 5), ("d", 6)]
    rows += [("e", 5), ("e", 6)]
    data = table([(user, item, 1, 0) for user, item in rows])
    cleaned, steps = clean(data, rules(min_item_interactions=2))
    assert {user for user, *_ in triples(cleaned)} == {"d", "e"}
    # a and c lose an item, then b both of its own.
    assert "3 rounds" in steps[-1].name or "4 rounds" in steps[-1].name


def test_users_beyond_the_quantile_go_and_those_at_it_stay():
    rows = [
        (user, item, 1, 0)
        for user, n in zip("abcde", (2, 2, 3, 3, 9), strict=True)
        for item in range(1, n + 1)
    ]
    cleaned, steps = clean(table(rows), rules(max_user_quantile=0.75))
    assert set(cleaned.user_ids) == set("abcd")
    assert "more than 3 items (quantile 0.75)" in steps[-2].name


@pytest.mark.parametrize(
    ("since", "until", "remaining"), [(2, None, [2, 3]), (None, 2, [0, 1]), (1, 3, [1, 2])]
)
def test_the_time_range_has_its_beginning_and_not_its_end(since, until, remaining):
    rows = [("a", item, 1, item) for item in range(1, 4)] + [("a", 9, 1, 0)]
    cleaned, _ = clean(table(rows), rules(since=since, until=until))
    assert sorted(cleaned.timestamp) == remaining


def test_weights_are_ratings_their_logarithm_or_counts():
    rows = [("a", 1, 3, 0), ("a", 1, 5, 1), ("a", 2, 1, 0)]
    for weights, expected in (
        ("rating", [5, 1]),
        ("log", [1 + np.log(6), 1 + np.log(2)]),
        ("count", [2, 1]),
    ):
        cleaned, _ = clean(table(rows), rules(weights=weights))
        np.testing.assert_allclose(cleaned.weight, expected, rtol=1e-6)
        assert cleaned.weight.dtype == np.float32
    assert clean(table(rows), rules())[0].weight is None
    mean, _ = clean(table(rows), rules(weights="rating", duplicates="mean"))
    np.testing.assert_allclose(mean.weight, [4, 1])


@pytest.mark.parametrize(("weights", "rating"), [("rating", 0), ("rating", -1), ("log", -1)])
def test_ratings_that_make_no_weight_are_refused(weights, rating):
    with pytest.raises(UserError, match="lowest"):
        clean(table([("a", 1, 5, 0), ("a", 2, rating, 0)]), rules(weights=weights))


def test_rows_that_the_source_dropped_are_the_first_steps():
    data = table([("a", 1, 1, 0), ("a", 2, 1, 0)])
    catalog = Catalog(pl.DataFrame({"item_id": [str(i) for i in range(9)]}))
    dataset = Dataset("t", data, catalog, dropped_rows={"bad row": 3, "implicit": 5})
    steps = describe_dropped_rows(dataset)
    assert [(batch.name, *removed([batch])[0]) for batch in steps] == [
        ("bad row", 3, 0),
        ("implicit", 5, 0),
    ]
    assert steps[0].before.interactions == 10
    assert steps[0].after == steps[1].before
    assert steps[-1].after == data.count()


def test_without_a_threshold_low_ratings_stay_and_ratings_are_not_needed():
    rows = [("a", 1, 1, 0), ("a", 2, 1, 0)]
    assert len(clean(table(rows), rules())[0]) == 2
    cleaned, steps = clean(table(rows, ratings=False), rules())
    assert len(cleaned) == 2
    assert len(steps) == 3


def test_a_rule_without_its_column_is_refused():
    with pytest.raises(UserError, match="no ratings") as caught:
        clean(table([("a", 1, 1, 0)], ratings=False), rules(min_rating=4))
    assert "rating column" in caught.value.hint
    with pytest.raises(UserError, match="no timestamps"):
        clean(table([("a", 1, 1, 0)], times=False), rules(since=4))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_user_interactions": 1}, "2 or more"),
        ({"min_item_interactions": 0}, "1 or more"),
        ({"since": 5, "until": 5}, "before until"),
        ({"min_rating": float("nan")}, "finite"),
        ({"weights": "heavy"}, "one of none"),
        ({"duplicates": "first"}, "one of last"),
        ({"max_user_quantile": 1.0}, "below 1"),
    ],
)
def test_rules_out_of_range_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        CleaningRules(**values)


def test_nothing_left_is_refused_with_what_each_step_took():
    with pytest.raises(UserError) as caught:
        clean(table([("a", 1, 1, 0), ("a", 2, 5, 0)]), rules(min_rating=4))
    assert "rating below 4: 1 row;" in caught.value.what
    assert caught.value.what.endswith("fewer than 2 items: 1 row")
    with pytest.raises(UserError, match="no interactions remain"):
        clean(table([("a", 1, 1, 0)]), rules(min_rating=4))


def make_users(*sizes: int) -> Interactions:
    """Users of so many of nine items each."""
    rows = [(f"u{user}", item + 1, 5, 0) for user, size in enumerate(sizes) for item in range(size)]
    return table(rows)


@pytest.mark.parametrize(
    ("sizes", "num_kept", "minimum", "note"),
    [
        # 20 users with five items are enough to lose the others.
        ([5] * 20 + [4] * 9 + [2] * 99, 20, 5, None),
        ([5] * 19 + [4] * 9 + [2] * 99, 28, 4, "only 19 of these 28 have 5"),
        ([5] * 3 + [4] * 3 + [3] * 14 + [2], 20, 3, "only 3 of these 20 have 5"),
        ([5, 3, 2, 2, 1], 4, 2, "only 1 of these 4 have 5"),
        ([2, 2], 2, 2, "only 0 of these 2 have 5"),
        # Nobody is kept by a lower minimum.
        ([9, 5, 1], 2, 5, None),
    ],
)
def test_the_default_minimum_is_lowered_where_few_users_have_five_items(
    sizes, num_kept, minimum, note
):
    cleaned, steps = clean(make_users(*sizes))
    assert cleaned.num_users == num_kept
    assert steps[-1].name == f"user with fewer than {minimum} items"
    assert (note in steps[-1].note) if note else steps[-1].note is None


@settings(deadline=None)
@given(rows_of_a_table, st.integers(2, 5))
def test_a_minimum_that_was_set_is_never_lowered(rows, minimum):
    data = table(rows)
    expected = {
        name for name in data.user_ids if len({row[1] for row in rows if row[0] == name}) >= minimum
    }
    if not expected:
        with pytest.raises(UserError, match="no interactions remain"):
            clean(data, rules(min_user_interactions=minimum))
    else:
        cleaned, steps = clean(data, rules(min_user_interactions=minimum))
        assert set(cleaned.user_ids) == expected
        assert steps[-1].note is None


def test_an_empty_core_says_what_to_do():
    with pytest.raises(UserError) as caught:
        clean(make_users(4, 3), rules(min_user_interactions=5))
    assert "set cleaning.min_user_interactions to 4 or less" in caught.value.hint
    with pytest.raises(UserError) as caught:
        clean(make_users(1, 1))
    assert caught.value.what.endswith("user with fewer than 2 items: 2 rows")
    assert "No user has two items" in caught.value.hint
