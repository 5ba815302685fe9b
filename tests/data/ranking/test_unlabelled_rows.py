"""Rows that a teacher labels: the item of one row beside the user and situation of another."""

from __future__ import annotations

import numpy as np
import polars as pl

from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.read_ranking import read_ranking_split
from kd_tf.data.ranking.unlabelled_rows import draw_unlabelled_rows


def make_table(num_rows: int = 2000) -> pl.DataFrame:
    """Prices and genres belong to items, ages to users, hours to rows."""
    random = np.random.default_rng(1)
    users, items = random.integers(0, 40, num_rows), random.integers(0, 30, num_rows)
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "item": [f"i{item}" for item in items],
            "hour": random.integers(0, 24, num_rows).astype(str),
            "price": items * 1.5,
            "genre": [f"g{item % 7}" for item in items],
            "age": users + 10.5,
            "label": random.integers(0, 2, num_rows),
        }
    )


def collect_pairs(rows, layout, first, second):
    names = [feature.name for feature in layout.categorical]
    places = names.index(first), names.index(second)
    return {tuple(pair) for pair in rows.categorical[:, places].tolist()}


def test_item_and_user_keep_what_belongs_to_them():
    split = read_ranking_split(make_table(), label="label")
    rows, layout = draw_unlabelled_rows(split, 3000, seed=1), split.train.layout
    assert len(rows) == 3000
    assert np.isnan(rows.labels).all()
    for pair in (("item", "genre"), ("item", "price:bucket"), ("user", "age:bucket")):
        assert collect_pairs(rows, layout, *pair) <= collect_pairs(split.train, layout, *pair)
    for pair in (("user", "item"), ("hour", "item"), ("age:bucket", "price:bucket")):
        assert len(collect_pairs(rows, layout, *pair) - collect_pairs(split.train, layout, *pair))
    # Numbers go with their side too.
    price = rows.numeric[:, layout.numeric.index("price")]
    items = rows.categorical[:, [feature.name for feature in layout.categorical].index("item")]
    for item in np.unique(items[items > 1]):
        assert len(np.unique(price[items == item])) == 1


def test_equal_seeds_draw_equal_rows():
    split = read_ranking_split(make_table(), label="label")
    first, again, other = (draw_unlabelled_rows(split, 99, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.categorical, again.categorical)
    assert (first.categorical != other.categorical).any()


def test_crosses_of_both_sides_are_computed_anew():
    crosses = FeatureOptions(crosses=(("user", "genre"), ("item", "genre")), min_count=40)
    split = read_ranking_split(make_table(), label="label", features=crosses)
    rows, names = draw_unlabelled_rows(split, 1000, seed=1), [*split.schema.layout.categorical]
    assert 0 < len(rows) < 1000  # rows of users with less than 40 rows are dropped
    places = {feature.name: place for place, feature in enumerate(names)}
    vocabularies = {feature.name: feature for feature in split.schema.categorical}
    for first in ("user", "item"):
        cross = vocabularies[f"{first}*genre"]
        ids = rows.categorical[:, [places[name] for name in (first, "genre", cross.name)]]
        ids = ids[(ids > 1).all(axis=1)]
        texts = [
            [vocabularies[name].values[value - 2] for value in column]
            for name, column in zip((first, "genre"), ids.T, strict=False)
        ]
        np.testing.assert_array_equal(ids[:, 2], cross.encode(*texts)[:, 0])


def test_hashed_crosses_and_tables_without_items_give_no_rows():
    crosses = FeatureOptions(crosses=(("user", "genre"),), max_vocabulary=20, hash_buckets=16)
    split = read_ranking_split(make_table(), label="label", features=crosses)
    assert draw_unlabelled_rows(split, 9, seed=1) is None
    table = make_table().drop("item", "genre", "price")
    assert draw_unlabelled_rows(read_ranking_split(table, label="label"), 9, seed=1) is None
