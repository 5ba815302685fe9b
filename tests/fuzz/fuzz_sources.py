"""Feeds mutated files to the data sources: the result is a data set or a UserError.

Not collected by pytest; needs the extra ``fuzz`` (atheris, which is on PyPI for Linux):

    python tests/fuzz/fuzz_sources.py CORPUS_FOLDER -max_total_time=3600

What it finds becomes a case of `tests/data/formats/test_fuzz_finds.py`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kd_tf.data", "csv", "json"]):
    from kd_tf.data.dataset import Dataset
    from kd_tf.data.sources.amazon_reviews import read_amazon_reviews
    from kd_tf.data.sources.book_crossing import read_book_crossing
    from kd_tf.data.sources.goodbooks import read_goodbooks
    from kd_tf.data.sources.gowalla import read_gowalla
    from kd_tf.data.sources.interaction_rows import InteractionColumns
    from kd_tf.data.sources.item_rows import ItemColumns
    from kd_tf.data.sources.movielens import read_movielens
    from kd_tf.data.sources.netflix_prize import read_netflix_prize
    from kd_tf.data.sources.own_tables import read_files
    from kd_tf.data.sources.user_item_lists import read_user_item_lists
from kd_tf.errors import UserError

FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))

COLUMNS = InteractionColumns("user", "item", "rating", "time")
ITEMS = ItemColumns("item", title="title", year="year")

OPTIONS = (
    *({"encoding": name} for name in ("utf-16", "cp1252", "gb18030", "shift_jis", "euc_kr")),
    *({"normalize_ids": how} for how in ("text", "integers", "isbn")),
    *({"time_unit": unit} for unit in ("s", "ms", "us", "ns", "excel")),
    {"time_format": "%d/%m/%Y"},
    {"decimal": ",", "separator": ";"},
    {"quote": "none", "separator": "tab"},
    {"separator": "blank"},
    {"skip_rows": 2},
    {"header": False},
    {"where": ["rating>2", "user!=a|b"]},
    {"null_values": ["-"]},
)
"""Options of own tables; one of them for each input of theirs."""


def read_with_options(folder: Path, on_bad_rows: str) -> Dataset:
    """Reads ``t.csv`` with the options that its length selects, titles included."""
    path = folder / "t.csv"
    return read_files(
        path,
        COLUMNS,
        item_columns=ITEMS,
        on_bad_rows=on_bad_rows,
        **OPTIONS[path.stat().st_size % len(OPTIONS)],
    )


# Parquet is missing: its pages are decoded by native code of polars, which some broken
# files abort (version 2.1.0).
# The files that the bytes are written to, split at each 0xFF 0xFE, and their source.
SOURCES = [
    (["t.csv"], lambda f, bad: read_files(f / "t.csv", COLUMNS, on_bad_rows=bad)),
    (["t.csv"], read_with_options),
    (["t.tsv"], lambda f, bad: read_files(f / "t.tsv", COLUMNS, on_bad_rows=bad)),
    (["t.csv.gz"], lambda f, bad: read_files(f / "t.csv.gz", COLUMNS, on_bad_rows=bad)),
    (["t.zip"], lambda f, bad: read_files(f / "t.zip", COLUMNS, on_bad_rows=bad)),
    (
        ["t.csv", "b.csv"],
        lambda f, bad: read_files(
            f / "t.csv", COLUMNS, items=f / "b.csv", item_columns=ITEMS, on_bad_rows=bad
        ),
    ),
    (["ratings.csv", "books.csv"], lambda f, bad: read_goodbooks(f, on_bad_rows=bad)),
    (["u.data", "u.item"], lambda f, bad: read_movielens(f, on_bad_rows=bad)),
    (["ratings.dat", "movies.dat"], lambda f, bad: read_movielens(f, on_bad_rows=bad)),
    (["ratings.csv", "movies.csv"], lambda f, bad: read_movielens(f, on_bad_rows=bad)),
    (
        ["BX-Book-Ratings.csv", "BX-Books.csv"],
        lambda f, bad: read_book_crossing(f, on_bad_rows=bad),
    ),
    (
        ["reviews_Books_5.json", "meta_Books.json"],
        lambda f, bad: read_amazon_reviews(f, release="2014", on_bad_rows=bad),
    ),
    (
        ["Books_5.json", "meta_Books.json"],
        lambda f, bad: read_amazon_reviews(f, release="2018", on_bad_rows=bad),
    ),
    (
        ["Books.jsonl", "meta_Books.jsonl"],
        lambda f, bad: read_amazon_reviews(f, release="2023", on_bad_rows=bad),
    ),
    (
        ["combined_data_1.txt", "movie_titles.csv"],
        lambda f, bad: read_netflix_prize(f, on_bad_rows=bad),
    ),
    (
        ["loc-gowalla_totalCheckins.txt", "loc-gowalla_edges.txt"],
        lambda f, bad: read_gowalla(f, on_bad_rows=bad),
    ),
    (
        ["train.txt", "test.txt"],
        lambda f, bad: read_user_item_lists(f / "train.txt", f / "test.txt", on_bad_rows=bad),
    ),
]


def try_one(data: bytes) -> None:
    """Reads one input: its first byte selects source and `on_bad_rows`, the rest are the files."""
    if len(data) < 2:
        return
    names, read = SOURCES[(data[0] >> 1) % len(SOURCES)]
    parts = data[1:].split(b"\xff\xfe")
    for name, content in zip(names, [*parts, b"", b""], strict=False):
        (FOLDER / name).write_bytes(content)
    try:
        dataset = read(FOLDER, "skip" if data[0] & 1 else "stop")
    except UserError:
        pass  # what every other file is promised
    else:
        interactions = dataset.interactions
        assert len(interactions) > 0
        assert interactions.num_items == len(dataset.catalog)
        assert interactions.user.max() + 1 == len(set(interactions.user_ids))
    finally:
        for name in names:
            (FOLDER / name).unlink()


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
