"""Types of columns follow from their values and, for whole numbers, from their names."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kd_tf.data.ranking.column_types import infer_column
from kd_tf.data.ranking.read_table import list_columns, open_source, read_raw_table
from kd_tf.data.ranking.training_values import collect_training_values
from kd_tf.data.sources.table_options import make_rules
from kd_tf.data.values.times import TimeRules

NUM_ROWS = 4000
random = np.random.default_rng(3)
POPULARITY = random.lognormal(0, 1.5, 600)
KEYS = random.choice(600, NUM_ROWS, p=POPULARITY / POPULARITY.sum())
GENRES = [
    "|".join(random.choice(["Drama", "War", "Sci-Fi", "Comedy"], size, replace=False))
    for size in random.integers(1, 4, NUM_ROWS)
]
PLACES = [f"Town {place}, Land {place % 30}" for place in random.integers(0, 150, NUM_ROWS)]
REVIEWS = [f"this is what reader {row} says of it" for row in range(NUM_ROWS)]
ZIP_CODES = [f"{value:05d}" for value in random.integers(501, 99950, NUM_ROWS)]
DATES = [f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2023 10:00" for row in range(NUM_ROWS)]
EVEN_KEYS = np.repeat(np.arange(400), 10)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("age", random.normal(40, 15, NUM_ROWS).clip(17, 90).astype(int), "numeric"),
        ("rooms", random.integers(1, 9, NUM_ROWS), "categorical"),
        ("level", random.integers(1, 9, NUM_ROWS) / 2, "numeric"),
        ("count", np.floor(random.lognormal(2, 1.5, NUM_ROWS)).astype(int), "numeric"),
        ("second", random.integers(0, 1000, NUM_ROWS), "numeric"),
        ("amount", random.integers(0, 10**6, NUM_ROWS), "numeric"),
        ("x", KEYS, "categorical"),
        ("x", EVEN_KEYS, "categorical"),
        ("city", random.integers(0, 90, NUM_ROWS), "categorical"),
        ("city population", random.integers(0, 90, NUM_ROWS), "numeric"),
        ("UserID", random.integers(0, 900, NUM_ROWS), "categorical"),
        ("hashed", [f"{value:08x}" for value in KEYS * 7919], "categorical"),
        (
            "zip_code",
            ZIP_CODES,
            "categorical",
        ),
        ("row", np.arange(NUM_ROWS), "identifier"),
        ("session", [f"s{row}" for row in range(NUM_ROWS)], "identifier"),
        ("weight", np.arange(NUM_ROWS) * 1.5, "numeric"),
        ("genres", GENRES, "multi"),
        ("places", PLACES, "categorical"),
        ("tags", [genres.replace("|", ", ") for genres in GENRES], "multi"),
        ("review", REVIEWS, "text"),
        ("when", [f"2023-0{day % 9 + 1}-1{day % 9}" for day in range(NUM_ROWS)], "date"),
        (
            "when",
            DATES,
            "date",
        ),
        ("timestamp", 1_600_000_000 + random.integers(0, 10**7, NUM_ROWS), "date"),
        ("price", 1_600_000_000 + random.integers(0, 10**7, NUM_ROWS), "numeric"),
        ("constant", ["x"] * NUM_ROWS, "constant"),
        ("sometimes", ["x", ""] * (NUM_ROWS // 2), "categorical"),
        ("empty", ["NULL", ""] * (NUM_ROWS // 2), "missing"),
        ("flag", [True, False] * (NUM_ROWS // 2), "categorical"),
    ],
)
def test_a_column_is_what_its_values_look_like(name, values, kind):
    assert infer(name, values).kind == kind


def infer(name, values, num_first=10_000):
    table = open_source(pl.DataFrame({name: list(map(str, values))}))
    column = read_raw_table([table], list_columns(table), make_rules()).columns[name]
    rows = np.arange(len(column))
    first_rows = rows[~column.is_missing][:num_first]
    return infer_column(
        collect_training_values(column, rows),
        collect_training_values(column, first_rows),
        TimeRules(),
    )


def test_signs_of_nothing_among_numbers_are_missing_values():
    values = [str(value) for value in random.integers(0, 10**6, NUM_ROWS)]
    values[5] = values[17] = "?"
    summary = infer("amount", values)
    assert (summary.kind, summary.missing) == ("numeric", ("?",))
    assert "'?' taken for a missing value" in summary.reason


@pytest.mark.parametrize("text", ["12abc", "inf", "a very long sign of nothing"])
def test_other_texts_among_numbers_are_bad_rows(text):
    values = [str(value) for value in random.integers(0, 10**6, NUM_ROWS)]
    values[5] = text
    summary = infer("amount", values)
    assert (summary.kind, summary.missing) == ("numeric", ())


def test_a_text_after_the_first_rows_is_no_sign_of_nothing():
    values = [str(value) for value in random.integers(0, 10**6, NUM_ROWS)]
    values[3000] = "?"
    assert infer("amount", values, num_first=1000).missing == ()


def test_a_summary_has_examples_and_counts():
    summary = infer("x", ["b", "a", "a", ""])
    assert (summary.num_values, summary.missing_share, summary.examples) == (2, 0.25, ("a", "b"))
