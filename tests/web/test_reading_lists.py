"""The page's importer gives what tests/reading_lists says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

VECTORS = Path(__file__).parents[1] / "reading_lists"
EXPECTED = json.loads((VECTORS / "expected.json").read_text("utf-8"))
MOST_BYTES = 20_000_000


@pytest.fixture(scope="module")
def answers(run_node: Callable[..., Any]) -> dict[str, Any]:
    header = "Title,Author\n"
    answer: dict[str, Any] = run_node(
        "reading_lists.mjs",
        folder=str(VECTORS),
        files={name: one.get("shelf", []) for name, one in EXPECTED.items()},
        generated={
            "just small enough": header + "x" * (MOST_BYTES - len(header)),
            "too large": header + "x" * (MOST_BYTES - len(header) + 1),
            "every cell quoted": "".join(quoted()),
        },
    )
    return answer


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_gives_what_is_expected(name: str, answers: dict[str, Any]) -> None:
    expected = {key: value for key, value in EXPECTED[name].items() if key != "shelf"}
    assert answers[name] == expected


def test_files_over_twenty_megabytes_are_refused(answers: dict[str, Any]) -> None:
    assert answers["too large"] == {"refused": "too-large"}
    assert answers["just small enough"]["rows"] == 1


def test_every_character_survives_the_quotes(answers: dict[str, Any]) -> None:
    # Python's own writer is the judge.
    rows = list(csv.DictReader(io.StringIO("".join(quoted()), newline="")))
    expected = [{"title": row["Title"].strip(), "author": row["Author"].strip()} for row in rows]
    assert answers["every cell quoted"]["unmatched"] == expected


def quoted() -> list[str]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["Title", "Author"])
    parts = ['"', ",", "\r\n", "\n", "x", '""', "=", "é", "书", "\U0001f4d6"]
    for one in parts:
        for other in parts:
            writer.writerow([f"a{one}{other}", f"{other}{one}b"])
    return [text.getvalue()]
