"""A catalog is checked whole when it is opened, and gives its items one by one afterwards."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime import catalog as catalog_module
from kd_tf.runtime.catalog import (
    CatalogItems,
    Item,
    encode_catalog,
    make_catalog_row,
    parse_catalog,
)

TEXTS = st.text(min_size=1)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"item_id": TEXTS},
        optional={"title": st.text(), "authors": st.text(), "year": st.integers(-3000, 3000)},
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row["item_id"],
)


def encode(rows: list[dict[str, object]]) -> bytes:
    return encode_catalog(
        [make_catalog_row(row, number) for number, row in enumerate(rows, start=1)]
    ).encode()


@given(ROWS, st.integers(1, 5))
def test_items_are_those_that_were_written_however_many_are_parsed_at_once(rows, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_module, "ROWS_PER_CHUNK", chunk)
        items = parse_catalog(encode(rows), len(rows), "catalog.json")
        expected = [Item(id=number, **row) for number, row in enumerate(rows, start=1)]
        assert list(items) == expected == items[:]
        assert [items[number] for number in range(len(rows))] == expected
        assert items[-1] == expected[-1]
        assert items[1:3] == expected[1:3]
        assert items.list_item_ids() == [item.item_id for item in expected]
        assert items == expected
    with pytest.raises(IndexError):
        items[len(rows)]


@given(ROWS, st.sampled_from([None, 0, 2]))
def test_a_catalog_of_another_layout_has_the_same_items(rows, indent):
    written = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
    text = json.dumps({"books": written, "version": 1}, indent=indent)
    assert parse_catalog(text.encode(), len(rows), "c") == parse_catalog(
        encode(rows), len(rows), "c"
    )


def test_half_a_character_in_another_layout_is_no_fault():
    text = '{"version": 1, "books": [{"id": 1, "item_id": "a", "title": "x\\ud800"}]}'
    assert parse_catalog(text.encode(), 1, "c")[0].title == "x\ud800"


def refuse(content: bytes, num_items: int = 3) -> str:
    with pytest.raises(UserError) as refusal:
        parse_catalog(content, num_items, "catalog.json")
    return str(refusal.value)


@pytest.mark.parametrize("chunk", [1, 2, 4096])
def test_rows_in_lines_that_are_not_items_are_refused(chunk, monkeypatch):
    monkeypatch.setattr(catalog_module, "ROWS_PER_CHUNK", chunk)
    good = encode([{"item_id": "a"}, {"item_id": "b"}, {"item_id": "c"}])
    assert len(parse_catalog(good, 3, "c")) == 3
    assert "id 2" in refuse(good.replace(b'"id":2', b'"id":7'))
    assert "two items" in refuse(good.replace(b'"item_id":"b"', b'"item_id":"a"'))
    assert "no item_id" in refuse(good.replace(b'"item_id":"b"', b'"item_id":""'))
    assert "item_id cannot be 5" in refuse(good.replace(b'"item_id":"b"', b'"item_id":5'))
    assert "not valid JSON" in refuse(good.replace(b'"b"', b'"b'))
    assert "it has 3 items" in refuse(good, 4)
    assert "it has 3 items" in refuse(good, 2)
    assert "not valid JSON" in refuse(good.replace(b'"b"', b"NaN"))


def test_rows_that_are_shifted_against_the_lines_are_refused_or_read_as_they_are():
    """Two items in one line and none in the next: every chunk has its number of items."""
    rows = [b'{"id":1,"item_id":"a"},{"id":2,"item_id":"b"}', b'{"id":3,', b'"item_id":"c"}']
    content = b'{"version": 1, "books": [\n' + b",\n".join(rows[:2]) + b"\n" + rows[2] + b"\n]}\n"
    try:
        items = parse_catalog(content, 3, "c")
    except UserError:
        return
    with pytest.raises(UserError):
        list(map(items.__getitem__, range(3)))


def test_it_stays_small(monkeypatch):
    rows = [{"item_id": f"b{number}", "title": "t" * 50} for number in range(5000)]
    items = parse_catalog(encode(rows), 5000, "c")
    assert isinstance(items, CatalogItems)
    parsed = []
    real = catalog_module.parse_json

    def watch(content: bytes, where: str) -> object:
        parsed.append(content)
        return real(content, where)

    monkeypatch.setattr(catalog_module, "parse_json", watch)
    assert items[4321].item_id == "b4321"
    (line,) = parsed
    assert len(line) < 100
