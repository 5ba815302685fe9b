"""Reads every release of MovieLens: ratings of films, as GroupLens publishes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, parse_column, read_table
from kd_tf.data.formats.files import SourceFile, find_all, locate
from kd_tf.data.formats.lines import detect_encoding
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows
from kd_tf.data.values.ids import parse_ids
from kd_tf.errors import UserError

_UNKNOWN_GENRE = "unknown"
_GENRES_100K = (
    *(_UNKNOWN_GENRE, "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The genres in the order of their flags in u.item, as u.genre lists them."""

_NO_GENRES = "(no genres listed)"

_YEAR_PATTERN = r"\s*\((\d{4})\s*(?:[-–]\s*(?:\d{4})?\s*)?\){1,2}(?:\s*\(V\))?$"
"""The year at the end of a title: "(1995)"; the years of a series, "(1975-1979)" or "(2009– )", of
which the first one counts; "(1983))", a typo in 20M; "(1995) (V)", which marks a video in 100k."""


@dataclass(frozen=True)
class _Release:
    """The file format of one generation of releases.

    Attributes:
        ratings: The name of the ratings file.
        films: The name of the films file.
        columns: The columns of the ratings file.
        dialect: The format of the ratings file.
        film_columns: Role -> column of the films file. The genres are one column, or flags.
        film_dialect: The format of the films file.
        may_be_latin1: Whether the films of at least one release are in Latin-1.
    """

    ratings: str
    films: str
    columns: InteractionColumns
    dialect: Dialect
    film_columns: dict[str, str]
    film_dialect: Dialect
    may_be_latin1: bool


_COLUMNS_IN_ORDER = InteractionColumns("user", "item", "rating", "timestamp")
_COLON_DIALECT = Dialect(separator="::", has_header=False, has_quotes=False)
_COMMA_DIALECT = Dialect(separator=",", has_header=True)
_RELEASES = (
    _Release(
        "u.data",
        "u.item",
        _COLUMNS_IN_ORDER,
        Dialect(separator="\t", has_header=False, has_quotes=False),
        {name: name for name in ("item_id", "title", "date", "video", "address", *_GENRES_100K)},
        Dialect(separator="|", has_header=False, has_quotes=False),
        may_be_latin1=True,
    ),
    _Release(
        "ratings.dat",
        "movies.dat",
        _COLUMNS_IN_ORDER,
        _COLON_DIALECT,
        {name: name for name in ("item_id", "title", "genre")},
        _COLON_DIALECT,
        may_be_latin1=True,
    ),
    _Release(
        "ratings.csv",
        "movies.csv",
        InteractionColumns("userId", "movieId", "rating", "timestamp"),
        _COMMA_DIALECT,
        {"item_id": "movieId", "title": "title", "genre": "genres"},
        _COMMA_DIALECT,
        may_be_latin1=False,
    ),
)


