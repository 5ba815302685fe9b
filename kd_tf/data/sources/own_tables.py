"""Any CSV, TSV or Parquet table: who read what, and a table of the books beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kd_tf.data.catalog import COLUMNS
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_table
from kd_tf.data.formats.files import SourceFile, get_single_table
from kd_tf.data.formats.parquet import read_parquet
from kd_tf.data.interactions import Dataset, from_chunks
from kd_tf.data.isbn import normalize_isbn
from kd_tf.errors import UserError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SECONDS = 10**11
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
class ItemColumns:
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
        isbn: The ISBN, of 10 or 13 digits, in any common writing.
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


def read_delimited(
    path: Path,
    columns: InteractionColumns,
    *,
    items: Path | None = None,
    item_columns: ItemColumns | None = None,
    header: bool | None = None,
    on_bad_rows: OnBadRows = "stop",
    name: str | None = None,
) -> Dataset:
    """Reads a table of who read what and, where there is one, the table of the books.

    Which files can be read says `kd_tf.data.formats.delimited.read_table`, and
    `kd_tf.data.formats.parquet` for ``.parquet``.

    Args:
        path: The interaction table: a row each time that a reader read, rated or opened a book.
        columns: What its columns are called, or their order where it has no header.
        books: The book table; without it books are known by their ids only.
        book_columns: What its columns are called.
        header: Whether the interaction table begins with the names of its columns; None finds
            out.
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
    if (items is None) != (item_columns is None):
        raise UserError(
            "the book table and the names of its columns belong together: one is missing",
            where=str(items or path),
            hint="Give both, or neither.",
        )
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if items is not None and item_columns is not None:
        catalog, notes = read_items(get_single_table(items), item_columns, on_bad_rows=on_bad_rows)
    rows = InteractionRows(
        get_single_table(path), columns, on_bad_rows=on_bad_rows, dialect=Dialect(has_header=header)
    )
    dataset = from_chunks(name or _derive_name(path), rows, catalog)
    return rows.add_notes_to(dataset, notes)


class InteractionRows:
    """The rows of an interaction table, as `from_chunks` takes them.

    Iterating reads the file, and raises UserError as `read_delimited` does.

    Attributes:
        bad: The bad rows, known after the last row.
        notes: On rows that were skipped, known after the last row.

    Args:
        source: The file.
        columns: What its columns are called.
        on_bad_rows: What a bad row does.
        dialect: How the file is written.
    """

    def __init__(
        self,
        source: SourceFile,
        columns: InteractionColumns,
        *,
        on_bad_rows: OnBadRows,
        dialect: Dialect | None = None,
    ) -> None:
        self.source, self.columns, self.dialect = source, _get_column_names(columns), dialect
        self.bad_rows = BadRows(source, on_bad_rows)
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        if self.source.name.lower().endswith(".parquet"):
            blocks = read_parquet(self.source, self.columns)
        else:
            blocks = read_table(self.source, self.columns, self.bad_rows, dialect=self.dialect)
        good_rows = 0
        for block in blocks:
            frame = self._parse_column(block, "user", parse_ids, "is no reader's id")
            frame = self._parse_column(frame, "item", parse_ids, "is no book's id")
            if "rating" in self.columns:
                frame = self._parse_column(frame, "rating", parse_ratings, "is not a finite number")
            if "timestamp" in self.columns:
                frame = self._parse_column(
                    frame, "timestamp", self.parse_times, "is neither seconds nor an ISO 8601 time"
                )
                self._refuse_milliseconds(frame)
            self.bad_rows.raise_or_skip()
            good_rows += len(frame)
            yield frame.drop("line")
        self.notes = self.bad_rows.finish(good_rows)

    def add_notes_to(self, dataset: Dataset, notes: tuple[str, ...] = ()) -> Dataset:
        """The data set that was made of the rows, with what was left out of them."""
        return add_notes(dataset, self.bad_rows, self.notes + notes)

    def parse_times(self, values: pl.Series) -> pl.Series:
        """Int64 seconds since 1970, null where a text is no time."""
        return parse_seconds(values)

    def _parse_column(
        self,
        frame: pl.DataFrame,
        role: str,
        parser: Callable[[pl.Series], pl.Series],
        reason: str,
    ) -> pl.DataFrame:
        return parse_column(
            frame, role, parser, self.bad_rows, column=self.columns[role], reason=reason
        )

    def _refuse_milliseconds(self, frame: pl.DataFrame) -> None:
        late = frame["timestamp"] > _MAX_SECONDS
        if len(frame) and late.all():
            raise UserError(
                f"the timestamps look like milliseconds (the first is {frame['timestamp'][0]}), "
                "but seconds are needed",
                where=self.bad_rows.location(frame["line"][0], self.columns["timestamp"]),
                hint="Divide the column by 1000.",
            )


