"""Reads Amazon Reviews of 2014, 2018 and 2023: ratings and item metadata."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_layout
from kd_tf.data.formats.files import SourceFile, find_all
from kd_tf.data.formats.json_lines import read_json_lines, read_objects
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows, add_notes
from kd_tf.data.values.ids import parse_ids
from kd_tf.data.values.isbn import normalize_isbn
from kd_tf.data.values.numbers import parse_ratings
from kd_tf.data.values.rules import ValueRules
from kd_tf.data.values.times import TimeRules, parse_seconds
from kd_tf.errors import UserError

Release = Literal["2014", "2018", "2023"]

_FIELDS: dict[Release, dict[str, str]] = {
    "2014": {
        "user": "reviewerID",
        "item": "asin",
        "rating": "overall",
        "timestamp": "unixReviewTime",
    },
    "2018": {
        "user": "reviewerID",
        "item": "asin",
        "rating": "overall",
        "timestamp": "unixReviewTime",
    },
    "2023": {
        "user": "user_id",
        "item": "parent_asin",
        "rating": "rating",
        "timestamp": "timestamp",
    },
}
_TAG_PATTERN = re.compile(r"<[^>]*>")
_SPACE_PATTERN = re.compile(r"\s+")


def read_amazon_reviews(
    path: Path, *, release: Release | None = None, on_bad_rows: OnBadRows = "stop"
) -> Dataset:
    """Reads the reviews of one category: JSON lines or a table of ratings, plain or ``.gz``.

    - 2014: ``reviews_Books_5.json`` (reviewerID, asin, overall, unixReviewTime), or
      ``ratings_Books.csv`` without a header: user, item, rating, seconds.
    - 2018: ``Books_5.json`` with the same fields, or ``Books.csv`` without a header and in another
      order: item, user, rating, seconds.
    - 2023: ``Books.jsonl`` (user_id, parent_asin, rating, timestamp in milliseconds), or a table
      with these names. Items are parent ASINs, as its publishers advise, so that all editions of
      a book are one item.

    ``meta_*.json`` or ``meta_*.jsonl`` in the same place describes the items. In 2014 its lines
    are Python dictionaries, not JSON. Ratings are from 1 to 5. HTML is removed from titles and
    descriptions. If an item is described twice, the first description counts.

    Source: McAuley et al., "Image-based recommendations on styles and substitutes", 2015; Ni, Li
    and McAuley, "Justifying recommendations using distantly-labeled reviews and fine-grained
    aspects", 2019; Hou et al., "Bridging language and items for retrieval and recommendation",
    2024.

    Args:
        path: The folder or archive with one category, or the file of reviews or ratings.
        release: The release; only needed if neither the file's name nor its fields tell it.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: There are no reviews or those of several categories, the release is
            unknown, or a row is bad.
    """
    source = _find_reviews(path)
    rows: _JsonRows | InteractionRows
    if source.name.lower().endswith(".csv"):
        rows = _make_rating_rows(source, release, on_bad_rows)
    else:
        rows = _JsonRows(source, release or _detect_release(source), on_bad_rows)
    is_complete = path.is_dir() or path.suffix == ".zip"
    metadata = [
        source for ending in ("json", "jsonl") for source in find_all(path, f"meta_*.{ending}")
    ]
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if is_complete and metadata:
        catalog, notes = _read_metadata(metadata[0], on_bad_rows)
    return rows.add_notes_to(from_chunks("amazon-reviews", rows, catalog), notes)


def _find_reviews(path: Path) -> SourceFile:
    """Returns the only file of reviews or ratings at `path`."""
    for ending in ("json", "jsonl", "csv"):
        sources = [
            source
            for source in find_all(path, f"*.{ending}")
            if not source.name.startswith("meta_")
        ]
        if len(sources) > 1:
            raise UserError(
                "there are several files of reviews: "
                f"{', '.join(source.name for source in sources)}",
                where=str(path),
                hint="Give the path of one of them, or keep only one category in the folder.",
            )
        if sources:
            return sources[0]
    raise UserError(
        "there is no file of Amazon reviews (.json, .jsonl or .csv, plain or .gz)",
        where=str(path),
        hint="Put the published file of one category there.",
    )


def _detect_release(source: SourceFile) -> Release:
    """Detects the release from the fields of the first object."""
    for _, record in read_objects(source, BadRows(source, "skip")):
        for release, fields in _FIELDS.items():
            if fields["user"] in record and fields["item"] in record:
                return release
        break
    raise UserError(
        "the first line is not a review of 2014, 2018 or 2023",
        where=f"{source}:1",
        hint="A line must be a JSON object with reviewerID and asin, or user_id and parent_asin.",
    )


def _make_rating_rows(
    source: SourceFile, release: Release | None, on_bad_rows: OnBadRows
) -> InteractionRows:
    """Makes the rows of a table of ratings, whose columns depend on the release."""
    layout = read_layout(source, dialect=Dialect(separator=","))
    if layout.has_header:
        columns = InteractionColumns("user_id", "parent_asin", "rating", "timestamp")
        return InteractionRows(
            open_table(source, Dialect(separator=",", has_header=True)),
            columns,
            on_bad_rows=on_bad_rows,
            values=ValueRules(times=TimeRules("ms")),
        )
    if release is None and source.name.startswith("ratings_"):
        release = "2014"
    if release not in ("2014", "2018"):
        raise UserError(
            "this table of ratings has no header, so it is unknown whether users or items come "
            "first: user, item in 2014; item, user in 2018",
            where=f"{source}:1",
            hint='Name the release: --set data.amazon_release="2018".',
        )
    rows = InteractionRows(
        open_table(source, Dialect(separator=",", has_header=False)),
        InteractionColumns("user", "item", "rating", "timestamp"),
        on_bad_rows=on_bad_rows,
    )
    if release == "2018":
        rows.columns = {role: role for role in ("item", "user", "rating", "timestamp")}
    return rows


class _JsonRows:
    """The rows of a file of JSON lines, in the blocks that `from_chunks` takes."""

    def __init__(self, source: SourceFile, release: Release, on_bad_rows: OnBadRows) -> None:
        self.source, self.release = source, release
        self.bad_rows = BadRows(source, on_bad_rows)
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        fields = _FIELDS[self.release]
        parsers = {
            "user": (parse_ids, "is not a user id"),
            "item": (parse_ids, "is not an item id"),
            "rating": (parse_ratings, "is not a finite number"),
            "timestamp": (self._parse_times, "is not a time"),
        }
        good_rows = 0
        for block in read_json_lines(self.source, fields, self.bad_rows):
            frame = block
            for role, (parser, reason) in parsers.items():
                frame = parse_column(
                    frame, role, parser, self.bad_rows, column=fields[role], reason=reason
                )
            self.bad_rows.raise_or_skip()
            good_rows += len(frame)
            yield frame.drop("line")
        self.notes = self.bad_rows.finish(good_rows)

    def _parse_times(self, values: pl.Series) -> pl.Series:
        return parse_seconds(values, "ms" if self.release == "2023" else "s")

    def add_notes_to(self, dataset: Dataset, notes: tuple[str, ...] = ()) -> Dataset:
        """Adds notes like `InteractionRows.add_notes_to`."""
        return add_notes(dataset, self.bad_rows, self.notes + notes)


@dataclass(frozen=True)
class _Item:
    item_id: str
    title: str | None
    authors: str | None
    genre: str | None
    text: str | None
    cover: str | None


def _read_metadata(
    source: SourceFile, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reads the item metadata as a catalog frame, and notes."""
    bad_rows = BadRows(source, on_bad_rows)
    items: dict[str, _Item] = {}
    num_repeated = 0
    for line, record in read_objects(source, bad_rows):
        item_id = record.get("parent_asin") or record.get("asin")
        if not isinstance(item_id, str) or not item_id:
            bad_rows.add(line, str(item_id or ""), "is not an item id", "asin")
            bad_rows.raise_or_skip()
        elif item_id in items:
            num_repeated += 1
        else:
            items[item_id] = _parse_item(item_id, record)
    notes = bad_rows.finish(len(items))
    if num_repeated:
        notes += (
            f"{num_repeated} items of {source.name} are described more than once: "
            "the first description is used",
        )
    frame = pl.DataFrame(
        [vars(item) for item in items.values()],
        schema=dict.fromkeys(_Item.__dataclass_fields__, pl.String),
    )
    # The ASIN of a printed book is its ISBN-10.
    return frame.with_columns(normalize_isbn(frame["item_id"]).alias("isbn")), notes


def _parse_item(item_id: str, record: dict[str, Any]) -> _Item:
    """Takes an item from its metadata; the names of the fields depend on the release."""
    author = record.get("author")
    if isinstance(author, dict):
        author = author.get("name")
    images = record.get("images") or record.get("imageURLHighRes") or record.get("imUrl")
    if isinstance(images, list):
        images = images[0] if images else None
    if isinstance(images, dict):
        images = images.get("large") or images.get("thumb")
    categories = record.get("categories") or record.get("category")
    if isinstance(categories, list) and categories and isinstance(categories[0], list):
        categories = categories[0]
    return _Item(
        item_id=item_id,
        title=_clean_text(record.get("title")),
        authors=_clean_text(author or record.get("brand") or record.get("store")),
        genre=_clean_text(categories[-1] if isinstance(categories, list) and categories else None),
        text=_clean_text(record.get("description")),
        cover=images if isinstance(images, str) and images else None,
    )


def _clean_text(value: Any) -> str | None:
    """Returns a text, or a list of texts joined, without HTML; None if there is none."""
    if isinstance(value, list):
        value = " ".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return None
    return _SPACE_PATTERN.sub(" ", html.unescape(_TAG_PATTERN.sub(" ", value))).strip() or None
