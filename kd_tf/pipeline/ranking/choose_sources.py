"""Chooses where a device finds each column of a ranking model: by its name and its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kd_tf.data.ranking.item_values import HISTORY_PREFIXES
from kd_tf.errors import UserError
from kd_tf.runtime.features.categorical import VocabularyFeature
from kd_tf.runtime.features.columns import Column
from kd_tf.runtime.features.numeric import ScaledFeature
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValue, ItemValues
from kd_tf.runtime.row_sources import CONTEXT_SOURCES, ColumnSource, RowSources

_HOUR_NAMES = ("hour", "hourofday")
_WEEKDAY_NAMES = ("weekday", "dayofweek", "dow")
_LANGUAGE_NAMES = ("language", "lang", "locale", "userlanguage", "devicelanguage")

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY_WRITINGS: tuple[tuple[str, ...], ...] = (
    _WEEKDAYS,
    tuple(name.lower() for name in _WEEKDAYS),
    tuple(name[:3] for name in _WEEKDAYS),
    tuple(name[:3].lower() for name in _WEEKDAYS),
    tuple("0123456"),
    tuple("1234567"),
)
"""How weekdays are written, Monday first. Numbers from 0 come before those from 1, as 1 to 6 are
both."""

_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}")


def choose_sources(
    schema: FeatureSchema,
    items: ItemValues,
    *,
    sources: Mapping[str, str] | None = None,
    values: Mapping[str, ItemValue] | None = None,
    where: str,
) -> RowSources:
    """Chooses where the value of each column is from.

    Args:
        schema: The columns of the model.
        items: What is known of each item.
        sources: Column -> what the device knows (`CONTEXT_SOURCES`) or ``missing``, instead of what
            its name says.
        values: Column -> the value that it always has on the device.
        where: The ranker, for error messages.

    Raises:
        UserError: A setting names no column, or a source that does not fit it.

    Example:
        >>> from kd_tf.runtime.features.label import Label
        >>> columns = (Column("hour", "number"), Column("shop", "category"))
        >>> numbers = (ScaledFeature("hour", "hour", 0.0, 23.0, offset=11.0, divisor=7.0),)
        >>> schema = FeatureSchema(Label("clicked", "click"), columns, (), numbers)
        >>> chosen = choose_sources(schema, ItemValues(None, (), {}), where="runs/clicks")
        >>> [(column.name, column.source) for column in chosen.columns]
        [('hour', 'hour'), ('shop', 'missing')]
    """
    sources, values = sources or {}, values or {}
    names = [column.name for column in schema.columns]
    for name in (*sources, *values):
        if name not in names:
            raise UserError(
                f"the ranker has no column {name!r}",
                where=where,
                hint=f"Its columns are {', '.join(names)}.",
            )
        if name in sources and name in values:
            raise UserError(f"column {name!r} has a source and a value", hint="Give one of them.")
    return RowSources(
        tuple(
            _choose_source(column, schema, items, sources.get(column.name), values, where)
            for column in schema.columns
        )
    )


def _choose_source(
    column: Column,
    schema: FeatureSchema,
    items: ItemValues,
    source: str | None,
    values: Mapping[str, ItemValue],
    where: str,
) -> ColumnSource:
    name = column.name
    if name in values:
        column.read([values[name]], schema.missing_texts)
        return ColumnSource(name, "fixed", value=values[name])
    if source is not None:
        chosen_source = _make_context_source(column, schema, source)
        if chosen_source is None:
            raise UserError(
                f"column {name!r} cannot be from {source!r}: it has the type {column.type!r} and "
                f"the values {', '.join(_list_values(column, schema)[:5]) or 'are not known'}",
                where=where,
                hint=f"Sources are {', '.join((*CONTEXT_SOURCES, 'missing'))}.",
            )
        return chosen_source
    if name == items.item:
        return ColumnSource(name, "item-id")
    if name in items.columns:
        return ColumnSource(name, "item", of=name)
    for prefix in HISTORY_PREFIXES:
        of = name.removeprefix(prefix)
        if of != name and of in items.columns:
            return ColumnSource(name, "history", of=of)
    key = re.sub(r"[\W_]", "", name.lower())
    for context_source, usual_names in (
        ("hour", _HOUR_NAMES), ("weekday", _WEEKDAY_NAMES), ("language", _LANGUAGE_NAMES),
    ):  # fmt: skip
        if key in usual_names:
            chosen_source = _make_context_source(column, schema, context_source)
            if chosen_source is not None:
                return chosen_source
    # The time of a row in the log is the time of the click: on a device, now.
    if column.type == "date":
        return ColumnSource(name, "time")
    return ColumnSource(name, "missing")


def _make_context_source(column: Column, schema: FeatureSchema, source: str) -> ColumnSource | None:
    """Makes a source that a device knows; None if the column's values are others."""
    values = _list_values(column, schema)
    is_date = column.type == "date"
    if source == "missing":
        return ColumnSource(column.name, "missing")
    if source in ("time", "local-time"):
        return ColumnSource(column.name, source) if is_date else None  # type: ignore[arg-type]
    if is_date or column.type == "list":
        return None
    if source == "hour":
        hours = {str(hour) for hour in range(24)}
        return ColumnSource(column.name, "hour") if values and hours.issuperset(values) else None
    if source == "language":
        is_code = bool(values) and all(map(_LANGUAGE_CODE.fullmatch, values))
        return ColumnSource(column.name, "language") if is_code else None
    if source == "weekday":
        for writing in _WEEKDAY_WRITINGS:
            if values and set(writing).issuperset(values):
                return ColumnSource(column.name, "weekday", values=writing)
    return None


def _list_values(column: Column, schema: FeatureSchema) -> Sequence[str]:
    """Lists values that training has seen: a vocabulary, or the least and the largest number."""
    for feature in schema.categorical:
        if isinstance(feature, VocabularyFeature) and feature.column == column.name:
            return feature.values
    for number in schema.numeric:
        if isinstance(number, ScaledFeature) and number.column == column.name:
            return [f"{number.low:g}", f"{number.high:g}"]
    return ()
