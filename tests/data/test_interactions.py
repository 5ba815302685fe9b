import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.catalog import Catalog
from kd_tf.data.interactions import Interactions, from_frame
from kd_tf.errors import UserError


def interactions(rows: list[tuple[int, int, float, int]], users: int, books: int) -> Interactions:
    user, item, rating, time = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Interactions(
        user=np.array(user, np.int32),
        item=np.array(item, np.int32),
        rating=np.array(rating, np.float32),
        timestamp=np.array(time, np.int64),
        user_ids=[f"reader {number}" for number in range(users)],
        num_items=books,
    )


def with_own_ids(data: Interactions) -> list[tuple[str, int, float, int]]:
    return [
        (data.user_ids[user], int(item), float(rating), int(time))
        for user, item, rating, time in zip(
            data.user, data.item, data.rating, data.timestamp, strict=True
        )
    ]


@st.composite
def tables(draw) -> Interactions:
    users, books = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    row = st.tuples(
        st.integers(0, users - 1), st.integers(1, books), st.integers(1, 5), st.integers(-9, 9)
    )
    everyone = [(user, 1, 3, 0) for user in range(users)]
    return interactions(everyone + draw(st.lists(row, max_size=20)), users, books)


@settings(deadline=None)
@given(tables(), st.data())
def test_keep_leaves_the_asked_rows_as_they_are_and_numbers_users_anew(table, data):
    rows = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table))))
    kept = table.keep(rows)
    expected = [row for row, wanted in zip(with_own_ids(table), rows, strict=True) if wanted]
    assert with_own_ids(kept) == expected
    assert kept.num_items == table.num_items
    assert sorted(set(kept.user.tolist())) == list(range(kept.num_users))
    assert kept.user_ids == [
        name for name in table.user_ids if name in {row[0] for row in expected}
    ]
    assert (kept.user.dtype, kept.item.dtype) == (np.int32, np.int32)


@settings(deadline=None)
@given(tables(), st.data())
def test_keeping_twice_is_keeping_what_both_keep(table, data):
    masks = st.lists(st.booleans(), min_size=len(table), max_size=len(table)).map(np.array)
    one, two = data.draw(masks), data.draw(masks)
    assert with_own_ids(table.keep(one).keep(two[one])) == with_own_ids(table.keep(one & two))


def test_keep_of_a_table_without_ratings_and_times_has_none_either():
    table = Interactions(
        np.array([0, 1], np.int32), np.array([1, 1], np.int32), None, None, ["a", "b"], 1
    )
    kept = table.keep(np.array([False, True]))
    assert kept.rating is None
    assert kept.timestamp is None
    assert kept.user_ids == ["b"]


@pytest.mark.parametrize("item", [0, 4, -1])
def test_an_item_outside_the_catalogue_is_refused(item):
    with pytest.raises(ValueError, match=r"1\.\.3"):
        interactions([(0, item, 5, 0)], 1, 3)


@pytest.mark.parametrize("name", ["item", "rating", "timestamp"])
def test_columns_of_different_length_are_refused(name):
    columns = {column: np.ones(2, np.int32) for column in ("user", "item", "rating", "timestamp")}
    columns[name] = np.ones(3, np.int32)
    with pytest.raises(ValueError, match=f"{name} has 3 rows, user has 2"):
        Interactions(**columns, user_ids=["a", "b"], num_items=1)


# from_frame

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(texts, texts, st.integers(1, 5)), min_size=1, max_size=20),
    listed=st.none() | st.lists(texts, min_size=1, max_size=6, unique=True),
)
def test_the_join_keeps_rows_in_order_and_every_id_leads_back_to_the_callers_own(rows, listed):
    users, items, ratings = (list(column) for column in zip(*rows, strict=True))
    frame = pl.DataFrame({"user": users, "item": items, "rating": [float(r) for r in ratings]})
    books = None if listed is None else pl.DataFrame({"item_id": listed})
    dataset = from_frame("test", frame, books)
    data, ids = dataset.interactions, dataset.catalog.item_ids
    assert [data.user_ids[user] for user in data.user] == users
    assert [ids[item - 1] for item in data.item] == items
    assert data.rating.tolist() == ratings
    assert data.timestamp is None
    # Readers by first row; books as listed, then by first row.
    assert data.user_ids == list(dict.fromkeys(users))
    assert ids == list(dict.fromkeys((listed or []) + items))
    assert data.num_items == len(dataset.catalog)


