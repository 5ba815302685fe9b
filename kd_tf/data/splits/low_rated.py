"""Adds low-rated items of training users: never targets, but evidence of co-occurrence."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split


def add_low_rated(
    split: Split, interactions: Interactions, raw_interactions: Interactions, min_rating: float
) -> Split:
    """Adds the items that training users rated below the limit, each item once, to a split.

    These items are neither inputs nor targets, and validation and test users are not used. But
    two items with the same user co-occur, whatever the user's rating. Cold items have none at all.

    Args:
        split: A split in which each user is in one part only.
        interactions: The interactions that the split was made of.
        raw_interactions: The same interactions before cleaning, with ratings.
        min_rating: The limit below which cleaning removed rows.

    Returns:
        The same split with `Split.low_rated`.
    """
    assert raw_interactions.rating is not None
    row_of_index = np.full(interactions.num_users, -1, np.int64)
    row_of_index[split.train_users] = np.arange(len(split.train_users))
    row_of_id = dict(zip(interactions.user_ids, row_of_index, strict=True))
    row_of_user = np.array(
        [row_of_id.get(user, -1) for user in raw_interactions.user_ids], np.int64
    )
    row = row_of_user[raw_interactions.user]
    low = (raw_interactions.rating < min_rating) & (row >= 0)
    for held_out in (split.validation, split.test):
        if held_out.cold_items is not None:
            low &= ~np.isin(raw_interactions.item, held_out.cold_items)
    width = split.num_items + 1
    pairs = np.unique(row[low] * width + raw_interactions.item[low])
    train_pairs = (
        np.repeat(np.arange(len(split.train)), split.train.lengths) * width + split.train.items
    )
    pairs = pairs[~np.isin(pairs, train_pairs)]
    lengths = np.bincount(pairs // width, minlength=len(split.train))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return dataclasses.replace(
        split, low_rated=Histories((pairs % width).astype(np.int32), offsets)
    )
