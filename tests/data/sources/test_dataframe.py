from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kd_tf.data.sources.dataframe import read_dataframe
from kd_tf.errors import UserError


def test_every_row_comes_through_in_order_with_ids_as_text() -> None:
    frame = pd.DataFrame({"user": [5, "é", 5], "item": [10, 10, 7], "rating": [1, 2.5, 4]})
    data = read_dataframe(frame).interactions
    assert data.user_ids == ["5", "é"]
    assert data.user.tolist() == [0, 1, 0]
    assert data.item.tolist() == [1, 1, 2]
    assert data.rating is not None
    assert data.rating.tolist() == [1, 2.5, 4]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Zurich"])
def test_datetimes_become_seconds_since_1970(zone: str | None) -> None:
    moment = pd.Timestamp("1969-12-31 23:59:58.5", tz=zone)
    frame = pd.DataFrame({"user": ["a"], "item": ["b"], "timestamp": [moment]})
    actual = read_dataframe(frame).interactions.timestamp
    assert actual is not None
    assert actual.tolist() == [int(np.floor(moment.timestamp() if zone else -1.5))]


def test_items_keep_their_order_and_missing_years_stay_missing() -> None:
    frame = pd.DataFrame({"user": ["a"], "item": ["y"]})
    items = pd.DataFrame({"item_id": ["x", "y"], "title": ["X", None], "year": [1999.0, np.nan]})
    catalog = read_dataframe(frame, items).catalog.frame
    assert catalog["item_id"].to_list() == ["x", "y"]
    assert catalog["title"].to_list() == ["X", None]
    assert catalog["year"].to_list() == [1999, None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": ["a"]}, "missing: .'item'"),
        ({"user": ["a"], "item": ["b"], "stars": [1]}, "unknown: .'stars'"),
        ({"user": ["a", None], "item": ["b", "c"]}, "row 1, .*: '' is not a user id"),
        ({"user": ["a"], "item": ["b"], "rating": ["five"]}, "'five' is not a finite number"),
        ({"user": ["a"], "item": [1.0]}, "holds fractions"),
        ({"user": [], "item": []}, "no rows"),
    ],
)
def test_what_cannot_be_used_is_named(columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_dataframe(pd.DataFrame(columns))