def test_items_of_the_table_keep_their_place_and_what_is_known_of_them():
    frame = pl.DataFrame({"user": ["u", "u", "v"], "item": ["z", "b", "z"]})
    books = pl.DataFrame({"item_id": ["b", "a"], "title": ["B", "A"], "year": [-5, None]})
    dataset = from_frame("test", frame, books.cast({"year": pl.Int32}))
    assert dataset.catalog.item_ids == ["b", "a", "z"]
    assert dataset.catalog.frame["title"].to_list() == ["B", "A", None]
    assert dataset.interactions.item.tolist() == [3, 1, 3]
    unlisted, unread = dataset.notes
    assert unlisted.startswith("1 items have interactions but are not in the item table")
    assert "'z'" in unlisted
    assert unread.startswith("1 of 3 items have no interactions")


def test_nothing_is_noted_where_both_tables_name_the_same_items():
    frame = pl.DataFrame({"user": ["u", "u"], "item": ["b", "a"]})
    assert from_frame("test", frame, pl.DataFrame({"item_id": ["a", "b"]})).notes == ()
    assert from_frame("test", frame).notes == ()


def test_times_are_whole_seconds_also_before_1970():
    frame = pl.DataFrame({"user": ["u"], "item": ["b"], "timestamp": [-(2**40)]})
    data = from_frame("test", frame).interactions
    assert data.timestamp.dtype == np.int64
    assert data.timestamp.tolist() == [-(2**40)]


def test_a_table_without_rows_is_refused():
    frame = pl.DataFrame({"user": [], "item": []}, schema={"user": pl.String, "item": pl.String})
    with pytest.raises(UserError, match="no interactions"):
        from_frame("test", frame)


# The catalogue


def test_two_items_with_one_id_are_refused_before_anything_is_joined():
    frame = pl.DataFrame({"user": ["u"], "item": ["b"]})
    with pytest.raises(UserError, match="two items have the id 'b'"):
        from_frame("test", frame, pl.DataFrame({"item_id": ["a", "b", "b"]}))


def test_an_item_without_id_is_refused_with_its_row():
    with pytest.raises(UserError, match="no id") as caught:
        Catalog(pl.DataFrame({"item_id": ["a", None, "b"]}))
    assert caught.value.where == "catalog row 2"


def test_a_catalogue_without_items_is_refused():
    with pytest.raises(UserError, match="no items"):
        Catalog(pl.DataFrame({"item_id": []}, schema={"item_id": pl.String}))


@pytest.mark.parametrize("columns", [{"title": ["A"]}, {"item_id": ["a"], "price": ["1"]}])
def test_a_catalogue_has_ids_and_no_unknown_columns(columns):
    with pytest.raises(ValueError, match="a catalog has item_id"):
        Catalog(pl.DataFrame(columns))


def test_an_item_is_labelled_by_title_and_author_or_by_its_id():
    catalog = Catalog(
        pl.DataFrame(
            {
                "item_id": ["a", "b", "c", "d"],
                "title": ["Emma", "Emma", None, ""],
                "authors": ["Austen", None, "Homer", None],
            }
        )
    )
    assert [catalog.label(item) for item in (1, 2, 3, 4)] == [
        "Emma (Austen)",
        "Emma",
        "book c (Homer)",
        "book d",
    ]
    assert Catalog(pl.DataFrame({"item_id": ["a"]})).label(1) == "book a"
    for item in (0, 5, -1):
        with pytest.raises(ValueError, match=r"1\.\.4"):
            catalog.label(item)
