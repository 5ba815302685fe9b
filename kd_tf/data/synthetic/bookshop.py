"""The embedded default data set: an invented bookshop, so that a demo needs no download.

Books have titles that show their genre and series, so that a person can see at a glance whether
a recommendation is good. Readers have a few favourite genres and themes, read one theme for a
while before they turn to another, follow series in order and return to authors that they like.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from kd_tf.data.interactions import Dataset, from_frame
from kd_tf.data.synthetic.books import generate_items
from kd_tf.data.synthetic.users import UserSimulator
from kd_tf.data.synthetic.words import GENRES
from kd_tf.errors import UserError

MIN_ITEMS, MAX_ITEMS = 50, 6000
"""The word stocks hold enough titles and authors for `MOST_BOOKS`."""
MIN_USERS = 10


def generate_bookshop(*, num_items: int = 2000, num_users: int = 3000, seed: int = 42) -> Dataset:
    """Invents a bookshop: the same arguments give the same data on every call.

    Args:
        books: How many books, `FEWEST_BOOKS` to `MOST_BOOKS`.
        readers: How many readers, at least `FEWEST_READERS`. Each reads 8 to 120 books (fewer
            at most where the shop is small), about 25 in the median, from 2018 to 2024.
        seed: Draws everything.

    Returns:
        A catalogue with item_id, title, authors, series (null for a single book), genre, year
        and text, and interactions with strictly increasing timestamps per reader, no pair of
        reader and book twice, and no ratings.

    Raises:
        UserError: An argument is out of range.
    """
    if not MIN_ITEMS <= num_items <= MAX_ITEMS:
        raise UserError(
            f"the synthetic bookshop has {MIN_ITEMS} to {MAX_ITEMS} books, not {num_items}"
        )
    if num_users < MIN_USERS:
        raise UserError(f"the synthetic bookshop has at least {MIN_USERS} readers, not {num_users}")
    if seed < 0:
        raise UserError(f"seed must be 0 or more, not {seed}")
    random = np.random.Generator(np.random.PCG64(seed))
    shelf = generate_items(num_items, random)
    user, item, timestamp = UserSimulator(shelf, random).simulate(num_users)
    item_ids = pl.Series("item_id", [f"bk-{number:05d}" for number in range(1, num_items + 1)])
    catalog = pl.DataFrame(
        {
            "item_id": item_ids,
            "title": [book.title for book in shelf],
            "authors": [book.author for book in shelf],
            "series": pl.Series([book.series for book in shelf], dtype=pl.String),
            "genre": [GENRES[book.genre].name for book in shelf],
            "year": pl.Series([book.year for book in shelf], dtype=pl.Int32),
            "text": [book.text for book in shelf],
        }
    )
    user_ids = pl.Series("user", [f"reader-{number:04d}" for number in range(1, num_users + 1)])
    interactions = pl.DataFrame(
        {"user": user_ids.gather(user), "item": item_ids.gather(item), "timestamp": timestamp}
    )
    return from_frame("synthetic", interactions, catalog)
