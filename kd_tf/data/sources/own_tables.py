"""Reads your own tables (CSV, TSV or Parquet): interactions and, optionally, the items."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kd_tf.data.catalog import COLUMNS
from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_table
from kd_tf.data.formats.files import SourceFile, get_single_table
from kd_tf.data.formats.parquet import read_parquet
from kd_tf.data.isbn import normalize_isbn
from kd_tf.errors import UserError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SECONDS = 10**11
"""Tells seconds from milliseconds: as seconds this is the year 5138, as milliseconds March 1973."""


@dataclass(frozen=True)
class InteractionColumns:
    """The column names of an interaction table.

    Attributes:
        user: The user id, any text.
        item: The item id, any text.
        rating: A finite number; None if there is no such column.
        timestamp: Seconds since 1970, or a date or time in ISO 8601 (UTC unless it names another
            zone); None if there is no such column.
    """

    user: str
    item: str
    rating: str | None = None
    timestamp: str | None = None


@dataclass(frozen=True)
class ItemColumns:
    """The column names of an item table; see `kd_tf.data.catalog.COLUMNS`.

    All but `item_id` are None if there is no such column.

    Attributes:
        item_id: The id that the interaction table uses.
        title: The title.
        authors: All authors.
        series: The series that the book belongs to.
        genre: The genre.
        year: The year of publication; negative for years BC.
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
    """Reads a table of interactions and, if there is one, the table of the items.

    `kd_tf.data.formats.delimited.read_table` describes the supported text files;
    `kd_tf.data.formats.parquet` reads ``.parquet``.

    Args:
        path: The interaction table: one row for each time that a user read, rated or opened an
            item.
        columns: The names of its columns; without a header, their order.
        items: The item table. Without it, items are known by their ids only.
        item_columns: The names of its columns.
        header: Whether the interaction table begins with the names of its columns; None detects
            it.
        on_bad_rows: "stop" raises at the first row with too few or too many fields, an empty id,
            or an invalid rating or timestamp. "skip" skips such rows and lists them in the notes.
        name: The name of the data set; by default the file name without its extensions.

    Raises:
        UserError: A file cannot be read, a column is missing, a row is bad, two items share an
            id, or the timestamps are milliseconds.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "loans.csv"
        ...     _ = path.write_text("user,item,rating\\nann,dune,5\\nbob,dune,4\\nbob,emma,3\\n")
        ...     dataset = read_delimited(path, InteractionColumns("user", "item", "rating"))
        >>> dataset.name, dataset.interactions.user_ids, dataset.catalog.item_ids
        ('loans', ['ann', 'bob'], ['dune', 'emma'])
        >>> dataset.interactions.rating
        array([5., 4., 3.], dtype=float32)
    """
    if (items is None) != (item_columns is None):
        raise UserError(
            "the item table and the names of its columns belong together, but one is missing",
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
    """The rows of an interaction table, in the blocks that `from_chunks` takes.

    Iterating reads the file and raises `UserError` like `read_delimited`.

    Args:
        source: The file.
        columns: The names of its columns.
        on_bad_rows: What to do with a bad row.
        dialect: The format of the file.

    Attributes:
        source: The file.
        columns: Role -> column name, for the columns that are read.
        dialect: The format of the file.
        bad_rows: The bad rows; complete after the last row.
        notes: The notes on skipped rows; complete after the last row.
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
            frame = self._parse_column(block, "user", parse_ids, "is not a user id")
            frame = self._parse_column(frame, "item", parse_ids, "is not an item id")
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
        """Returns the data set made from these rows with the notes and counts of skipped rows.

        Args:
            dataset: The data set; all rows have been read.
            notes: Further notes, which go after those on skipped rows.
        """
        return add_notes(dataset, self.bad_rows, self.notes + notes)

    def parse_times(self, values: pl.Series) -> pl.Series:
        """Parses texts to Int64 seconds since 1970, null where a text is not a time."""
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
        is_late = frame["timestamp"] > _MAX_SECONDS
        if len(frame) and is_late.all():
            raise UserError(
                f"the timestamps look like milliseconds (the first is {frame['timestamp'][0]}), "
                "but seconds are needed",
                where=self.bad_rows.location(frame["line"][0], self.columns["timestamp"]),
                hint="Divide the column by 1000.",
            )


def add_notes(dataset: Dataset, bad_rows: BadRows, notes: tuple[str, ...]) -> Dataset:
    """Returns the data set with the number of its skipped rows and with notes before its own."""
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
    """Reads an item table.

    Empty fields become null. Years that are not whole numbers and invalid ISBNs become null too,
    and a note counts them.

    Args:
        source: The file.
        columns: The names of its columns.
        on_bad_rows: What to do with a bad row.
        dialect: The format of the file.

    Returns:
        A frame for `kd_tf.data.catalog.Catalog`, in the order of the file, and notes.

    Raises:
        UserError: As for `read_delimited`.
    """
    column_names = _get_column_names(columns)
    id_column = column_names["item_id"]
    bad_rows = BadRows(source, on_bad_rows)
    if source.name.lower().endswith(".parquet"):
        blocks = read_parquet(source, column_names)
    else:
        blocks = read_table(source, column_names, bad_rows, dialect=dialect)
    parts = []
    for block in blocks:
        parts.append(
            parse_column(
                block, "item_id", parse_ids, bad_rows, column=id_column, reason="is not an item id"
            )
        )
        bad_rows.raise_or_skip()
    frame = pl.concat(parts)
    notes = bad_rows.finish(len(frame))
    repeated_rows = frame.filter(~pl.col("item_id").is_first_distinct()).head(1)
    if len(repeated_rows):
        item_id, line = repeated_rows["item_id"][0], repeated_rows["line"][0]
        first_line = frame.filter(pl.col("item_id") == item_id)["line"][0]
        raise UserError(
            f"{item_id!r} is already the id of the item in line {first_line}",
            where=bad_rows.location(line, id_column),
            hint="Every item needs one row and a unique id.",
        )
    text_columns = [role for role in column_names if COLUMNS[role] == pl.String]
    frame = frame.with_columns(pl.col(text_columns).replace("", None)).drop("line")
    if columns.year is not None:
        texts = frame["year"].str.strip_chars()
        frame = frame.with_columns(_parse_years(texts))
        is_bad = frame["year"].is_null() & (texts != "")
        if is_bad.any():
            notes += (
                f"{int(is_bad.sum())} items of {source.name} have a year that is not a whole "
                f"number (the first is {texts.filter(is_bad)[0]!r}): they are kept without a year",
            )
    if columns.isbn is not None:
        texts = frame["isbn"]
        frame = frame.with_columns(normalize_isbn(texts))
        is_bad = frame["isbn"].is_null() & texts.is_not_null()
        if is_bad.any():
            notes += (
                f"{int(is_bad.sum())} items of {source.name} have an ISBN with a wrong length or "
                f"check digit (the first is {texts.filter(is_bad)[0]!r}): they are kept without an "
                "ISBN",
            )
    return frame, notes


def _get_column_names(columns: InteractionColumns | ItemColumns) -> dict[str, str]:
    """Returns role -> column name for the columns that exist."""
    return {role: name for role, name in dataclasses.asdict(columns).items() if name is not None}


def _derive_name(path: Path) -> str:
    """Returns a file name without the extensions of archives and tables."""
    name = path.name
    for extensions in ((".zip", ".gz"), (".csv", ".tsv", ".txt", ".parquet")):
        if name.lower().endswith(extensions):
            name = Path(name).stem
    return name


def parse_ids(values: pl.Series) -> pl.Series:
    """Returns ids unchanged ("007" is not "7", " a" is not "a"), null where they are empty."""
    return values.replace("", None)


def parse_ratings(values: pl.Series) -> pl.Series:
    """Parses texts to Float32, null where a text is not a finite number.

    Example:
        >>> parse_ratings(pl.Series(["4.5", "nan", "five"])).to_list()
        [4.5, None, None]
    """
    return _mask_non_finite(_parse_floats(values).cast(pl.Float32, strict=False))


def parse_seconds(values: pl.Series) -> pl.Series:
    """Parses numbers and ISO 8601 texts to Int64 seconds since 1970, rounded down.

    Null where a text is neither.

    Example:
        >>> parse_seconds(pl.Series(["86400", "1970-01-02", "1.9", "soon"])).to_list()
        [86400, 86400, 1, None]
    """
    values = values.str.strip_chars()
    # Integers first: floats do not have enough digits for all of them.
    seconds = values.cast(pl.Int64, strict=False)
    if seconds.null_count():
        rounded_seconds = (
            _mask_non_finite(_parse_floats(values)).floor().cast(pl.Int64, strict=False)
        )
        seconds = seconds.zip_with(seconds.is_not_null(), rounded_seconds)
    if seconds.null_count():
        is_text = seconds.is_null()
        parsed_seconds = pl.Series(
            [_parse_iso_seconds(value) for value in values.filter(is_text)], dtype=pl.Int64
        )
        seconds = seconds.scatter(is_text.arg_true(), parsed_seconds)
    return seconds


def _parse_iso_seconds(value: str) -> int | None:
    """Parses an ISO 8601 time to seconds since 1970; returns None if it is not one."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(seconds=1)


def _parse_years(values: pl.Series) -> pl.Series:
    """Parses texts to Int32, null where a text is not a whole number."""
    numbers = _parse_floats(values)
    return numbers.set(numbers != numbers.floor(), None).cast(pl.Int32, strict=False)


def _parse_floats(values: pl.Series) -> pl.Series:
    """Parses texts to Float64, null where a text is not a number."""
    return values.str.strip_chars().cast(pl.Float64, strict=False)


def _mask_non_finite(numbers: pl.Series) -> pl.Series:
    """Replaces NaN and infinity with null."""
    return numbers.set(~numbers.is_finite(), None)
