"""Rows for re-ranking are those of tests/shared_reranking, and damaged files are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.features.columns import Column
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValues, encode_items, parse_items
from kd_tf.runtime.row_sources import ColumnSource, RowSources, encode_sources, parse_sources

CASES = json.loads(
    (Path(__file__).parents[1] / "shared_reranking" / "cases.json").read_text("utf-8")
)
ITEMS = parse_items(json.dumps(CASES["items"]).encode())


def make_schema(names: list[str]) -> FeatureSchema:
    columns = tuple(Column(name, "category") for name in names)
    return FeatureSchema(Label("clicked", "click"), columns, (), ())


SCHEMA = make_schema(CASES["columns"])
SOURCES = parse_sources(json.dumps(CASES["sources"]).encode(), SCHEMA, ITEMS)


@pytest.mark.parametrize("device", CASES["devices"])
def test_a_device_gives_the_values_of_the_shared_cases(device: dict[str, Any]) -> None:
    zone = timezone(timedelta(minutes=device["offset_minutes"]))
    moment = datetime.fromtimestamp(device["seconds"], zone)
    assert SOURCES.make_context(moment, device["language"]) == device["context"]


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        SOURCES.make_context(datetime(2024, 4, 2), None)


@pytest.mark.parametrize("case", CASES["rows"])
def test_rows_are_those_of_the_shared_cases(case: dict[str, Any]) -> None:
    rows = SOURCES.make_rows(ITEMS, case["candidates"], case["history"], case["context"])
    assert rows == case["values"]
    assert list(rows) == CASES["columns"]


def test_a_context_with_a_column_that_the_ranker_lacks_names_it() -> None:
    with pytest.raises(UserError, match="'moon', which the ranker does not have"):
        SOURCES.make_rows(ITEMS, ["a"], [], {"moon": 1, "hour": 2})


@pytest.mark.parametrize("content", CASES["damaged"]["items"])
def test_damaged_items_are_refused_with_the_file_named(content: str) -> None:
    with pytest.raises(UserError, match=r"some/items\.json"):
        parse_items(content.encode(), "some/items.json")


@pytest.mark.parametrize("content", CASES["damaged"]["sources"])
def test_damaged_sources_are_refused_with_the_file_named(content: str) -> None:
    with pytest.raises(UserError, match=r"some/sources\.json"):
        parse_sources(content.encode(), make_schema(["a"]), ITEMS, "some/sources.json")


values = (
    st.none()
    | st.text()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.data())
def test_items_are_read_as_they_were_written(data: st.DataObject) -> None:
    item_ids = data.draw(st.lists(st.text(min_size=1), unique=True))
    size = len(item_ids)
    column = st.lists(values, min_size=size, max_size=size).map(tuple)
    columns = data.draw(st.dictionaries(st.text(min_size=1), column, max_size=3))
    items = ItemValues("item", tuple(item_ids), columns)
    read_items = parse_items(encode_items(items))
    assert read_items == items
    # 1 and 1.0 are equal, but not as texts of a category.
    for name, expected in columns.items():
        assert list(map(repr, read_items.columns[name])) == list(map(repr, expected))


def test_sources_are_read_as_they_were_written() -> None:
    assert parse_sources(encode_sources(SOURCES), SCHEMA, ITEMS) == SOURCES
    assert SOURCES.list_columns("fixed", "history") == ["history_pages", "position", "shelf"]
    late = RowSources((ColumnSource("hour", "hour"),))
    assert late.make_context(datetime(2024, 1, 1, 23, tzinfo=UTC), None) == {"hour": 23}
