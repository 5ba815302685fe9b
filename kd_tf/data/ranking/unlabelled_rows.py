"""Draws rows without a label: the situation of one training row and the item of another."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples, RankingSplit


def draw_unlabelled_rows(split: RankingSplit, num_rows: int, seed: int) -> RankingExamples | None:
    """Draws rows that a teacher can label: what it knows of pairs that nobody has rated.

    Each row has the item of one training row, with its text, and all else of another one, both
    drawn at random. So items and users are as frequent as in training.

    Args:
        split: The split; `RankingSplit.item_columns` says which columns belong to the item.
        num_rows: Number of rows.
        seed: Seed that draws the rows.

    Returns:
        The rows, whose labels are NaN; None where no column belongs to the item, all do, or a
        feature is made of both kinds of columns (a cross), whose ids cannot be exchanged.

    Example:
        >>> from kd_tf.data.ranking.read_ranking import read_ranking_split
        >>> import polars as pl
        >>> table = pl.DataFrame({"user": ["a", "b"] * 50, "item": [*"xyzzz"] * 20})
        >>> table = table.with_columns(liked=pl.Series([1, 0, 0, 1] * 25))
        >>> split = read_ranking_split(table, label="liked")
        >>> rows = draw_unlabelled_rows(split, 5, seed=1)
        >>> rows.categorical.shape
        (5, 2)
    """
    sides = _find_item_side(split)
    if sides is None:
        return None
    is_item_place, is_item_number = sides
    train, random = split.train, np.random.default_rng(seed)
    rows, item_rows = random.integers(len(train), size=(2, num_rows))
    categorical, numeric = train.categorical[rows], train.numeric[rows]
    categorical[:, is_item_place] = train.categorical[:, is_item_place][item_rows]
    numeric[:, is_item_number] = train.numeric[:, is_item_number][item_rows]
    return RankingExamples(
        train.layout,
        categorical,
        numeric,
        labels=np.full(num_rows, np.nan, np.float32),
        texts=None if train.texts is None else train.texts.exchange(rows, item_rows),
    )


def _find_item_side(split: RankingSplit) -> tuple[np.ndarray, np.ndarray] | None:
    """Says which places and which numbers of a row belong to the item."""
    if split.schema is None or not split.item_columns:
        return None
    features = [
        _is_of_item(feature.columns, split.item_columns) for feature in split.schema.categorical
    ]
    numbers = [
        _is_of_item((feature.column,), split.item_columns) for feature in split.schema.numeric
    ]
    if None in features or len({*features, *numbers}) < 2:
        return None
    places = [features[index] for index in split.train.layout.feature_of_place]
    return np.array(places, bool), np.array(numbers, bool)


def _is_of_item(columns: Collection[str], item_columns: Collection[str]) -> bool | None:
    """Says whether a feature belongs to the item; None where it belongs to both sides."""
    belongs = {column in item_columns for column in columns}
    return belongs.pop() if len(belongs) == 1 else None
