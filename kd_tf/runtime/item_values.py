"""What a model of the ranking task takes of each item: items.json in a bundle.

A device knows which items it shows, but not their genre or price as the table had them. This file
has them, so that a row can be made of an item's id: docs/reference/bundle.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kd_tf.errors import UserError
from kd_tf.runtime.bundle_files import ITEMS_FILE
from kd_tf.runtime.catalog import make_damaged_error, parse_json

ITEMS_VERSION = 1
MAX_ITEMS_BYTES = 256 << 20
MAX_ITEM_COLUMNS = 10_000

ItemValue = str | int | float | None
"""A raw value: a text or a finite number; None where it is missing."""


@dataclass(frozen=True)
class ItemValues:
    """The raw values of columns by item.

    Attributes:
        item: The column of the model that takes the item's id; None if no column does.
        item_ids: The items, each once.
        columns: Values of each column in the order of `item_ids`.

    Example:
        >>> items = ItemValues("item", ("b1", "b2"), {"pages": (120, None)})
        >>> items.get("pages", "b1"), items.get("pages", "b2"), items.get("pages", "b3")
        (120, None, None)
        >>> parse_items(encode_items(items)) == items
        True
    """

    item: str | None
    item_ids: tuple[str, ...]
    columns: Mapping[str, tuple[ItemValue, ...]]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each item in `item_ids`."""
        return {item_id: place for place, item_id in enumerate(self.item_ids)}

    def get(self, column: str, item_id: str) -> ItemValue:
        """Returns the value of an item; None where it is missing, or the item is unknown."""
        place = self.places.get(item_id)
        return None if place is None else self.columns[column][place]


def encode_items(items: ItemValues) -> bytes:
    """Encodes items.json: each distinct value of a column once, and its place for each item."""
    columns = []
    for name, values in items.columns.items():
        places: dict[tuple[type, ItemValue], int] = {}
        codes = [
            -1 if value is None else places.setdefault((type(value), value), len(places))
            for value in values
        ]
        columns.append({"name": name, "values": [value for _, value in places], "places": codes})
    content = {
        "version": ITEMS_VERSION,
        "item": items.item,
        "item_ids": list(items.item_ids),
        "columns": columns,
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def parse_items(content: bytes, where: str = ITEMS_FILE) -> ItemValues:
    """Reads items.json. Unknown keys are ignored.

    Args:
        content: The file.
        where: Its path, for error messages.

    Raises:
        UserError: The file is damaged or has another version.
    """
    if len(content) > MAX_ITEMS_BYTES:
        raise make_damaged_error(f"it has more than {MAX_ITEMS_BYTES:,} bytes", where)
    document = parse_json(content, where)
    check_version(document, ITEMS_VERSION, "item columns", where)
    item, item_ids, columns = (document.get(key) for key in ("item", "item_ids", "columns"))
    if item is not None and not is_name(item):
        raise make_damaged_error("item must be the name of a column or null", where)
    if not isinstance(item_ids, list) or not all(map(is_name, item_ids)):
        raise make_damaged_error("item_ids must be a list of texts", where)
    if len(set(item_ids)) < len(item_ids):
        raise make_damaged_error("item_ids has an item twice", where)
    if not isinstance(columns, list) or len(columns) > MAX_ITEM_COLUMNS:
        raise make_damaged_error("columns must be a list", where)
    by_name: dict[str, tuple[ItemValue, ...]] = {}
    for number, column in enumerate(columns):
        if not isinstance(column, dict) or not is_name(column.get("name")):
            raise make_damaged_error(f"columns[{number}] has no name", where)
        if column["name"] in by_name:
            raise make_damaged_error(f"columns has {column['name'][:60]!r} twice", where)
        by_name[column["name"]] = _read_values(column, len(item_ids), f"columns[{number}]", where)
    return ItemValues(item, tuple(item_ids), by_name)


def _read_values(
    column: Mapping[str, Any], num_items: int, place: str, where: str
) -> tuple[ItemValue, ...]:
    values, places = column.get("values"), column.get("places")
    if not isinstance(values, list) or not all(map(is_item_value, values)):
        raise make_damaged_error(f"{place}: values must be a list of texts and numbers", where)
    if not isinstance(places, list) or len(places) != num_items:
        raise make_damaged_error(f"{place}: places must be a list of {num_items:,}", where)
    if not all(type(code) is int and -1 <= code < len(values) for code in places):
        raise make_damaged_error(f"{place}: places has a number that values does not have", where)
    values_and_missing: Sequence[ItemValue] = [*values, None]
    return tuple(values_and_missing[code] for code in places)


def is_name(value: Any) -> bool:
    """Says whether a value is a text that is not empty."""
    return isinstance(value, str) and value != ""


def is_item_value(value: Any) -> bool:
    """Says whether a value is a text or a finite number."""
    return isinstance(value, str) or (type(value) in (int, float) and math.isfinite(value))


def check_version(document: Any, version: int, what: str, where: str) -> None:
    """Checks that a document is an object of a version.

    Raises:
        UserError: It is not.
    """
    if not isinstance(document, dict):
        raise make_damaged_error("it must hold one object", where)
    actual = document.get("version")
    if type(actual) is not int or actual != version:
        shown_version = repr(actual)[:60]
        raise UserError(
            f"the {what} have version {shown_version}, this kd_tf reads version {version}",
            where=where,
            hint="Add the ranker again with this version of kd_tf (kd-tf add-ranker), or install "
            "the version that wrote it.",
        )
