"""Reads the Netflix Prize data set: 100 million ratings of films, grouped by film."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows, merge_counts_by_reason
from kd_tf.data.formats.files import SourceFile, find_all, locate_all
from kd_tf.data.formats.lines import read_lines

_SCHEMA = {"user": pl.String, "item": pl.String, "rating": pl.Float32, "timestamp": pl.Int64}


def read_netflix_prize(path: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads ``combined_data_*.txt``, or ``mv_*.txt`` with one film each, and the titles.

    A line ``123:`` begins a film; the lines after it are ``user,rating,YYYY-MM-DD``. Ratings are
    from 1 to 5. In ``movie_titles.csv`` (Latin-1: film, year, title), titles may contain commas
    and years may be ``NULL``.

    Source: Bennett and Lanning, "The Netflix Prize", 2007.

    Args:
        path: The folder or archive with the files, or one of them.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: There are no ratings, or a line is bad.
    """
    sources = find_all(path, "mv_*.txt")
    if not sources:
        sources = locate_all(path, "combined_data_*.txt", dataset="the Netflix Prize")
    files = [_RatingsFile(source, on_bad_rows) for source in sources]
    is_complete = path.is_dir() or path.suffix == ".zip"
    titles = find_all(path, "movie_titles.csv") or find_all(path, "movie_titles.txt")
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if titles and is_complete:
        catalog, notes = _read_titles(titles[0], on_bad_rows)
    dataset = from_chunks("netflix-prize", (chunk for file in files for chunk in file), catalog)
    return dataclasses.replace(
        dataset,
        notes=tuple(note for file in files for note in file.notes) + notes + dataset.notes,
        dropped_rows=merge_counts_by_reason(file.bad_rows for file in files),
    )


class _RatingsFile:
    """The ratings of one file; its notes are complete after the last row."""

    def __init__(self, source: SourceFile, on_bad_rows: OnBadRows) -> None:
        self.source, self.bad_rows = source, BadRows(source, on_bad_rows)
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        film: str | None = None
        good_rows = 0
        for lines in read_lines(self.source):
            frame = pl.DataFrame([lines.line_numbers(), lines.text]).filter(pl.col("text") != "")
            header_film = frame["text"].str.extract(r"^([0-9]+):$")
            # The lines of a film may continue in the next block.
            films = header_film.fill_null(strategy="forward")
            if film is not None:
                films = films.fill_null(film)
            film = films[-1] if len(films) else film
            rows = frame.with_columns(films.alias("item")).filter(header_film.is_null())
            fields = rows["text"].str.extract_groups(
                r"^(?<user>[0-9]+),(?<rating>[1-5]),(?<day>[0-9]{4}-[0-9]{2}-[0-9]{2})$"
            )
            day = fields.struct.field("day").str.to_date("%Y-%m-%d", strict=False)
            is_malformed = day.is_null()
            lacks_film = ~is_malformed & rows["item"].is_null()
            for is_bad, reason in (
                (is_malformed, "is neither FILM: nor USER,RATING,YYYY-MM-DD"),
                (lacks_film, "comes before any film (FILM:)"),
            ):
                if is_bad.any():
                    failures = rows.filter(is_bad)
                    self.bad_rows.add_all(failures["line"], failures["text"], reason)
            self.bad_rows.raise_or_skip()
            chunk = pl.DataFrame(
                {
                    "user": fields.struct.field("user"),
                    "item": rows["item"],
                    "rating": fields.struct.field("rating").cast(pl.Float32),
                    "timestamp": day.dt.epoch("s"),
                },
                schema=_SCHEMA,
            ).filter(~is_malformed & ~lacks_film)
            good_rows += len(chunk)
            yield chunk
        self.notes = self.bad_rows.finish(good_rows)


def _read_titles(
    source: SourceFile, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reads a catalog frame and notes; a title is all text after the second comma."""
    bad_rows = BadRows(source, on_bad_rows)
    parts = []
    for lines in read_lines(source, encoding="latin-1"):
        frame = pl.DataFrame([lines.line_numbers(), lines.text]).filter(pl.col("text") != "")
        fields = frame["text"].str.extract_groups(
            r"^(?<item_id>[0-9]+),(?<year>[0-9]{4}|NULL),(?<title>.*)$"
        )
        is_bad = fields.struct.field("item_id").is_null()
        if is_bad.any():
            failures = frame.filter(is_bad)
            bad_rows.add_all(failures["line"], failures["text"], "is not FILM,YEAR,TITLE")
            bad_rows.raise_or_skip()
        parts.append(fields.struct.unnest().filter(~is_bad))
    notes = bad_rows.finish(sum(map(len, parts)))
    frame = pl.concat(parts)
    return (
        frame.select(
            "item_id",
            pl.col("title").replace("", None),
            pl.col("year").replace("NULL", None).cast(pl.Int32),
        ),
        notes,
    )
