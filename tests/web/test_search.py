"""Suggestions while a reader types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

ITEMS = [
    {"item_id": "over", "title": "The Hills Over Harbour", "authors": "Ana Lantern"},
    {"item_id": "café", "title": "Café Zoë", "authors": "Zoë Bruneau"},
    {
        "item_id": "keepers",
        "title": "The Lantern Keepers (Harbour Lights, #1)",
        "authors": "M. Oak",
    },
    {"item_id": "short", "title": "Lanterns", "authors": "Ana Hills", "isbn": "9781900000017"},
    {"item_id": "三", "title": "河边的图书馆", "authors": "陈一舟"},
    {"item_id": "1984", "title": "Nineteen Eighty-Four", "authors": "G. Orwell"},
    {"item_id": "year", "title": "1984 and After", "authors": None},
    {"item_id": "untitled"},
]

FOUND = {
    # The beginning of a title, words of a title, words of title and author.
    "lantern": ["short", "keepers", "over"],
    "the lan": ["keepers", "over"],
    "harbour hills": ["over"],
    "oak keep": ["keepers"],
    # Accents, case and other characters do not matter.
    "ZOE!": ["café"],
    "cafe zoë": ["café"],
    "o'": ["over", "keepers", "1984", "café"],
    # Parts of words come last; scripts without spaces live on them.
    "图书": ["三"],
    "antern": ["over", "keepers", "short"],
    # An id or ISBN in full.
    "1984": ["1984", "year"],
    "9781900000017": ["short"],
    "untitled": ["untitled"],
    # Nothing.
    "": [],
    "  ": [],
    "?!": [],
    "lantern zoe": [],
}


def test_the_best_fit_comes_first(run_node: Callable[..., Any]) -> None:
    found = run_node("search.mjs", books=ITEMS, queries=list(FOUND), limit=8)
    assert found == FOUND


def test_there_are_no_more_than_asked_for(run_node: Callable[..., Any]) -> None:
    found = run_node("search.mjs", books=ITEMS, queries=["lantern", "a"], limit=2)
    assert found == {"lantern": ["short", "keepers"], "a": ["year", "over"]}
