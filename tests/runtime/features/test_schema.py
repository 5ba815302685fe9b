"""Rows are encoded as features.json says, one at a time or many, and damaged files are refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.features import features_json
from kd_tf.runtime.features.features_json import encode_features, from_json, parse_features, to_json
from kd_tf.runtime.features.layout import FeatureLayout

CASES = json.loads(
    (Path(__file__).parents[2] / "shared_features" / "cases.json").read_text("utf-8")
)
SCHEMAS = [case["schema"] for case in CASES]
BIG = SCHEMAS[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["promise"])
def test_rows_are_encoded_as_in_other_languages(case: dict[str, Any]):
    schema = from_json(case["schema"])
    for row in case["rows"]:
        ids, numbers = schema.encode_row(row["values"])
        assert ids.dtype == np.int32
        assert numbers.dtype == np.float32
        assert ids.tolist() == [row["categorical"]]
        np.testing.assert_allclose(numbers, [row["numeric"]], rtol=1e-6)
    for row in case.get("refused", []):
        with pytest.raises(UserError, match=row["column"]):
            schema.encode_row(row["values"])


@pytest.mark.parametrize("content", SCHEMAS)
def test_a_schema_survives_its_file(content):
    schema = from_json(content)
    assert parse_features(encode_features(schema)) == schema
    assert from_json(json.loads(json.dumps(to_json(schema)))) == schema


@pytest.mark.parametrize("content", SCHEMAS)
def test_some_features_are_encoded_as_among_all(content):
    schema = from_json(content)
    rows = [row["values"] for case in CASES if case["schema"] == content for row in case["rows"]]
    layout = schema.layout
    for keep in (lambda place: place % 2 == 0, lambda place: place % 2 == 1):
        chosen = FeatureLayout(
            tuple(it for place, it in enumerate(layout.categorical) if keep(place)),
            tuple(it for place, it in enumerate(layout.numeric) if keep(place)),
        )
        if not (chosen.categorical or chosen.numeric):
            continue
        small_schema = from_json(to_json(schema.select_features(chosen)))
        assert small_schema.layout == chosen
        ids, numbers = layout.find_places(chosen)
        names = {column.name for column in small_schema.columns}
        for row in rows:
            all_ids, all_numbers = schema.encode_row(row)
            # What no feature is made of is not asked for.
            needed = {name: value for name, value in row.items() if name in names}
            small_ids, small_numbers = small_schema.encode_row(needed)
            np.testing.assert_array_equal(small_ids, all_ids[:, ids])
            np.testing.assert_array_equal(small_numbers, all_numbers[:, numbers])


RAW_VALUES = {
    "category": st.one_of(
        st.none(),
        st.text(max_size=5),
        st.integers(),
        st.floats(allow_infinity=False),
        st.booleans(),
    ),
    "list": st.one_of(
        st.none(), st.text("ab|c ", max_size=9), st.lists(st.text("abz", max_size=2))
    ),
    "number": st.one_of(
        st.none(), st.floats(allow_infinity=False), st.integers(-(10**9), 10**9), st.just(" 2.5 ")
    ),
    "date": st.one_of(st.none(), st.integers(10**8, 4 * 10**9), st.just("2024-02-29T23:59:59Z")),
}


@given(st.data())
def test_one_row_is_encoded_as_among_many_and_never_out_of_range(data):
    schema = from_json(data.draw(st.sampled_from(SCHEMAS)))
    num_rows = data.draw(st.integers(1, 5))
    rows = {
        column.name: [data.draw(RAW_VALUES[column.type]) for _ in range(num_rows)]
        for column in schema.columns
    }
    ids, numbers = schema.encode(rows)
    assert ids.shape == (num_rows, schema.layout.num_places)
    assert numbers.shape == (num_rows, schema.layout.num_numeric)
    limits = [schema.categorical[place].num_ids for place in schema.layout.feature_of_place]
    assert (ids >= 0).all()
    assert (ids < np.array(limits, np.int64)).all()
    assert np.isfinite(numbers).all()
    for row in range(num_rows):
        row_ids, row_numbers = schema.encode_row({name: rows[name][row] for name in rows})
        np.testing.assert_array_equal(row_ids[0], ids[row])
        np.testing.assert_array_equal(row_numbers[0], numbers[row])


def test_missing_columns_are_named_and_others_ignored():
    schema = from_json(BIG)
    row = {column.name: None for column in schema.columns}
    schema.encode_row({**row, "shop": 1})
    first, second, *_ = row
    with pytest.raises(UserError, match=f"columns '{first}', '{second}' are missing"):
        schema.encode_row({name: None for name in row if name not in (first, second)})
    with pytest.raises(UserError, match="none of the columns that the model needs is here"):
        schema.encode_row({"title": "Dune", "author": "Herbert"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("price", [1], "column 'price' must be a number, not a list"),
        ("price", "cheap", "column 'price' must be a number, not 'cheap'"),
        ("price", float("inf"), "column 'price' is infinite"),
        ("language", {"a": 1}, "column 'language' must be a text or a number, not an object"),
        ("when", "31/01/2024", "column 'when' must be a time"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(name, value, message):
    schema = from_json(BIG)
    row = {column.name: None for column in schema.columns}
    with pytest.raises(UserError, match=message):
        schema.encode_row({**row, name: value})
    columns = {column: [None, None] for column in row} | {name: [None, value]}
    with pytest.raises(UserError, match=f"row 1: {message}"):
        schema.encode(columns)


def test_columns_are_lists_of_one_length():
    schema = from_json(BIG)
    rows: dict[str, Any] = {column.name: [None, None] for column in schema.columns}
    with pytest.raises(UserError, match="different numbers of values: 'price' 1, "):
        schema.encode({**rows, "price": [1]})
    with pytest.raises(UserError, match="'price' must be a list of values, not str"):
        schema.encode({**rows, "price": "12"})
    with pytest.raises(UserError, match="a row must be an object"):
        schema.encode_row([1])  # type: ignore[arg-type]
    ids, _ = schema.encode({**rows, "price": np.array([1.0, np.nan])})
    assert len(ids) == 2


def list_places(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    places = [place] if place else []
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    for key, value in items:
        places += list_places(value, (*place, key))
    return places


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([10**400, -1, 0, 1, 2**31, 1e308, 5e-324]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(SCHEMAS), st.data())
def test_a_damaged_file_is_read_or_refused_in_words(content, data):
    damaged: Any = copy.deepcopy(content)
    *parents, last = data.draw(st.sampled_from(list_places(damaged)))
    target = damaged
    for key in parents:
        target = target[key]
    if data.draw(st.booleans()):
        target[last] = data.draw(JSON)
    else:
        del target[last]
    try:
        schema = from_json(damaged)
    except UserError:
        return
    ids, numbers = schema.encode_row({column.name: None for column in schema.columns})
    assert np.isfinite(numbers).all()
    assert (ids == 0).all()
    assert parse_features(encode_features(schema)) == schema


@pytest.mark.parametrize("content", [None, [], "x", 3, {}, {"version": True}, {"version": 2}])
def test_what_is_no_schema_is_refused(content):
    with pytest.raises(UserError, match=r"features\.json"):
        from_json(content)


@given(st.binary(max_size=50))
def test_bytes_that_are_no_schema_are_refused(content):
    with pytest.raises(UserError):
        parse_features(content)


def change(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BIG), **keys}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (change(version=2), "the features have version 2, this kd_tf reads version 1"),
        (change(columns=BIG["columns"] * 2), "columns has 'language' twice"),
        (change(numeric=BIG["numeric"] * 2), "numeric has 'price' twice"),
        (change(columns=[]), r"categorical\[0\]: columns has no 'language'"),
        (change(label={**BIG["label"], "low": 1}), "label: low must be below high"),
        (
            change(label={**BIG["label"], "kind": "vote"}),
            "label: kind must be one of click, rating",
        ),
        (change(missing=[" NULL"]), "missing has an empty text, or one with blanks"),
    ],
)
def test_a_message_says_what_is_wrong(content, message):
    with pytest.raises(UserError, match=message):
        from_json(content)


def feature(**keys: Any) -> dict[str, Any]:
    return change(categorical=[{"name": "f", **keys}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (feature(kind="vocabulary", column="language", values=["a", "a"]), "values has 'a' twice"),
        (feature(kind="vocabulary", column="language", values=["3.0"]), "no canonical text"),
        (feature(kind="vocabulary", column="price", values=["a"]), "type 'number', which does not"),
        (feature(kind="vocabulary", column="language", values=["\ud800"]), "half a surrogate pair"),
        (feature(kind="hash", column="language", buckets=0), "buckets must be an integer from 1"),
        (feature(kind="hash", column="language", buckets=2**40), "buckets must be an integer"),
        (feature(kind="hash", column="genres", buckets=9), "max_values must be an integer"),
        (feature(kind="bucket", column="price", boundaries=[2, 1]), "boundaries must ascend"),
        (feature(kind="bucket", column="price", boundaries=[10**400]), "must be a finite number"),
        (feature(kind="date", column="when", part="year"), "part must be one of hour, weekday"),
        (feature(kind="cross", columns=["language"], buckets=9), "columns must be two or more"),
        (feature(kind="magic", column="language"), "kind must be one of vocabulary, hash"),
    ],
)
def test_a_wrong_feature_is_refused(content, message):
    with pytest.raises(UserError, match=message):
        from_json(content)


def test_limits_hold(monkeypatch):
    monkeypatch.setattr(features_json, "MAX_FILE_BYTES", 10)
    with pytest.raises(UserError, match="more than 10 bytes"):
        parse_features(b" " * 11)
    many = [
        {"name": str(n), "kind": "hash", "column": "language", "buckets": 1 << 24}
        for n in range(129)
    ]
    with pytest.raises(UserError, match="ids together"):
        from_json(change(categorical=many))
