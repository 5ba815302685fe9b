"""What a drawn item brings along: nothing of the row beside which it was drawn gives it away."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest

from kd_tf.data.ranking import ranking_data
from kd_tf.data.ranking.encode_table import encode_table
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.item_columns import choose_item_rows
from kd_tf.data.ranking.read_ranking import read_ranking_data
from kd_tf.data.ranking.row_splits import SplitRules

NUM_ROWS, NUM_ITEMS, NUM_USERS = 3000, 60, 200


def make_loans(seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    items, users = random.integers(0, NUM_ITEMS, NUM_ROWS), random.integers(0, NUM_USERS, NUM_ROWS)
    days = np.sort(random.integers(0, 300, NUM_ROWS))
    start = datetime.date(2023, 1, 1)
    prices = random.uniform(5, 30, NUM_ITEMS)[items] * (1 + 0.1 * (days >= 150))
    quality = random.normal(0, 1, NUM_ITEMS)[items]
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "item": [f"i{item}" for item in items],
            "date": [str(start + datetime.timedelta(days=int(day))) for day in days],
            "price": np.round(prices + random.normal(0, 0.3, NUM_ROWS), 2),
            "format": np.where(
                random.random(NUM_ROWS) < 0.1, "audio", np.char.mod("f%d", items % 7)
            ),
            "pages": 100 + 7 * items,
            "hour": (users % 5) * 3 + random.integers(0, 12, NUM_ROWS),
            "stars": np.clip(np.round(3 + quality + 1.5 * random.normal(0, 1, NUM_ROWS)), 1, 5),
        }
    )


def find_negatives(table: pl.DataFrame, rules: SplitRules | None = None):
    """The raw rows of training and the others, and the notes."""
    data = read_ranking_data(table, negatives=2, features=FeatureOptions(numeric=("price",)))
    frames: dict[str, pl.DataFrame] = {}

    def remember(schema, columns, seconds, rows):
        frame = pl.DataFrame(
            {
                name: [None if code < 0 else column.as_codes.texts[int(code)]
                       for code in column.as_codes.codes]
                for name, column in columns.items()
            }
        )  # fmt: skip
        frames.update({name: frame[part] for name, part in rows.items()})
        return encode_table(schema, columns, seconds, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking_data, "encode_table", remember)
        split = data.split(rules)
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    negatives = {name: frames[name].filter(parts[name].labels == 0) for name in parts}
    positives = {name: frames[name].filter(parts[name].labels == 1) for name in parts}
    return positives, negatives, split.notes


def list_rows(frame: pl.DataFrame, *names: str) -> set[tuple[str, ...]]:
    return set(frame.select(names).iter_rows())


def test_columns_of_the_item_come_from_its_own_rows_and_those_of_the_situation_stay():
    positives, negatives, notes = find_negatives(make_loans())
    everything = pl.concat(positives.values())
    for part, drawn in negatives.items():
        source = positives["training"] if part == "training" else everything
        of_item = ("item", "price", "format", "pages")
        assert list_rows(drawn, *of_item) <= list_rows(source, *of_item), part
        of_row = ("user", "date", "hour", "stars")
        assert list_rows(drawn, *of_row) <= list_rows(positives[part], *of_row), part
    assert any("are the columns item, price, format, pages, of the row" in note for note in notes)
    assert any(note.startswith("price, format changes between rows of an item") for note in notes)


def test_a_drawn_item_has_its_price_of_that_time():
    _, negatives, _ = find_negatives(make_loans())
    table = make_loans()
    drawn = pl.concat(negatives.values())
    for when in ("early", "late"):
        is_late = pl.col("date") >= "2023-05-31"
        chosen = is_late if when == "late" else ~is_late
        price = pl.col("price").cast(pl.Float64)
        means = table.filter(chosen).group_by("item").agg(price.mean().alias("mean"))
        rows = drawn.filter(chosen).join(means, on="item")
        # A tenth is what the price rises in between; its noise is a fiftieth.
        ratio = (rows["price"].cast(pl.Float64) / rows["mean"]).mean()
        assert ratio == pytest.approx(1, abs=0.01)


def test_a_column_that_agrees_a_little_within_items_is_noted():
    _, _, notes = find_negatives(make_loans())
    doubtful = [note for note in notes if "stays with the row of the user, although" in note]
    assert len(doubtful) == 1
    assert doubtful[0].startswith("column stars stays")


@pytest.mark.parametrize("seed", range(3))
def test_columns_of_chance_are_neither_of_the_item_nor_noted(seed: int):
    random = np.random.default_rng(seed)
    table = pl.DataFrame(
        {
            "user": random.integers(0, 400, 1000),
            "item": random.integers(0, 450, 1000),
            "shade": random.integers(0, 4, 1000),
            "rare": (random.random(1000) < 0.002).astype(int),
            "weight": random.normal(0, 1, 1000),
        }
    )
    positives, negatives, notes = find_negatives(table.with_columns(price=pl.col("weight") + 9))
    assert not any("although" in note or "changes between" in note for note in notes)
    for part, drawn in negatives.items():
        names = ("user", "shade", "rare", "weight")
        assert list_rows(drawn, *names) <= list_rows(positives[part], *names)


@pytest.mark.parametrize("has_times", [True, False])
def test_the_row_of_an_item_is_the_nearest_in_time(has_times: bool):
    random = np.random.default_rng(1)
    items, times = random.integers(0, 9, 200), random.integers(-50, 50, 200)
    candidates = np.sort(random.choice(200, 120, replace=False))
    drawn = items[random.choice(candidates, 300)]
    moments = random.integers(-80, 80, 300)
    chosen = choose_item_rows(
        items, times if has_times else None, candidates, drawn,
        moments if has_times else None, np.random.default_rng(0),
    )  # fmt: skip
    assert (items[chosen] == drawn).all()
    assert np.isin(chosen, candidates).all()
    for row, item, moment in zip(chosen, drawn, moments, strict=True):
        of_item = candidates[items[candidates] == item]
        if has_times:
            assert abs(times[row] - moment) == np.abs(times[of_item] - moment).min()
    if not has_times:
        assert len(np.unique(chosen)) > 0.7 * len(candidates)