def add_notes(dataset: Dataset, bad_rows: BadRows, notes: tuple[str, ...]) -> Dataset:
    """The data set with what was left out of its rows, and with more notes before its own."""
    return dataclasses.replace(
        dataset,
        notes=notes + dataset.notes,
        dropped_rows={**dataset.dropped_rows, **bad_rows.counts_by_reason()},
    )


def read_items(
    source: SourceFile,
    columns: ItemColumns,
    *,
    on_bad_rows: OnBadRows,
    dialect: Dialect | None = None,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A frame for `kd_tf.data.catalog.Catalog`, in the order of the file, and notes.

    Empty fields are null. A year that is no whole number and an ISBN that is none are null too,
    and counted in notes.

    Raises:
        UserError: As `read_delimited`.
    """
    given = _get_column_names(columns)
    bad = BadRows(source, on_bad_rows)
    if source.name.lower().endswith(".parquet"):
        blocks = read_parquet(source, given)
    else:
        blocks = read_table(source, given, bad, dialect=dialect)
    parts = []
    for block in blocks:
        parts.append(
            parse_column(
                block, "item_id", parse_ids, bad, column=given["item_id"], reason="is no book's id"
            )
        )
        bad.raise_or_skip()
    frame = pl.concat(parts)
    notes = bad.finish(len(frame))
    repeated = frame.filter(~pl.col("item_id").is_first_distinct()).head(1)
    if len(repeated):
        twice, line = repeated["item_id"][0], repeated["line"][0]
        first = frame.filter(pl.col("item_id") == twice)["line"][0]
        raise UserError(
            f"{twice!r} is the id of the book in line {first} already",
            where=bad.location(line, given["item_id"]),
            hint="Every book needs one row and an id of its own.",
        )
    texts = [role for role in given if COLUMNS[role] == pl.String]
    frame = frame.with_columns(pl.col(texts).replace("", None)).drop("line")
    if columns.year is not None:
        written = frame["year"].str.strip_chars()
        frame = frame.with_columns(_parse_years(written))
        dropped = frame["year"].is_null() & (written != "")
        if dropped.any():
            notes += (
                f"{int(dropped.sum())} books of {source.name} have a year that is no whole number "
                f"(the first is {written.filter(dropped)[0]!r}): they are kept without a year",
            )
    if columns.isbn is not None:
        written = frame["isbn"]
        frame = frame.with_columns(normalize_isbn(written))
        dropped = frame["isbn"].is_null() & written.is_not_null()
        if dropped.any():
            notes += (
                f"{int(dropped.sum())} books of {source.name} have an ISBN with a wrong length or "
                f"check digit (the first is {written.filter(dropped)[0]!r}): they are kept without "
                "an ISBN",
            )
    return frame, notes


def _get_column_names(columns: InteractionColumns | ItemColumns) -> dict[str, str]:
    return {role: name for role, name in dataclasses.asdict(columns).items() if name is not None}


def _derive_name(path: Path) -> str:
    name = path.name
    for endings in ((".zip", ".gz"), (".csv", ".tsv", ".txt", ".parquet")):
        if name.lower().endswith(endings):
            name = Path(name).stem
    return name


def parse_ids(values: pl.Series) -> pl.Series:
    """Ids as they are: "007" is not "7", and " a" is not "a"."""
    return values.replace("", None)


def parse_ratings(values: pl.Series) -> pl.Series:
    return _mask_non_finite(_parse_floats(values).cast(pl.Float32, strict=False))


def parse_seconds(values: pl.Series) -> pl.Series:
    """Int64 seconds since 1970, rounded down, of numbers and of ISO 8601 text."""
    values = values.str.strip_chars()
    # As an integer first: a float has not enough digits for all of them.
    found = values.cast(pl.Int64, strict=False)
    if found.null_count():
        rounded = _mask_non_finite(_parse_floats(values)).floor().cast(pl.Int64, strict=False)
        found = found.zip_with(found.is_not_null(), rounded)
    if found.null_count():
        left = found.is_null()
        parsed = pl.Series(
            [_parse_iso_seconds(value) for value in values.filter(left)], dtype=pl.Int64
        )
        found = found.scatter(left.arg_true(), parsed)
    return found


def _parse_iso_seconds(value: str) -> int | None:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(seconds=1)


def _parse_years(values: pl.Series) -> pl.Series:
    numbers = _parse_floats(values)
    return numbers.set(numbers != numbers.floor(), None).cast(pl.Int32, strict=False)


def _parse_floats(values: pl.Series) -> pl.Series:
    return values.str.strip_chars().cast(pl.Float64, strict=False)


def _mask_non_finite(numbers: pl.Series) -> pl.Series:
    return numbers.set(~numbers.is_finite(), None)
