import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.dataset import Vocabulary, from_chunks, from_frame
from kd_tf.errors import UserError

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(texts, texts, st.integers(1, 5)), min_size=1, max_size=20),
    listed=st.none() | st.lists(texts, min_size=1, max_size=6, unique=True),
)
def test_encoding_keeps_rows_in_order_and_ids_lead_back_to_the_external_ids(rows, listed):
    users, items, ratings = (list(column) for column in zip(*rows, strict=True))
    frame = pl.DataFrame({"user": users, "item": items, "rating": [float(r) for r in ratings]})
    item_table = None if listed is None else pl.DataFrame({"item_id": listed})
    dataset = from_frame("test", frame, item_table)
    data, ids = dataset.interactions, dataset.catalog.item_ids
    assert [data.user_ids[user] for user in data.user] == users
    assert [ids[item - 1] for item in data.item] == items
    assert data.rating.tolist() == ratings
    assert data.timestamp is None
    # Users by first row; items as listed, then by first row.
    assert data.user_ids == list(dict.fromkeys(users))
    assert ids == list(dict.fromkeys((listed or []) + items))
    assert data.num_items == len(dataset.catalog)


def test_items_of_the_item_table_keep_their_order_and_columns():
    frame = pl.DataFrame({"user": ["u", "u", "v"], "item": ["z", "b", "z"]})
    items = pl.DataFrame({"item_id": ["b", "a"], "title": ["B", "A"], "year": [-5, None]})
    dataset = from_frame("test", frame, items.cast({"year": pl.Int32}))
    assert dataset.catalog.item_ids == ["b", "a", "z"]
    assert dataset.catalog.frame["title"].to_list() == ["B", "A", None]
    assert dataset.interactions.item.tolist() == [3, 1, 3]
    unlisted, cold = dataset.notes
    assert unlisted.startswith("1 of 2 items with interactions are not in the item table")
    assert "'z'" in unlisted
    assert cold.startswith("1 of 3 items have no interactions")


def test_there_are_no_notes_where_both_tables_name_the_same_items():
    frame = pl.DataFrame({"user": ["u", "u"], "item": ["b", "a"]})
    assert from_frame("test", frame, pl.DataFrame({"item_id": ["a", "b"]})).notes == ()
    assert from_frame("test", frame).notes == ()


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(texts, texts, st.integers(-9, 9)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_a_stream_of_chunks_gives_the_same_data_set_as_one_table(chunks):
    def to_frame(rows):
        users, items, times = (list(column) for column in zip(*rows, strict=True))
        return pl.DataFrame({"user": users, "item": items, "timestamp": times})

    streamed = from_chunks("test", map(to_frame, chunks))
    whole = from_frame("test", to_frame([row for chunk in chunks for row in chunk]))
    for column in ("user", "item", "timestamp"):
        expected = getattr(whole.interactions, column)
        np.testing.assert_array_equal(getattr(streamed.interactions, column), expected)
    assert streamed.interactions.user_ids == whole.interactions.user_ids
    assert streamed.catalog.item_ids == whole.catalog.item_ids


@given(st.lists(texts, unique=True, max_size=4), st.lists(texts, max_size=9))
def test_a_vocabulary_numbers_ids_in_the_order_of_their_first_appearance(start, ids):
    vocabulary = Vocabulary(start)
    encoded = vocabulary.encode(pl.Series(ids, dtype=pl.String))
    assert vocabulary.ids == list(dict.fromkeys(start + ids))
    assert [vocabulary.ids[index] for index in encoded] == ids


def test_times_are_whole_seconds_also_before_1970():
    frame = pl.DataFrame({"user": ["u"], "item": ["b"], "timestamp": [-(2**40)]})
    data = from_frame("test", frame).interactions
    assert data.timestamp.dtype == np.int64
    assert data.timestamp.tolist() == [-(2**40)]


def test_a_table_without_rows_is_refused():
    frame = pl.DataFrame({"user": [], "item": []}, schema={"user": pl.String, "item": pl.String})
    with pytest.raises(UserError, match="no interactions"):
        from_frame("test", frame)


def test_two_items_with_the_same_id_are_refused_before_anything_is_joined():
    frame = pl.DataFrame({"user": ["u"], "item": ["b"]})
    with pytest.raises(UserError, match="two items have the id 'b'"):
        from_frame("test", frame, pl.DataFrame({"item_id": ["a", "b", "b"]}))
