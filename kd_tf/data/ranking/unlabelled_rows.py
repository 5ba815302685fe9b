"""Draws rows without a label: the situation of one training row and the item of another."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.runtime.features.categorical import VocabularyFeature
from kd_tf.runtime.features.schema import FeatureSchema

_UNKNOWN_TEXT = ""
"""Stands for a value that is not in a vocabulary: no canonical text is empty."""


def draw_unlabelled_rows(split: RankingSplit, num_rows: int, seed: int) -> RankingExamples | None:
    """Draws rows that a teacher can label: what it knows of pairs that nobody has rated.

    Each row has the item of one training row, with its text, and all else of another one, both
    drawn at random. So items and users are as frequent as in training. A cross of columns of both
    is computed anew; rows with a value in it that training does not know are dropped.

    Args:
        split: The split; `RankingSplit.item_columns` says which columns belong to the item.
        num_rows: Number of rows.
        seed: Seed that draws the rows.

    Returns:
        The rows, whose labels are NaN; None where no column belongs to the item, all do, or there
        is a cross of both kinds of columns of which one is hashed.

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
    if split.schema is None or not split.item_columns:
        return None
    ids = [_is_of_item(feature.columns, split.item_columns) for feature in split.schema.categorical]
    numbers = [
        _is_of_item((feature.column,), split.item_columns) for feature in split.schema.numeric
    ]
    if not {True, False} <= {*ids, *numbers}:
        return None
    train, random = split.train, np.random.default_rng(seed)
    places = [ids[index] for index in train.layout.feature_of_place]
    item_places = np.flatnonzero([place is True for place in places])
    item_numbers = np.flatnonzero(np.array(numbers, bool))
    rows, item_rows = random.integers(len(train), size=(2, num_rows))
    categorical, numeric = train.categorical[rows], train.numeric[rows]
    categorical[:, item_places] = train.categorical[np.ix_(item_rows, item_places)]
    numeric[:, item_numbers] = train.numeric[np.ix_(item_rows, item_numbers)]
    is_known = np.ones(num_rows, bool)
    for place, is_of_item in enumerate(places):
        if is_of_item is not None:
            continue
        cross = split.schema.categorical[train.layout.feature_of_place[place]]
        texts = _decode_columns(split.schema, cross.columns, categorical)
        if texts is None:
            return None
        categorical[:, place] = cross.encode(*(column.tolist() for column in texts))[:, 0]
        is_known &= np.all([column != _UNKNOWN_TEXT for column in texts], axis=0)
    drawn_rows = RankingExamples(
        train.layout,
        categorical,
        numeric,
        labels=np.full(num_rows, np.nan, np.float32),
        texts=None if train.texts is None else train.texts.exchange(rows, item_rows),
    )
    return drawn_rows if is_known.all() else drawn_rows.take(np.flatnonzero(is_known))


def _decode_columns(
    schema: FeatureSchema, columns: Collection[str], ids: np.ndarray
) -> list[np.ndarray] | None:
    """Returns the canonical texts of columns, object [n] each; None where one has no vocabulary."""
    texts, begin = {}, 0
    for feature in schema.categorical:
        if isinstance(feature, VocabularyFeature) and feature.column in columns:
            values = np.array([None, _UNKNOWN_TEXT, *feature.values], object)
            texts[feature.column] = values[ids[:, begin]]
        begin += feature.num_values
    return [texts[column] for column in columns] if texts.keys() >= set(columns) else None


def _is_of_item(columns: Collection[str], item_columns: Collection[str]) -> bool | None:
    """Says whether a feature belongs to the item; None where it belongs to both sides."""
    belongs = {column in item_columns for column in columns}
    return belongs.pop() if len(belongs) == 1 else None
