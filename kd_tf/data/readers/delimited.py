"""Any CSV or TSV with named columns: who read what, and a table of the books beside it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kd_tf.data.catalog import COLUMNS
from kd_tf.data.interactions import Dataset, from_frame
from kd_tf.data.readers.tables import OnBadRows, Table, read_table
from kd_tf.errors import UserError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_SECONDS = 10**11
"""The year 5138 in seconds, March 1973 in milliseconds: real times lie on one side each."""


@dataclass(frozen=True)
class InteractionColumns:
    """What the columns of an interaction table are called.

    Attributes:
        user: The reader's id, any text.
        item: The book's id, any text.
        rating: A finite number.
        timestamp: Seconds since 1970, or a date or time of ISO 8601 (UTC where it names no
            other zone).
    """

    user: str
    item: str
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class BookColumns:
    """What the columns of a book table are called; see `kd_tf.data.catalog.COLUMNS`.

    Attributes:
        item_id: The id that the interaction table names books by.
        title: The title.
        authors: All authors.
        series: The series that the book belongs to.
        genre: The genre.
        year: The year of publication, negative before our era.
        text: A description.
        cover: Path or address of a picture.
    """

    item_id: str
    title: str | None = None
    authors: str | None = None
    series: str | None = None
    genre: str | None = None
    year: str | None = None
    text: str | None = None
    cover: str | None = None


def read_delimited(
    path: Path,
    columns: InteractionColumns,
    *,
    books: Path | None = None,
    book_columns: BookColumns | None = None,
    on_bad_rows: OnBadRows = "stop",
    name: str | None = None,
) -> Dataset:
    """Reads a table of who read what and, where there is one, the table of the books.

    Which files can be read says `kd_tf.data.readers.tables.read_table`.

    Args:
        path: The interaction table: a row each time that a reader read, rated or opened a book.
        columns: What its columns are called.
        books: The book table; without it books are known by their ids only.
        book_columns: What its columns are called.
        on_bad_rows: "stop" raises at the first row with too few or many fields, an empty id,
            or a rating or timestamp that is none; "skip" leaves such rows out and lists them
            in the notes.
        name: Names the data; by default the file's name without its endings.

    Raises:
        UserError: A file cannot be read, a column is missing, a row is bad, two books share
            an id, or the timestamps are milliseconds.

    Example:
        >>> read_delimited(Path("loans.csv"), InteractionColumns("reader", "book"))
    """
    if (books is None) != (book_columns is None):
        raise UserError(
            "the book table and the names of its columns belong together: one is missing",
            where=str(books or path),
            hint="Give both, or neither.",
        )
    interactions, notes = read_interactions(path, columns, on_bad_rows=on_bad_rows)
    catalog = None
    if books is not None and book_columns is not None:
        catalog, book_notes = read_books(books, book_columns, on_bad_rows=on_bad_rows)
        notes += book_notes
    dataset = from_frame(name or _name(path), interactions, catalog)
    return dataclasses.replace(dataset, notes=notes + dataset.notes)


def read_interactions(
    path: Path, columns: InteractionColumns, *, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame that `kd_tf.data.interactions.from_frame` takes, and notes on skipped rows.

    Raises:
        UserError: As `read_delimited`.
    """
    table = read_table(path, _given(columns))
    table = table.parse("user", _identifier, "is no reader's id")
    table = table.parse("item", _identifier, "is no book's id")
    if columns.rating is not None:
        table = table.parse("rating", _rating, "is not a finite number")
    if columns.timestamp is not None:
        table = table.parse("timestamp", _seconds, "is neither seconds nor an ISO 8601 time")
        _refuse_milliseconds(table)
    frame, notes = table.good_rows(on_bad_rows)
    return frame.drop("line"), notes


def read_books(
    path: Path, columns: BookColumns, *, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A frame for `kd_tf.data.catalog.Catalog`, in the order of the file, and notes.

    Empty fields are null. A year that is no whole number is null too, and counted in a note.

    Raises:
        UserError: As `read_delimited`.
    """
    table = read_table(path, _given(columns))
    table = table.parse("item_id", _identifier, "is no book's id")
    frame, notes = table.good_rows(on_bad_rows)
    repeated = frame.filter(~pl.col("item_id").is_first_distinct()).head(1)
    if len(repeated):
        twice, line = repeated["item_id"][0], repeated["line"][0]
        first = frame.filter(pl.col("item_id") == twice)["line"][0]
        raise UserError(
            f"{twice!r} is the id of the book in line {first} already",
            where=table.where(line, "item_id"),
            hint="Every book needs one row and an id of its own.",
        )
    texts = [role for role in table.names if COLUMNS[role] == pl.String]
    frame = frame.with_columns(pl.col(texts).replace("", None)).drop("line")
    if columns.year is not None:
        given = frame["year"].str.strip_chars()
        frame = frame.with_columns(_year(given))
        dropped = int((frame["year"].is_null() & (given != "")).sum())
        if dropped:
            example = given.filter(frame["year"].is_null() & (given != ""))[0]
            notes += (
                f"{dropped} books of {path.name} have a year that is no whole number (the first "
                f"is {example!r}): they are kept without a year",
            )
    return frame, notes


def _given(columns: InteractionColumns | BookColumns) -> dict[str, str]:
    return {role: name for role, name in dataclasses.asdict(columns).items() if name is not None}


def _name(path: Path) -> str:
    name = path.name
    for endings in ((".zip", ".gz"), (".csv", ".tsv", ".txt")):
        if name.lower().endswith(endings):
            name = Path(name).stem
    return name


def _identifier(values: pl.Series) -> pl.Series:
    """Ids as they are: "007" is not "7", and " a" is not "a"."""
    return values.replace("", None)


def _rating(values: pl.Series) -> pl.Series:
    return _finite(_number(values).cast(pl.Float32, strict=False))


def _seconds(values: pl.Series) -> pl.Series:
    """Int64 seconds since 1970, rounded down, of numbers and of ISO 8601 text."""
    values = values.str.strip_chars()
    # As an integer first: a float has not enough digits for all of them.
    seconds = values.cast(pl.Int64, strict=False)
    if seconds.null_count():
        rounded = _finite(_number(values)).floor().cast(pl.Int64, strict=False)
        seconds = seconds.zip_with(seconds.is_not_null(), rounded)
    if seconds.null_count():
        left = seconds.is_null()
        parsed = pl.Series([_iso_seconds(value) for value in values.filter(left)], dtype=pl.Int64)
        seconds = seconds.scatter(left.arg_true(), parsed)
    return seconds


def _iso_seconds(value: str) -> int | None:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(seconds=1)


def _refuse_milliseconds(table: Table) -> None:
    times = table.frame.select("line", "timestamp").filter(pl.col("timestamp") > _LATEST_SECONDS)
    if len(times) and len(times) == len(table.frame):
        raise UserError(
            f"the timestamps look like milliseconds (the first is {times['timestamp'][0]}), "
            "but seconds are needed",
            where=table.where(times["line"][0], "timestamp"),
            hint="Divide the column by 1000.",
        )


def _year(values: pl.Series) -> pl.Series:
    numbers = _number(values)
    return numbers.set(numbers != numbers.floor(), None).cast(pl.Int32, strict=False)


def _number(values: pl.Series) -> pl.Series:
    return values.str.strip_chars().cast(pl.Float64, strict=False)


def _finite(numbers: pl.Series) -> pl.Series:
    return numbers.set(~numbers.is_finite(), None)
