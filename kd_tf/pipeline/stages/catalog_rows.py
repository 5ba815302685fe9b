"""The rows of a bundle's catalog: the items, what they are about, and which of them are new."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.data.catalog import Catalog
from kd_tf.data.features.topic_words import choose_topic_words


def make_catalog_rows(catalog: Catalog, popularity: np.ndarray | None) -> list[dict[str, Any]]:
    """Makes the rows of catalog.json, in the order of the catalog.

    Args:
        catalog: The V items.
        popularity: [V + 1] training interactions of each item, index 0 is padding; None if they
            are not known. An item without any is marked as new, unless all are.

    Raises:
        ValueError: There is not one number per item.

    Example:
        >>> import polars as pl
        >>> titles = ["The Red Dragon", "The Blue Dragon", "The Whale"]
        >>> catalog = Catalog(pl.DataFrame({"item_id": ["a", "b", "c"], "title": titles}))
        >>> for row in make_catalog_rows(catalog, np.array([0, 5, 0, 3])):
        ...     print(row)
        {'item_id': 'a', 'title': 'The Red Dragon', 'words': 'dragon'}
        {'item_id': 'b', 'title': 'The Blue Dragon', 'words': 'dragon', 'new': True}
        {'item_id': 'c', 'title': 'The Whale'}
    """
    rows = catalog.list_known_rows()
    for row, words in zip(rows, choose_topic_words(catalog), strict=True):
        if words:
            row["words"] = words
    if popularity is None:
        return rows
    if len(popularity) != len(rows) + 1:
        raise ValueError(f"popularity has {len(popularity)} numbers, not V + 1 = {len(rows) + 1}")
    is_new = popularity[1:] == 0
    if not is_new.all():
        for index in np.flatnonzero(is_new):
            rows[index]["new"] = True
    return rows
