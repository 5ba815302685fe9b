"""Reads interactions and items from a user's own CSV, TSV or Parquet files, by column names."""

from __future__ import annotations

from pathlib import Path

from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.bad_rows import OnBadRows
from kd_tf.data.formats.delimited import Dialect, read_layout
from kd_tf.data.formats.files import SourceFile, get_single_table
from kd_tf.data.formats.parquet import list_columns
from kd_tf.data.sources.own_tables import InteractionColumns, ItemColumns, read_delimited
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


def read_csv(
    path: str | Path,
    *,
    user: str,
    item: str,
    rating: str | None = None,
    timestamp: str | None = None,
    items: str | Path | None = None,
    header: bool | None = None,
    on_bad_rows: OnBadRows = "stop",
    name: str | None = None,
    **item_columns: str | None,
) -> Dataset:
    """Reads a table with one row for each time that a user read, rated or borrowed an item.

    The format (CSV, TSV, other separators, quotes, packed as ``.gz`` or ``.zip``, Parquet) is
    detected.

    Args:
        path: The interaction table.
        user: Name of the column with user ids.
        item: Name of the column with item ids.
        rating: Name of a column with ratings.
        timestamp: Name of a column with seconds since 1970, or with ISO 8601 dates or times.
        items: The item table. Its id column is called as `item`, ``item_id``, ``book_id`` or
            ``id``; columns called title, authors (or author), series, genre, year, text (or
            description), cover and isbn are found by themselves.
        header: Whether the interaction table begins with column names; None detects it.
        on_bad_rows: "stop" raises at the first bad row; "skip" skips and counts them.
        name: Name of the data set; by default the file's.
        **item_columns: Names of columns of the item table that have other names:
            ``item_id="asin"``, ``title="book_title"``; None leaves a column out.

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
    if items is None and item_columns:
        raise UserError(
            f"{next(iter(item_columns))} names a column of the item table, but there is none",
            hint='Give the item table: items="books.csv".',
        )
    return read_delimited(
        Path(path),
        InteractionColumns(user, item, rating, timestamp),
        items=None if items is None else Path(items),
        item_columns=None if items is None else find_item_columns(Path(items), item, item_columns),
        header=header,
        on_bad_rows=on_bad_rows,
        name=name,
    )


def find_item_columns(
    path: Path, item: str, names: dict[str, str | None] | None = None
) -> ItemColumns:
    """Finds the columns of an item table by their usual names.

    Args:
        path: The item table.
        item: Name of the id column in the interactions.
        names: Names of columns that are known.

    Raises:
        UserError: There is no id column, or a name in `names` is not that of a catalog's column.
    """
    names = dict(names or {})
    unknown = [column for column in names if column not in (*COLUMN_NAMES, "item_id")]
    if unknown:
        raise UserError(
            f"a catalog has no column {unknown[0]!r}",
            hint=f"Choose from item_id, {', '.join(COLUMN_NAMES)}.",
        )
    source = get_single_table(path)
    by_name = {name.strip().lower(): name for name in _list_columns(source)}
    id_column = names.pop("item_id", None) or next(
        (by_name[name] for name in (item.lower(), *ID_NAMES) if name in by_name), None
    )
    if id_column is None:
        raise UserError(
            f"the item table has no column {item!r}, {', '.join(map(repr, ID_NAMES))}",
            where=str(source),
            hint='Name the column with the item ids: item_id="...".',
        )
    found_names = {
        column: next((by_name[name] for name in usual if name in by_name), None)
        for column, usual in COLUMN_NAMES.items()
    }
    return ItemColumns(id_column, **{**found_names, **names})


def _list_columns(source: SourceFile) -> list[str]:
    if source.name.lower().endswith(".parquet"):
        return list_columns(source)
    return list(read_layout(source, dialect=Dialect(has_header=True)).column_names or ())
