"""Side features by hand; they are fitted to training users alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from kd_tf.data.catalog import Catalog
from kd_tf.data.features.side_features import ItemFeatures, UserFeatures
from kd_tf.data.histories import from_lists
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split

DAY = 86_400


def split_of(train: list[list[int]], test: list[list[int]], items: int = 4) -> Split:
    held_out = HeldOutSet(
        from_lists([row[:-1] for row in test]),
        from_lists([row[-1:] for row in test]),
        np.arange(len(train), len(train) + len(test), dtype=np.int32),
    )
    users = np.arange(len(train), dtype=np.int32)
    return Split(from_lists(train), users, held_out, held_out, "unseen-users", 0, items)


def interactions_of(split: Split, days: list[int]) -> Interactions:
    """All rows of the split, training first, each with its day."""
    parts = [(split.train, split.train_users)]
    parts += [(part, split.test.users) for part in (split.test.histories, split.test.targets)]
    user = np.concatenate([np.repeat(users, h.lengths) for h, users in parts])
    item = np.concatenate([h.items for h, _ in parts])
    time = np.array(days[: len(user)]) * DAY
    return Interactions(user, item, None, time, [str(u) for u in range(9)], split.num_items)


CATALOG = Catalog(
    pl.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "title": ["red sea", "red moon", "blue sea", None],
            "year": [2000, 2010, None, 2030],
        },
        schema={"item_id": pl.String, "title": pl.String, "year": pl.Int32},
    )
)
# Item 1 has two training users, 2 has one, 3 has one, 4 none.
SPLIT = split_of([[1, 2], [1, 3]], [[4, 1], [3, 4]])


def column(features, name: str) -> np.ndarray:
    return features.matrix.toarray()[:, features.names.index(name)]


def test_numbers_of_items_match_the_hand_computed_case() -> None:
    actual = ItemFeatures(scaling="min-max", max_terms=0).fit(SPLIT, CATALOG).transform()
    assert actual.names == ["popularity", "age", "age is missing"]
    assert actual.matrix.shape == (5, 3)
    assert actual.matrix.dtype == np.float32
    assert actual.matrix.toarray()[0].tolist() == [0, 0, 0], "padding"
    # log 3, log 2, log 2 fitted; log 1 of the unread one lies below them.
    low, high = np.log(2), np.log(3)
    expected = [1, 0, 0, (np.log(1) - low) / (high - low)]
    np.testing.assert_allclose(column(actual, "popularity")[1:], expected, rtol=1e-6)
    # Newest read item 2010: ages 10, 0, unknown (median 5), and 20 years before its time.
    np.testing.assert_allclose(column(actual, "age")[1:], [1, 0, 0.5, -2], rtol=1e-6)
    assert column(actual, "age is missing")[1:].tolist() == [0, 0, 1, 0]


def test_standard_scaling_has_mean_0_and_deviation_1_over_read_items() -> None:
    actual = ItemFeatures(max_terms=0).fit(SPLIT, CATALOG).transform()
    read = column(actual, "popularity")[1:4]
    assert read.mean() == pytest.approx(0, abs=1e-6)
    assert read.std() == pytest.approx(1, abs=1e-6)


def test_days_since_read_count_training_interactions_alone() -> None:
    # Training: 1 and 2 on days 1 and 3, then 1 and 3 on days 5 and 9; the test reads 3 on day 99.
    data = interactions_of(SPLIT, [1, 3, 5, 9, 99, 99, 99, 99])
    features = ItemFeatures(scaling="min-max", max_terms=0).fit(SPLIT, CATALOG, data)
    actual = column(features.transform(), "days-since-read")[1:]
    np.testing.assert_allclose(actual, [4 / 6, 1, 0, 4 / 6], rtol=1e-6)  # the last is the median
    # No item that is fitted to lacks it.
    assert "days-since-read is missing" not in features.transform().names


def test_terms_come_from_items_that_training_users_have() -> None:
    strange = CATALOG.frame.with_columns(
        title=pl.Series(["red sea", "red moon", "blue sea", "green sea"])
    )
    actual = ItemFeatures().fit(SPLIT, Catalog(strange)).transform()
    terms = [name.removeprefix("text: ") for name in actual.names if name.startswith("text")]
    assert sorted(terms) == ["blue", "moon", "red", "sea"], "green stands in an unread book only"
    rows = actual.matrix.toarray()[:, [actual.names.index(f"text: {t}") for t in terms]]
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths, [0, 1, 1, 1, 1], rtol=1e-6)
    assert len(ItemFeatures(max_terms=2).fit(SPLIT, CATALOG).transform().names) == 3 + 2


def test_users_match_the_hand_computed_case() -> None:
    features = UserFeatures(scaling="min-max").fit(SPLIT)
    actual = features.transform(from_lists([[1], [2, 3], []]))
    assert actual.names == ["activity", "mean-popularity"]
    # All training users have two items: a constant has no range, and is only shifted.
    np.testing.assert_allclose(column(actual, "activity"), np.log([2, 3, 1]) - np.log(3), atol=1e-6)
    mean = (np.log(3) + np.log(2)) / 2  # of both training users
    expected = np.array([np.log(3), np.log(2), 0]) - mean
    np.testing.assert_allclose(column(actual, "mean-popularity"), expected, atol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "min-max"])
def test_test_users_and_held_out_items_change_nothing(scaling) -> None:
    random = np.random.default_rng(0)
    train = [random.permutation(20)[:6] + 1 for _ in range(15)]
    catalog = Catalog(
        pl.DataFrame(
            {
                "item_id": [str(i) for i in range(20)],
                "title": [f"word{i % 7} thing{i % 3}" for i in range(20)],
                "year": pl.Series([1990 + i for i in range(20)], dtype=pl.Int32),
            }
        )
    )
    actual = []
    for seed in (1, 2):
        other = np.random.default_rng(seed)
        test = [list(other.permutation(20)[: other.integers(2, 9)] + 1) for _ in range(4)]
        split = split_of([row.tolist() for row in train], test, items=20)
        learned = random.__class__(np.random.PCG64(5)).integers(0, 1000, 90).tolist()
        data = interactions_of(split, learned + other.integers(0, 9999, 99).tolist())
        items = ItemFeatures(scaling=scaling).fit(split, catalog, data).transform()
        users = UserFeatures(scaling=scaling).fit(split).transform(split.train)
        actual.append((items, users))
    for one, other in zip(*actual, strict=True):
        assert one.names == other.names
        np.testing.assert_array_equal(one.matrix.toarray(), other.matrix.toarray())


def test_a_training_item_more_does_change_them() -> None:
    """The test above must not pass because nothing is fitted."""
    before = ItemFeatures(max_terms=0).fit(SPLIT, CATALOG).transform()
    more = dataclasses.replace(SPLIT, train=from_lists([[1, 2], [1, 3, 4]]))
    after = ItemFeatures(max_terms=0).fit(more, CATALOG).transform()
    assert (before.matrix.toarray() != after.matrix.toarray()).any()
