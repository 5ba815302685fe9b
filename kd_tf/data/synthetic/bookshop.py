"""Generates the default data set, a synthetic bookshop, so that a demo needs no download.

The title of an item shows its genre and series, so that anybody can see at a glance whether a
recommendation is good. Users have a few favourite genres and themes, stay with a theme for a while,
follow series in order and return to authors that they like.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.dataset import Dataset, from_frame
from kd_tf.data.synthetic.books import generate_items
from kd_tf.data.synthetic.covers import draw_covers
from kd_tf.data.synthetic.friends import draw_friendships
from kd_tf.data.synthetic.users import UserSimulator
from kd_tf.data.synthetic.words import GENRES
from kd_tf.errors import UserError

MIN_ITEMS, MAX_ITEMS = 50, 6000
"""Limits of the catalog size; the word lists give enough titles for `MAX_ITEMS`."""
MIN_USERS = 10


COVERS_NOTE = (
    "the covers of the synthetic bookshop are drawn from genre, theme and series: results with "
    "images say nothing of real covers"
)
"""Note of every data set with such covers."""


def generate_bookshop(
    *,
    num_items: int = 2000,
    num_users: int = 3000,
    seed: int = 42,
    covers: Path | None = None,
    has_friends: bool = False,
) -> Dataset:
    """Generates a bookshop; the same arguments give the same data on every call.

    Args:
        num_items: Number of items, `MIN_ITEMS` to `MAX_ITEMS`.
        num_users: Number of users, at least `MIN_USERS`. Each has 8 to 120 items (at most a
            quarter of the catalog), with a median of about 25, from 2018 to 2024.
        seed: Seed of all draws.
        covers: New folder into which a cover of each item is drawn; by default there are none.
        has_friends: Whether users have friends, most of them with like taste. Nothing else
            changes.

    Returns:
        A catalog with item_id, title, authors, series (null for a single book), genre, year, text
        and perhaps cover (the name of a file in `covers`), and interactions without ratings.
        Timestamps strictly increase per user, and no user-item pair occurs twice.

    Raises:
        UserError: An argument is out of range, or the folder holds other files.
        MissingExtraError: Covers need the extra image.

    Example:
        >>> dataset = generate_bookshop(num_items=100, num_users=50)
        >>> len(dataset.catalog), dataset.interactions.num_users
        (100, 50)
    """
    if not MIN_ITEMS <= num_items <= MAX_ITEMS:
        raise UserError(
            f"the synthetic bookshop has {MIN_ITEMS} to {MAX_ITEMS} items, not {num_items}"
        )
    if num_users < MIN_USERS:
        raise UserError(f"the synthetic bookshop has at least {MIN_USERS} users, not {num_users}")
    if seed < 0:
        raise UserError(f"seed must be 0 or more, not {seed}")
    random = np.random.Generator(np.random.PCG64(seed))
    items = generate_items(num_items, random)
    simulator = UserSimulator(items, random)
    user, row, timestamp = simulator.simulate(num_users)
    item_ids = pl.Series("item_id", [f"bk-{number:05d}" for number in range(1, num_items + 1)])
    catalog = pl.DataFrame(
        {
            "item_id": item_ids,
            "title": [item.title for item in items],
            "authors": [item.author for item in items],
            "series": pl.Series([item.series for item in items], dtype=pl.String),
            "genre": [GENRES[item.genre].name for item in items],
            "year": pl.Series([item.year for item in items], dtype=pl.Int32),
            "text": [item.text for item in items],
        }
    )
    user_ids = pl.Series("user", [f"reader-{number:04d}" for number in range(1, num_users + 1)])
    interactions = pl.DataFrame(
        {"user": user_ids.gather(user), "item": item_ids.gather(row), "timestamp": timestamp}
    )
    if covers is not None:
        names = [f"{item_id}.png" for item_id in item_ids]
        draw_covers(items, names, covers, seed)
        catalog = catalog.with_columns(cover=pl.Series(names))
    dataset = from_frame("synthetic", interactions, catalog)
    if covers is not None:
        dataset = dataclasses.replace(dataset, notes=(*dataset.notes, COVERS_NOTE))
    if has_friends:
        friendships = draw_friendships(
            simulator.theme_weights, np.random.Generator(np.random.PCG64([seed, 1]))
        )
        dataset = dataclasses.replace(dataset, friendships=friendships)
    return dataset


def make_bookshop(
    items: int = 2000,
    users: int = 3000,
    seed: int = 42,
    *,
    covers: str | Path | None = None,
    friends: bool = False,
) -> Dataset:
    """Generates the synthetic bookshop: ``kd_tf.data.bookshop``.

    Args:
        items: Number of items.
        users: Number of users.
        seed: Seed of all draws.
        covers: New folder into which a cover of each item is drawn; by default there are none.
        friends: Whether users have friends.

    Raises:
        UserError: An argument is out of range, or the folder holds other files.
        MissingExtraError: Covers need the extra image.
    """
    return generate_bookshop(
        num_items=items,
        num_users=users,
        seed=seed,
        covers=None if covers is None else Path(covers),
        has_friends=friends,
    )