def read_movielens(path: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads any release of MovieLens; its files tell which one it is.

    - 100k: ``u.data``, separated by tabs, and ``u.item`` in Latin-1, separated by ``|``: id, title,
      two dates, a URL, and nineteen flags for the genres that ``u.genre`` lists. Film 267 is
      called "unknown" and has no dates.
    - 1M and 10M: ``ratings.dat`` and ``movies.dat``, separated by ``::``, without quotes. The films
      of 1M are in Latin-1, those of 10M in UTF-8.
    - 20M, 25M, 32M and latest: ``ratings.csv`` and ``movies.csv``, with headers, in UTF-8.

    Ratings are whole stars from 1 to 5 in 100k and 1M, and half stars from 0.5 to 5 in later
    releases. Timestamps are seconds since 1970. No pair of user and film repeats.

    The catalog has the titles without the year at their end, the year (a few films, like
    "Babylon 5", have none), and the genres joined by ", ". It includes films without ratings.
    Without the films file, only the ids are known.

    Source: Harper and Konstan, "The MovieLens datasets: history and context", 2015;
    https://grouplens.org/datasets/movielens/

    Args:
        path: The folder or archive of one release, or its ratings file alone.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: There is no release or more than one, or a row is bad.
    """
    release, ratings = _find_release(path)
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    films = find_all(path, release.films)
    if films:
        catalog, notes = _read_films(films[0], release, on_bad_rows)
    rows = InteractionRows(
        open_table(ratings, release.dialect), release.columns, on_bad_rows=on_bad_rows
    )
    return rows.add_notes_to(from_chunks("movielens", rows, catalog), notes)


def _find_release(path: Path) -> tuple[_Release, SourceFile]:
    """Returns the release at `path` and its ratings file."""
    candidates = [
        (release, source) for release in _RELEASES for source in find_all(path, release.ratings)
    ]
    if not candidates:
        *other_names, last_name = [release.ratings for release in _RELEASES]
        locate(path, last_name, dataset=f"MovieLens, nor {' or '.join(other_names)}")
        raise AssertionError("locate raises an error if no file matches")
    if len(candidates) > 1:
        raise UserError(
            "there are several releases of MovieLens: "
            f"{', '.join(str(source) for _, source in candidates)}",
            where=str(path),
            hint="Give the folder or the archive of one of them.",
        )
    return candidates[0]


def _read_films(
    source: SourceFile, release: _Release, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Reads the films as a catalog frame in the order of the file, and notes on skipped rows."""
    columns = release.film_columns
    has_genre_flags = "genre" not in columns
    dialect = release.film_dialect
    if release.may_be_latin1:
        dialect = dataclasses.replace(dialect, encoding=detect_encoding(source))
    bad_rows = BadRows(source, on_bad_rows)
    parts = []
    for block in read_table(source, columns, bad_rows, dialect=dialect):
        frame = parse_column(
            block,
            "item_id",
            parse_ids,
            bad_rows,
            column=columns["item_id"],
            reason="is not a film id",
        )
        for genre in _GENRES_100K if has_genre_flags else ():
            frame = parse_column(
                frame, genre, _parse_flags, bad_rows, column=genre, reason="is neither 0 nor 1"
            )
        bad_rows.raise_or_skip()
        parts.append(frame)
    films = pl.concat(parts)
    repeated_films = films.filter(~pl.col("item_id").is_first_distinct())
    bad_rows.add_all(
        repeated_films["line"],
        repeated_films["item_id"],
        "is the id of a film in an earlier line",
        columns["item_id"],
    )
    bad_rows.raise_or_skip()
    films = films.filter(pl.col("item_id").is_first_distinct())
    notes = bad_rows.finish(len(films))
    title = pl.col("title").str.strip_chars()
    return (
        films.select(
            "item_id",
            title.str.replace(_YEAR_PATTERN, "").str.strip_chars().replace("", None).alias("title"),
            (_join_genre_flags() if has_genre_flags else _join_genre_list()).alias("genre"),
            title.str.extract(_YEAR_PATTERN).cast(pl.Int32).alias("year"),
        ),
        notes,
    )


def _parse_flags(values: pl.Series) -> pl.Series:
    """Parses "0" and "1" to Boolean, null where a text is neither."""
    return values.replace_strict({"0": False, "1": True}, default=None, return_dtype=pl.Boolean)


def _join_genre_flags() -> pl.Expr:
    """Joins the names of the genres whose flag is set; null if there are none."""
    names = [pl.when(name).then(pl.lit(name)) for name in _GENRES_100K if name != _UNKNOWN_GENRE]
    return pl.concat_str(names, separator=", ", ignore_nulls=True).replace("", None)


def _join_genre_list() -> pl.Expr:
    """Joins the genres of a column like "Action|Comedy"; null if there are none."""
    genres = pl.col("genre").str.strip_chars().str.replace_all("|", ", ", literal=True)
    return genres.replace(["", _NO_GENRES], None)
