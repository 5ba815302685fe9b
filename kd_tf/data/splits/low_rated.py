"""What training readers read without liking it: no target, but it shows what goes together."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split


def add_low_rated(
    split: Split, interactions: Interactions, raw_interactions: Interactions, min_rating: float
) -> Split:
    """Adds what the training readers rated below the limit, each book once.

    Nobody is shown these books or asked for them, and nothing of validation and test readers is
    looked at. But that somebody read two books says that they go together, whatever was thought
    of one of them.

    Args:
        split: Of readers who are in one part only.
        interactions: What it was made of.
        raw: The same before cleaning.
        min_rating: Rows rated lower did not count.
    """
    assert raw_interactions.rating is not None
    place = np.full(interactions.num_users, -1, np.int64)
    place[split.train_users] = np.arange(len(split.train_users))
    number = dict(zip(interactions.user_ids, place, strict=True))
    row_of_user = np.array([number.get(user, -1) for user in raw_interactions.user_ids], np.int64)
    row = row_of_user[raw_interactions.user]
    low = (raw_interactions.rating < min_rating) & (row >= 0)
    width = split.num_items + 1
    pairs = np.unique(row[low] * width + raw_interactions.item[low])
    liked = np.repeat(np.arange(len(split.train)), split.train.lengths) * width + split.train.items
    pairs = pairs[~np.isin(pairs, liked)]
    lengths = np.bincount(pairs // width, minlength=len(split.train))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return dataclasses.replace(
        split, low_rated=Histories((pairs % width).astype(np.int32), offsets)
    )
