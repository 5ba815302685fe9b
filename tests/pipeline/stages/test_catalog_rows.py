"""Which books of a bundle are marked as new, and that they say what they are about."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kd_tf.data.catalog import Catalog
from kd_tf.pipeline.stages.catalog_rows import make_catalog_rows

CATALOG = Catalog(pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["Sea", "Sea Fog", "Lamp"]}))


@pytest.mark.parametrize(
    ("popularity", "new"),
    [
        (np.array([0, 3, 0, 1]), [1]),
        (np.array([0, 0, 2, 0]), [0, 2]),
        (np.array([0, 1, 1, 1]), []),
        # All of them: the mark would say nothing.
        (np.array([0, 0, 0, 0]), []),
        (None, []),
    ],
)
def test_books_without_a_reader_are_marked_unless_all_are(popularity, new):
    rows = make_catalog_rows(CATALOG, popularity)
    assert [number for number, row in enumerate(rows) if row.get("new")] == new
    assert [row.get("words") for row in rows] == ["sea", "sea", None]


def test_another_number_of_items_is_refused():
    with pytest.raises(ValueError, match=r"2 numbers, not V \+ 1 = 4"):
        make_catalog_rows(CATALOG, np.array([0, 1]))
