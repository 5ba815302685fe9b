"""MovieLens, every release: ratings of films, as GroupLens publishes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kd_tf.data.interactions import Dataset, from_chunks
from kd_tf.data.readers.bad_rows import BadRows, OnBadRows
from kd_tf.data.readers.delimited import InteractionColumns, InteractionRows
from kd_tf.data.readers.files import Source, find_all, locate
from kd_tf.data.readers.tables import Dialect, read_table
from kd_tf.errors import UserError

_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The order of the flags in u.item; u.genre beside it lists the same."""


@dataclass(frozen=True)
class _Release:
    """How one generation of releases is written."""

    ratings: str
    movies: str
    columns: InteractionColumns
    dialect: Dialect
    movie_columns: dict[str, str]
    movie_dialects: tuple[Dialect, ...]


_RELEASES = (
    _Release(
        "u.data",
        "u.item",
        InteractionColumns("user", "item", "rating", "timestamp"),
        Dialect(separator="\t", header=False, quoted=False),
        {name: name for name in ("item_id", "title", "date", "video", "address", *_GENRES_100K)},
        (Dialect(separator="|", header=False, quoted=False, encoding="latin-1"),),
    ),
    _Release(
        "ratings.dat",
        "movies.dat",
        InteractionColumns("user", "item", "rating", "timestamp"),
        Dialect(separator="::", header=False, quoted=False),
        {"item_id": "item_id", "title": "title", "genre": "genre"},
        (
            # 10M is UTF-8, 1M is Latin-1: what is no UTF-8 is the older one.
            Dialect(separator="::", header=False, quoted=False),
            Dialect(separator="::", header=False, quoted=False, encoding="latin-1"),
        ),
    ),
    _Release(
        "ratings.csv",
        "movies.csv",
        InteractionColumns("userId", "movieId", "rating", "timestamp"),
        Dialect(separator=",", header=True),
        {"item_id": "movieId", "title": "title", "genre": "genres"},
        (Dialect(separator=",", header=True),),
    ),
)


def read_movielens(place: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads 100k (``u.data``), 1M and 10M (``ratings.dat``), 20M and later (``ratings.csv``).

    Which one it is is told by the files that are there. Ratings go from 1 to 5, in half stars from
    10M on (from 0.5); times are seconds. The table of films is read when it is there: its titles
    are parted into title and year ("Heat (1995)"), and its genres joined by ", ".
    Source: Harper and Konstan, "The MovieLens datasets: history and context", 2015;
    https://grouplens.org/datasets/movielens/

    Args:
        place: The folder or archive as published, or the table of ratings.
        on_bad_rows: As in `kd_tf.data.readers.delimited.read_delimited`.

    Raises:
        UserError: No release is there, or a row is bad.
    """
    for release in _RELEASES:
        found = find_all(place, release.ratings)
        if found:
            return _read(place, found[0], release, on_bad_rows)
    names = ", ".join(release.ratings for release in _RELEASES)
    locate(place, _RELEASES[-1].ratings, dataset=f"MovieLens (nor any of {names})")
    raise AssertionError("locate raises where nothing is found")


def _read(place: Path, ratings: Source, release: _Release, on_bad_rows: OnBadRows) -> Dataset:
    rows = InteractionRows(
        ratings, release.columns, on_bad_rows=on_bad_rows, dialect=release.dialect
    )
    movies = find_all(place, release.movies) if place.is_dir() or place.suffix == ".zip" else []
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if movies:
        catalog, notes = _movies(movies[0], release, on_bad_rows)
    return rows.noted(from_chunks("movielens", rows, catalog), notes)


def _movies(
    source: Source, release: _Release, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A catalogue frame and notes on skipped rows."""
    *others, last = release.movie_dialects
    for dialect in others:
        try:
            return _movies_as(source, release, dialect, on_bad_rows)
        except UserError as error:
            if "is not UTF-8" not in error.what:
                raise
    return _movies_as(source, release, last, on_bad_rows)


def _movies_as(
    source: Source, release: _Release, dialect: Dialect, on_bad_rows: OnBadRows
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    bad = BadRows(source, on_bad_rows)
    parts = []
    for block in read_table(source, release.movie_columns, bad, dialect=dialect):
        empty = block.filter(block["item_id"] == "")
        bad.add_all(empty["line"], empty["item_id"], "is no film's id", "item_id")
        bad.settle()
        parts.append(block.filter(block["item_id"] != ""))
    frame = pl.concat(parts)
    notes = bad.finish(len(frame))
    genre: Callable[[], pl.Expr] = _flagged if "genre" not in release.movie_columns else _listed
    title = pl.col("title").str.strip_chars()
    # "Babylon 5" has no year, "Fawlty Towers (1975-1979)" a span: the first one counts.
    year = title.str.extract(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\s*\)$").cast(pl.Int32)
    named = title.str.replace(r"\s*\(\d{4}(?:\s*[-–]\s*(?:\d{4})?)?\s*\)$", "")
    return (
        frame.select(
            "item_id",
            named.replace("", None).alias("title"),
            year.alias("year"),
            genre().alias("genre"),
        ),
        notes,
    )


def _flagged() -> pl.Expr:
    """Genres of 100k: nineteen columns of 0 and 1."""
    return pl.concat_str(
        [pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in _GENRES_100K],
        separator=", ",
        ignore_nulls=True,
    ).replace("", None)


def _listed() -> pl.Expr:
    joined = pl.col("genre").str.strip_chars().str.replace_all("|", ", ", literal=True)
    return joined.replace(["", "(no genres listed)"], None)
