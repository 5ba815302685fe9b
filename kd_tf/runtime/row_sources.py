"""Where the rows of a model of the ranking task come from on a device: sources.json in a bundle.

A row of training has columns that a device does not have by their names: the hour of the click is
the hour of its clock, the genre is that of the book. This file says for each column of
features.json where its value is from: docs/reference/bundle.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from kd_tf.errors import UserError
from kd_tf.runtime.bundle_files import SOURCES_FILE
from kd_tf.runtime.catalog import make_damaged_error, parse_json
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import (
    ItemValue,
    ItemValues,
    check_version,
    is_item_value,
    is_name,
)

SOURCES_VERSION = 1

ContextSource = Literal["hour", "weekday", "time", "local-time", "language"]
"""What a device knows at any moment."""

SourceName = Literal[
    "hour", "weekday", "time", "local-time", "language", "item-id", "item", "history", "fixed",
    "missing",
]  # fmt: skip

CONTEXT_SOURCES: tuple[ContextSource, ...] = get_args(ContextSource)
SOURCES: tuple[SourceName, ...] = get_args(SourceName)

HISTORY_LENGTH = 5
"""A column of the history is the mean of so many of its newest items that have a value."""

_NUM_WEEKDAYS = 7


@dataclass(frozen=True)
class ColumnSource:
    """Where the value of a column is from.

    Attributes:
        name: The column of features.json.
        source: ``hour`` (0 to 23), ``weekday``, ``time`` (Unix seconds), ``local-time`` (the date
            and time that the device shows) and ``language`` (such as ``de``) are what a device
            knows; ``item-id`` and ``item`` are of the item that is predicted, ``history`` is a mean
            over the user's newest items; ``fixed`` is always the same, ``missing`` unknown.
        of: The column of items.json, for ``item`` and ``history``.
        values: What the seven weekdays are called, Monday first, for ``weekday``.
        value: The value, for ``fixed``.
    """

    name: str
    source: SourceName
    of: str | None = None
    values: tuple[ItemValue, ...] = ()
    value: ItemValue = None


@dataclass(frozen=True)
class RowSources:
    """Where the values of all columns are from, in the order of features.json.

    Example:
        >>> from datetime import UTC
        >>> sources = RowSources((ColumnSource("hour", "hour"), ColumnSource("book", "item-id")))
        >>> context = sources.make_context(datetime(2024, 4, 2, 21, 5, tzinfo=UTC), "de-AT")
        >>> context
        {'hour': 21}
        >>> sources.make_rows(ItemValues("book", ("b1",), {}), ["b1", "b2"], [], context)
        {'hour': [21, 21], 'book': ['b1', 'b2']}
    """

    columns: tuple[ColumnSource, ...]

    def list_columns(self, *sources: SourceName) -> list[str]:
        """Lists the columns that are from some sources."""
        return [column.name for column in self.columns if column.source in sources]

    def make_context(self, moment: datetime, language: str | None) -> dict[str, ItemValue]:
        """Returns the values of the columns that a device knows.

        Args:
            moment: Its time, with its time zone.
            language: Its language, as a tag such as ``de-AT``; None if unknown.

        Raises:
            ValueError: `moment` has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError("moment must have a time zone")
        known_values: dict[str, ItemValue] = {
            "hour": moment.hour,
            "time": int(moment.timestamp() // 1),
            "local-time": moment.replace(tzinfo=None).isoformat(timespec="seconds"),
            "language": (language or "").split("-")[0].lower() or None,
        }
        return {
            column.name: (
                column.values[moment.weekday()]
                if column.source == "weekday"
                else known_values[column.source]
            )
            for column in self.columns
            if column.source in CONTEXT_SOURCES
        }

    def make_rows(
        self,
        items: ItemValues,
        candidates: Sequence[str],
        history: Sequence[str],
        context: Mapping[str, Any],
    ) -> dict[str, list[Any]]:
        """Makes a row for each candidate; what is unknown is missing.

        Args:
            items: What is known of items.
            candidates: Ids of the items that are predicted.
            history: Ids of the user's items, oldest first.
            context: Values by column. They come before all other sources.

        Returns:
            The values of each column.

        Raises:
            UserError: `context` names a column that the model does not have.
        """
        names = [column.name for column in self.columns]
        unknown = [str(name) for name in context if name not in names]
        if unknown:
            raise UserError(
                f"the context has {', '.join(map(repr, unknown))}, which the ranker does not have",
                hint=f"Its columns are {', '.join(names)}.",
            )
        rows: dict[str, list[Any]] = {}
        for column in self.columns:
            if column.name in context:
                values = [context[column.name]] * len(candidates)
            elif column.source == "item-id":
                values = list(candidates)
            elif column.source == "item":
                assert column.of is not None
                values = [items.get(column.of, item_id) for item_id in candidates]
            elif column.source == "history":
                assert column.of is not None
                mean = compute_history_mean(items, column.of, history)
                values = [mean] * len(candidates)
            else:
                values = [column.value] * len(candidates)
            rows[column.name] = values
        return rows


def compute_history_mean(items: ItemValues, column: str, history: Sequence[str]) -> float | None:
    """Returns the mean of a column over the newest items that have a number in it.

    Example:
        >>> items = ItemValues(None, ("b1", "b2", "b3"), {"pages": (100, None, 250)})
        >>> compute_history_mean(items, "pages", ["b1", "b2", "b3", "unknown"])
        175.0
    """
    numbers: list[float] = []
    for item_id in reversed(history):
        value = items.get(column, item_id)
        if isinstance(value, (int, float)):
            numbers.append(float(value))
            if len(numbers) == HISTORY_LENGTH:
                break
    if not numbers:
        return None
    total = 0.0
    # Not sum(), which rounds otherwise than the page and the app.
    for number in numbers:
        total += number
    return total / len(numbers)


def encode_sources(sources: RowSources) -> bytes:
    """Encodes sources.json."""
    columns = []
    for column in sources.columns:
        content: dict[str, Any] = {"name": column.name, "source": column.source}
        if column.of is not None:
            content["of"] = column.of
        if column.values:
            content["values"] = list(column.values)
        if column.source == "fixed":
            content["value"] = column.value
        columns.append(content)
    text = json.dumps(
        {"version": SOURCES_VERSION, "columns": columns}, ensure_ascii=False, allow_nan=False,
        indent=1,
    )  # fmt: skip
    return text.encode() + b"\n"


def parse_sources(
    content: bytes, schema: FeatureSchema, items: ItemValues, where: str = SOURCES_FILE
) -> RowSources:
    """Reads sources.json. Unknown keys are ignored.

    Args:
        content: The file.
        schema: The columns that must have a source.
        items: The columns of items that sources may name.
        where: Path of the file, for error messages.

    Raises:
        UserError: The file is damaged, has another version, or does not fit the schema and items.
    """
    document = parse_json(content, where)
    check_version(document, SOURCES_VERSION, "sources of the columns", where)
    columns = document.get("columns")
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        raise make_damaged_error("columns must be a list of objects", where)
    names = [column.get("name") for column in columns]
    if names != [column.name for column in schema.columns]:
        raise make_damaged_error("columns must be those of features.json, in their order", where)
    return RowSources(tuple(_read_source(column, items, where) for column in columns))


def _read_source(column: Mapping[str, Any], items: ItemValues, where: str) -> ColumnSource:
    name, source = column["name"], column.get("source")

    def fail(what: str) -> UserError:
        return make_damaged_error(f"column {name[:60]!r}: {what}", where)

    if source not in SOURCES:
        raise fail(f"source must be one of {', '.join(SOURCES)}")
    if source in ("item", "history"):
        of = column.get("of")
        if not is_name(of) or of not in items.columns:
            raise fail("of must be a column of items.json")
        return ColumnSource(name, source, of=of)
    if source == "weekday":
        values = column.get("values")
        if (
            not isinstance(values, list)
            or len(values) != _NUM_WEEKDAYS
            or not all(map(is_item_value, values))
        ):
            raise fail("values must be those of seven weekdays")
        return ColumnSource(name, source, values=tuple(values))
    if source == "fixed":
        if not is_item_value(column.get("value")):
            raise fail("value must be a text or a number")
        return ColumnSource(name, source, value=column["value"])
    return ColumnSource(name, source)
