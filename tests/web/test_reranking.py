"""The page re-ranks as Python does, and says and stops what it does."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site, make_site
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import encode_with_own_hash
from kd_tf.runtime.recommender import Recommender

pytestmark = pytest.mark.browser

TESTS = Path(__file__).parents[1]
CASES = json.loads((TESTS / "shared_reranking" / "cases.json").read_text("utf-8"))
DEVICES = CASES["devices"]

EXACT = 1e-5
"""Float sums in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = TESTS / "shared_reranking" / "make_bundle.py"
    spec = importlib.util.spec_from_file_location("make_bundle", path)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    out: Path = tmp_path_factory.mktemp("joined") / "bundle"
    maker.make_reranking_bundle(TESTS / "golden" / "bundle-v1", out)
    return out


def test_rows_are_those_of_the_shared_cases(run_node: Callable[..., Any]) -> None:
    answer = run_node("row_sources.mjs", **CASES)
    assert answer["contexts"] == [device["context"] for device in DEVICES]
    for rows, case in zip(answer["rows"], CASES["rows"], strict=True):
        columns = {name: [row[name] for row in rows] for name in CASES["columns"]}
        assert columns == case["values"]
    for kind in ("items", "sources"):
        wrong = [
            content
            for content, is_refused in zip(CASES["damaged"][kind], answer[kind], strict=True)
            if not is_refused
        ]
        assert not wrong


def test_the_page_sorts_as_python_says_why_and_stops_when_told(
    folder: Path,
    modules: Path,
    serve: Callable[[Site], PreviewServer],
    run_browser: Callable[..., Any],
) -> None:
    python = Recommender.load(folder)
    assert python.bundle.ranker is not None
    sources, items = python.bundle.ranker.sources, python.bundle.items
    assert sources is not None
    histories = [[], [1], [7, 3, 60, 12, 5, 44, 9], list(range(1, 41))]
    shelf = [{"id": items[number - 1].item_id} for number in histories[2]]
    answer = run_browser(
        "reranking.mjs",
        address=serve(make_site(Bundle.open(folder), print)).url,
        histories=histories,
        devices=[{"offsetMinutes": device["offset_minutes"], **device} for device in DEVICES],
        shelf=shelf,
        picture=os.environ.get("RERANKING_PICTURE"),
    )
    assert answer["wrong"] == []
    expected = []
    for device in DEVICES:
        zone = timezone(timedelta(minutes=device["offset_minutes"]))
        moment = datetime.fromtimestamp(device["seconds"], zone)
        context = sources.make_context(moment, device["language"])
        for history in histories:
            names = [items[number - 1].item_id for number in history]
            expected.append(python.rerank(names, context=context))
    for actual, reranked in zip(answer["lists"], expected, strict=True):
        assert [one["id"] for one in actual] == [one.item.id for one in reranked]
        for one, other in zip(actual, reranked, strict=True):
            assert one["prediction"] == pytest.approx(other.prediction, abs=EXACT)
            assert one["score"] == pytest.approx(other.score, abs=1e-3)
    assert (answer["offsetMinutes"], answer["language"]) == (345, "de-AT")
    # What is shown: sorted while it is on, in the recommender's order once it is off.
    names = [items[number - 1].item_id for number in histories[2]]
    recommended = [one.item.title for one in python.recommend(names, 10)]
    assert answer["unsorted"] == recommended
    assert answer["sorted"] != recommended
    assert len(answer["sorted"]) == 10
    assert (answer["note"], answer["noteOff"]) == (1, 0)
    assert len(answer["scores"]) == 10
    assert all("Chance of a click now" in score for score in answer["scores"])
    assert answer["before"] == ["Re-rank by time of day and language: on", "true"]
    assert answer["after"] == ["Re-rank by time of day and language: off", "false"]
    lines = answer["values"].splitlines()
    for label in ("Hour of the day", "Day of the week", "Language of this device",
                  "Your newest books: mean of pages", "Always the same: position"):  # fmt: skip
        assert label in lines
    assert lines[lines.index("Language of this device") + 1] == "de"
    assert lines[lines.index("Of each book") + 1] == "book, genre, and pages"
    assert lines[lines.index("Not known here") + 1] == "user"
    assert answer["valuesOff"] == ""


def test_a_damaged_or_foreign_file_of_the_ranker_is_named(
    folder: Path,
    modules: Path,
    serve: Callable[[Site], PreviewServer],
    run_browser: Callable[..., Any],
) -> None:
    site = make_site(Bundle.open(folder), print)
    names = ["items.json", "sources.json", "features.json", "model.tflite", "config.json"]
    addresses = {}
    for name in names:
        content = bytearray(site.files[f"bundle/ranker/{name}"])
        content[-5] ^= 1
        files = {**site.files, f"bundle/ranker/{name}": bytes(content)}
        addresses[name] = serve(Site(site.name, files)).url
    other = {
        f"bundle/ranker/{path.name}": path.read_bytes()
        for path in (folder.parent / "bundle-ranker").iterdir()
    }
    # With sources, but as another add-ranker wrote them.
    config = encode_with_own_hash(
        {**json.loads(site.files["bundle/ranker/config.json"]), "name": "another"}
    )
    foreign = {**site.files, "bundle/ranker/config.json": config}
    addresses["foreign"] = serve(Site(site.name, foreign)).url
    addresses["no sources"] = serve(Site(site.name, {**site.files, **other})).url
    said = run_browser("ranker_faults.mjs", addresses=addresses)
    for name in names:
        assert f"ranker/{name} is " in said[name], said[name]
    assert "is not the one that was added to it" in said["foreign"]
    assert "kd-tf add-ranker" in said["foreign"]
    assert "gives no SHA-256 for ranker/sources.json" in said["no sources"]
