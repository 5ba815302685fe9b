"""Reads interactions and items from a user's own CSV, TSV or Parquet files, by column names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack, cast

from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.files import format_names, get_single_table
from kd_tf.data.formats.tables import Table, open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import derive_name, read_tables
from kd_tf.data.sources.table_options import TableOptions, make_rules
from kd_tf.errors import UserError

COLUMN_NAMES = {
    "title": ("title", "name"),
    "authors": ("authors", "author"),
    "series": ("series",),
    "genre": ("genre", "genres"),
    "year": ("year", "publication_year"),
    "text": ("text", "description"),
    "cover": ("cover", "image_url"),
    "isbn": ("isbn", "isbn13"),
}
"""For each column of a catalog its usual names in item tables, in lower case."""

ID_NAMES = ("item_id", "book_id", "id")
"""Usual names of the id column of an item table, if it is not called as in the interactions."""


class CsvOptions(TableOptions, total=False):
    """The options of `read_csv`: those of tables, and names of columns of the item table."""

    item_id: str | None
    title: str | None
    authors: str | None
    series: str | None
    genre: str | None
    year: str | None
    text: str | None
    cover: str | None
    isbn: str | None


def read_csv(
    path: str | Path,
    *,
    user: str,
    item: str,
    rating: str | None = None,
    timestamp: str | None = None,
    items: str | Path | None = None,
    name: str | None = None,
    **options: Unpack[CsvOptions],
) -> Dataset:
    """Reads a table with one row for each time that a user read, rated or borrowed an item.

    The format (CSV, TSV, other separators, quotes, packed as ``.gz`` or ``.zip``, Parquet, Excel
    workbook) is detected.

    Args:
        path: The interaction table.
        user: Column with user ids: its name, or its number from 1.
        item: Column with item ids.
        rating: Column with ratings; a row may have none.
        timestamp: Column with times in any form that has one meaning; a row may have none.
        items: The item table. Its id column is called as `item`, ``item_id``, ``book_id`` or
            ``id``; columns called title, authors (or author), series, genre, year, text (or
            description), cover and isbn are found by themselves.
        name: Name of the data set; by default the file's.
        **options: How the tables are written and which rows are taken (`TableOptions`):
            ``encoding="cp1252"``, ``decimal=","``, ``where=["shelf=read"]``,
            ``normalize_ids="isbn"``, ``on_bad_rows="skip"``. And columns of the item table that
            have other names: ``item_id="asin"``, ``title="book_title"``; None leaves one out.
            Without `items` they are columns of the interaction table.

    Raises:
        UserError: A file cannot be read, a column is missing, or a row is bad; the message names
            file, line and column.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     loans, books = Path(folder) / "loans.csv", Path(folder) / "books.csv"
        ...     _ = loans.write_text("reader,book\\nann,7\\nbob,9\\n")
        ...     _ = books.write_text("book,title,author\\n7,Dune,Herbert\\n9,Emma,Austen\\n")
        ...     dataset = read_csv(loans, user="reader", item="book", items=books)
        >>> dataset.catalog.label(1)
        'Dune (Herbert)'
    """
    _check_names(options)
    names = ("item_id", *COLUMN_NAMES)
    item_names = cast("dict[str, Any]", {key: options[key] for key in names if key in options})  # type: ignore[literal-required]
    table_options = {key: value for key, value in options.items() if key not in names}
    rules = make_rules(**cast("TableOptions", table_options))
    table = open_table(get_single_table(Path(path)), rules.dialect)
    item_table = None
    columns: ItemColumns | None = None
    if items is not None:
        item_table = open_table(get_single_table(Path(items)), rules.item_dialect)
        columns = find_item_columns(item_table, item, item_names)
    elif item_names:
        item_names.pop("item_id", None)  # the items are those of the interactions
        columns = ItemColumns(item, **item_names)
    return read_tables(
        table,
        InteractionColumns(user, item, rating, timestamp),
        items=item_table,
        item_columns=columns,
        rules=rules,
        name=name or derive_name(Path(path)),
    )


def find_item_columns(
    table: Table, item: str, names: Mapping[str, str | None] | None = None
) -> ItemColumns:
    """Finds the columns of an item table by their usual names.

    Args:
        table: The item table.
        item: Name of the id column in the interactions.
        names: Names of columns that are known.

    Raises:
        UserError: There is no id column.
    """
    known_names = dict(names or {})
    by_name = {name.strip().lower(): name for name in table.list_columns()}
    id_column = known_names.pop("item_id", None) or next(
        (by_name[name] for name in (item.lower(), *ID_NAMES) if name in by_name), None
    )
    if id_column is None:
        raise UserError(
            f"the item table has no column {item!r}, {', '.join(map(repr, ID_NAMES))}; its columns "
            f"are {format_names(list(by_name.values()), 10) or 'not named'}",
            where=table.locate(1),
            hint="Name the column with the item ids: item_id. If the table begins below this line: "
            'item_format={"skip_rows": 1}.',
        )
    found_names = {
        column: next((by_name[name] for name in usual if name in by_name), None)
        for column, usual in COLUMN_NAMES.items()
    }
    return ItemColumns(id_column, **{**found_names, **known_names})


def _check_names(options: Mapping[str, object]) -> None:
    """Checks that all options are known.

    Raises:
        UserError: One is not.
    """
    known_names = (*TableOptions.__annotations__, "item_id", *COLUMN_NAMES)
    for name in options:
        if name not in known_names:
            close = difflib.get_close_matches(name, known_names, n=1)
            raise UserError(
                f"read_csv has no option {name!r}, and a catalog has no such column",
                hint=f"Did you mean {close[0]}?"
                if close
                else f"There are: {', '.join(known_names)}.",
            )
