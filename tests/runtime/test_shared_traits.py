"""What two items share is what tests/shared_traits says, as on the page and in the app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.catalog import Item, encode_catalog, parse_catalog
from kd_tf.runtime.recommender import Reason
from kd_tf.runtime.shared_traits import find_shared_authors

VECTORS = Path(__file__).parents[1] / "shared_traits"
CASES = json.loads((VECTORS / "cases.json").read_text("utf-8"))
VALUES = [
    (group["key"], group["is_sound"], value)
    for group in json.loads((VECTORS / "catalog_values.json").read_text("utf-8"))
    for value in group["values"]
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["promise"])
def test_a_reason_says_what_both_items_share(case: dict[str, Any]):
    recommended = Item(1, "a", **case["book"])
    reason = Reason.between(recommended, Item(2, "b", **case["other"]), 0.5)
    assert reason.item.id == 2
    assert {
        "authors": list(reason.shared_authors),
        "same_series": reason.same_series,
        "words": list(reason.shared_words),
    } == case["shared"]


@pytest.mark.parametrize(("key", "is_sound", "value"), VALUES)
def test_a_catalog_has_words_and_the_mark_of_new_items_or_is_refused(key, is_sound, value):
    content = encode_catalog([{"id": 1, "item_id": "a", key: value}]).encode()
    if is_sound:
        (item,) = parse_catalog(content, 1, "catalog.json")
        assert getattr(item, key) == (getattr(Item(1, "a"), key) if value is None else value)
    else:
        with pytest.raises(UserError, match=f"item 1: {key} cannot"):
            parse_catalog(content, 1, "catalog.json")


NAMES = st.lists(
    st.sampled_from(["Ann", "Elm", "J.", "R.", ",", ";", " and ", " ", "王小河", "É", "!"]),
    max_size=8,
).map("".join)


@given(NAMES, NAMES)
def test_two_items_share_as_many_authors_whichever_is_recommended(authors, other_authors):
    shared = find_shared_authors(authors, other_authors)
    assert len(shared) == len(find_shared_authors(other_authors, authors))
