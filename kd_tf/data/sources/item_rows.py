"""Reads the rows of an item table of any format: titles, authors and more by item id."""

from __future__ import annotations

import ast
import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.tables import Table
from kd_tf.data.sources.interaction_rows import get_column_names, parse_ids_of, refuse_fractions
from kd_tf.data.values.garbled import describe_garbled
from kd_tf.data.values.ids import mask_missing
from kd_tf.data.values.isbn import normalize_isbn
from kd_tf.data.values.numbers import parse_years
from kd_tf.data.values.rules import ValueRules

_LISTS = ("authors", "genre")
"""Columns whose values may be lists, as Python writes them: ``['Ann', 'Bob']``."""

_NO_ISBNS = ("[]", "=", "0")


@dataclass(frozen=True)
class ItemColumns:
    """The columns of an item table, by name or number; see `kd_tf.data.catalog.COLUMNS`.

    All but `item_id` are None if there is no such column.

    Attributes:
        item_id: The id that the interaction table uses.
        title: The title.
        authors: All authors.
        series: The series that the book belongs to.
        genre: The genre.
        year: The year of publication, or a date that begins with it; negative for years BC.
        text: A description.
        cover: The path or URL of a picture.
        isbn: The ISBN, with 10 or 13 digits, in any common notation.
    """

    item_id: str
    title: str | None = None
    authors: str | None = None
    series: str | None = None
    genre: str | None = None
    year: str | None = None
    text: str | None = None
    cover: str | None = None
    isbn: str | None = None


def read_items(
    table: Table,
    columns: ItemColumns,
    *,
    on_bad_rows: OnBadRows,
    values: ValueRules | None = None,
    repeats: Literal["refuse", "merge"] = "refuse",
    other_columns: Sequence[str] = (),
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reads an item table.

    Blank fields become null, HTML entities such as ``&amp;`` become the letters they stand for, and
    lists of authors or genres become one text.
    Years that are not whole numbers and invalid ISBNs become null too, and a note counts them. A
    row that repeats another one is passed over.

    Args:
        table: The table.
        columns: Its columns.
        on_bad_rows: What to do with a bad row.
        values: How values are written.
        repeats: What rows with the same id and other values are: bad rows, or parts of one item, as
            in a table of interactions, of which the first value of each column is taken.
        other_columns: Further columns of texts, which keep their names.

    Returns:
        A frame for `kd_tf.data.catalog.Catalog`, in the order of the table, and notes.

    Raises:
        UserError: The table cannot be read, a column is missing, or a row is bad.
    """
    values = values or ValueRules()
    column_names = {**get_column_names(columns), **{name: name for name in other_columns}}
    refuse_fractions(table, column_names, values)
    id_column = column_names["item_id"]
    bad_rows = BadRows(table, on_bad_rows)
    parts = []
    for block in table.read(column_names, bad_rows):
        ids = parse_ids_of(block, "item_id", id_column, "an item id", values, bad_rows)
        bad_rows.raise_or_skip()
        parts.append(ids)
    frame = pl.concat(parts)
    texts = [role for role in column_names if role not in ("item_id", "year")]
    frame = frame.with_columns(_clean_text(frame[role], values) for role in texts)
    frame = frame.with_columns(_join_lists(frame[role]) for role in texts if role in _LISTS)
    garbled_notes = tuple(
        note
        for role in texts
        if role in ("title", "authors")
        for note in describe_garbled(
            frame[role].drop_nulls(), f"{'titles' if role == 'title' else role} of {table.name}"
        )
    )
    if repeats == "merge":
        frame = frame.group_by("item_id", maintain_order=True).agg(
            pl.exclude("line").drop_nulls().first()
        )
        notes = garbled_notes
    else:
        frame = _drop_repeats(frame, id_column, bad_rows)
        notes = bad_rows.finish(len(frame)) + garbled_notes
        frame = frame.drop("line")
    for role, parse, more_null_values, kind, fault in (
        ("year", parse_years, (), "a year", "that is no year"),
        ("isbn", normalize_isbn, _NO_ISBNS, "an ISBN", "with a wrong length or check digit"),
    ):
        if role not in column_names:
            continue
        written = mask_missing(frame[role], (*values.null_values, *more_null_values))
        frame = frame.with_columns(parse(written).alias(role))
        is_bad = frame[role].is_null() & written.is_not_null()
        if is_bad.any():
            num_bad = int(is_bad.sum())
            notes += (
                f"{num_bad} {'item' if num_bad == 1 else 'items'} of {table.name} "
                f"{'has' if num_bad == 1 else 'have'} {kind} {fault} (the first is "
                f"{written.filter(is_bad)[0]!r}): kept without {kind}",
            )
    return frame, notes


def _clean_text(values: pl.Series, values_rules: ValueRules) -> pl.Series:
    """Makes what stands for a missing text null, and decodes HTML entities."""
    texts = mask_missing(values, values_rules.null_values)
    has_entity = texts.str.contains(r"&#?\w+;").fill_null(value=False)
    if has_entity.any():
        plain_texts = [html.unescape(text) for text in texts.filter(has_entity)]
        texts = texts.clone().scatter(
            has_entity.arg_true(), pl.Series(plain_texts, dtype=pl.String)
        )
    return texts.alias(values.name)


def _join_lists(values: pl.Series) -> pl.Series:
    """Joins the texts of values that are lists in the form of Python or JSON."""
    is_list = values.str.contains(r"""^\s*\[\s*(['"].*['"])?\s*\]\s*$""").fill_null(value=False)
    if not is_list.any():
        return values
    joined_texts = [_join_list(text) for text in values.filter(is_list)]
    return values.clone().scatter(is_list.arg_true(), pl.Series(joined_texts, dtype=pl.String))


def _join_list(text: str) -> str | None:
    try:
        parts = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text
    return ", ".join(map(str, parts)) or None


def _drop_repeats(frame: pl.DataFrame, id_column: str, bad_rows: BadRows) -> pl.DataFrame:
    """Keeps the first row of each item; the others are bad unless they say the same."""
    num_rows = len(frame)
    frame = frame.filter(pl.struct(pl.exclude("line")).is_first_distinct())
    bad_rows.pass_over("repeated row of the item table", num_rows - len(frame))
    is_first = frame["item_id"].is_first_distinct()
    if not is_first.all():
        first_lines = dict(frame.filter(is_first).select("item_id", "line").iter_rows())
        for item_id, line in frame.filter(~is_first).select("item_id", "line").iter_rows():
            place = bad_rows.source.format_line(first_lines[item_id])
            reason = f"is already the id of the item in {place}"
            bad_rows.add(line, item_id, reason, id_column)
        bad_rows.raise_or_skip()
    return frame.filter(is_first)


def has_texts(columns: ItemColumns) -> bool:
    """Says whether any column beyond the id is read."""
    return len(get_column_names(columns)) > 1
