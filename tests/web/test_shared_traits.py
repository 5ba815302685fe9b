"""The page says what two books share as tests/shared_traits does, and reads the same catalogues."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

VECTORS = Path(__file__).parents[1] / "shared_traits"
CASES = json.loads((VECTORS / "cases.json").read_text("utf-8"))
GROUPS = json.loads((VECTORS / "catalog_values.json").read_text("utf-8"))


def test_the_page_follows_the_vectors(run_node: Callable[..., Any]) -> None:
    values = [
        (group["key"], value, None if group["is_sound"] else "bundle.book")
        for group in GROUPS
        for value in group["values"]
    ]
    answer = run_node(
        "shared_traits.mjs", cases=CASES, values=[[key, value] for key, value, _ in values]
    )
    for case, shared in zip(CASES, answer["shared"], strict=True):
        assert shared == case["shared"], case["promise"]
    for (key, value, fault), refusal in zip(values, answer["refusals"], strict=True):
        assert refusal == fault, (key, value)
