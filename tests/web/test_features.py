"""The page encodes rows as tests/shared_features says, and as Python does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.browser

VECTORS = Path(__file__).parents[1] / "shared_features"
FAULTS = {"damaged": "bundle.features", "version": "bundle.featuresVersion", None: None}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("drawn") / "cases.json"
    subprocess.run([sys.executable, str(VECTORS / "draw_cases.py"), str(path)], check=True)
    drawn: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return drawn


def check_cases(cases: list[dict[str, Any]], encoded: list[list[dict[str, Any]]]) -> None:
    for case, (results, refusals) in zip(cases, encoded, strict=True):
        for row, result in zip(case["rows"], results, strict=True):
            assert result.get("categorical") == row["categorical"], (row, result)
            numbers = np.array(result["numeric"], np.float32)
            np.testing.assert_array_equal(numbers, np.float32(row["numeric"]), str(row))
        for row, result in zip(case.get("refused", []), refusals, strict=True):
            assert f"'{row['column']}'" in result.get("error", ""), (row, result)


def test_the_page_follows_the_cases(run_node: Callable[..., Any]) -> None:
    cases = json.loads((VECTORS / "cases.json").read_text("utf-8"))
    check_cases(cases, run_node("features.mjs", cases=cases, damaged=[])["encoded"])


def test_the_page_encodes_and_refuses_what_python_does(
    run_node: Callable[..., Any], drawn: dict[str, Any]
) -> None:
    answer = run_node("features.mjs", **drawn)
    check_cases(drawn["cases"], answer["encoded"])
    for kind in ("rows", "refused"):
        assert sum(len(case[kind]) for case in drawn["cases"]) > 500
    for case, fault in zip(drawn["damaged"], answer["faults"], strict=True):
        assert fault == FAULTS[case["problem"]], case
    assert sum(case["problem"] is None for case in drawn["damaged"]) > 50


def test_values_that_json_has_not_are_read_or_refused(run_node: Callable[..., Any]) -> None:
    results = run_node("features.mjs", cases=[], damaged=[])["own"]
    assert results["9007199254740993n"] == {"categorical": [2], "numeric": []}
    assert results["NaN"] == {"categorical": [0], "numeric": []}
    assert "is infinite" in results["Infinity"]["error"]
    assert "too large" in results["10n ** 300n"]["error"]
    assert "must be a text or a number, not an object" in results["new Date(0)"]["error"]
    assert "the row has no 'a'" in results["undefined"]["error"]
    assert "a row must be an object" in results["no row"]["error"]
