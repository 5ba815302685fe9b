"""`kd-tf recommend --history-file` takes an exported library as the history."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kd_tf import cli

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
ITEMS = json.loads((GOLDEN / "catalog.json").read_text("utf-8"))["books"]
LIKED, LOW, ABANDONED, READING, TO_READ = ITEMS[0], ITEMS[1], ITEMS[2], ITEMS[3], ITEMS[4]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    rows = [
        (ITEMS[5], "read", 0, "2023/03/10"),
        (LIKED, "read", 5, "2021/03/10"),
        (LOW, "read", 2, "2022/03/10"),
        (ABANDONED, "did-not-finish", 0, "someday"),
        (READING, "currently-reading", 0, ""),
        (TO_READ, "to-read", 0, ""),
        ({"title": "Nowhere", "authors": "Nobody"}, "read", 0, "someday"),
    ]
    path = tmp_path / "goodreads_library_export.csv"
    path.write_text(
        "Book Id,Title,Author,My Rating,Date Read,Exclusive Shelf\n"
        + "".join(
            f'1,"{item["title"]}","{item["authors"]}",{rating},{date},{shelf}\n'
            for item, shelf, rating, date in rows
        ),
        "utf-8",
    )
    return path


@pytest.fixture
def recommend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["kd-tf", "recommend", str(GOLDEN), *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, " ".join(printed.err.split())

    return run


def test_books_that_were_liked_are_the_history_and_no_others_are_recommended(
    recommend: Any, library: Path
) -> None:
    code, out, _ = recommend("--history-file", str(library), "--json", "-")
    assert not code
    content = json.loads(out)
    assert content["history"] == [LIKED["item_id"], ITEMS[5]["item_id"]]
    recommended = {row["id"] for row in content["recommendations"]}
    assert not recommended & {item["item_id"] for item in ITEMS[:4]}
    summary = content["reading_list"]
    assert summary["format"] == "goodreads"
    assert summary["not_in_catalog"] == [{"line": 8, "title": "Nowhere", "author": "Nobody"}]
    assert summary["unclear_dates"] == [{"line": 8, "text": "someday"}]
    figures = ("books", "read", "rated", "rated_low", "abandoned", "reading", "to_read")
    assert [summary[key] for key in figures] == [7, 4, 2, 1, 1, 1, 1]
    assert summary["in_catalog"] == 2


def test_books_of_the_command_are_the_newest(recommend: Any, library: Path) -> None:
    arguments = ("--history-file", str(library), "--min-history-rating", "0", "--json", "-")
    code, out, _ = recommend(*arguments, "-r", READING["title"], "-r", LIKED["item_id"])
    assert not code
    assert json.loads(out)["history"] == [
        item["item_id"] for item in (LOW, ITEMS[5], READING, LIKED)
    ]


def test_people_are_told_what_was_read_and_what_is_missing(recommend: Any, library: Path) -> None:
    code, out, _ = recommend("--history-file", str(library))
    assert not code
    text = " ".join(out.split())
    for words in (
        "Goodreads, 7 books: 4 read (2 rated), 1 being read, 1 to read, 1 abandoned",
        "because you rated them below 3: 1",
        "in this catalog: 2 of 3",
        "Nowhere (Nobody)",
        "unclear dates: 1, the first in line 8: 'someday'",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Title,Exclusive Shelf\nDune,to-read\n", "none of the 1 books was read and liked"),
        ("Title,Author\nNowhere,Nobody\n", "none of the 1 books that you read is in this catalog"),
        ("user,item\n1,2\n", 'list.csv:1: there is no column "Title"'),
        (None, "list.csv: this file cannot be read"),
    ],
)
def test_a_file_without_a_history_is_refused(
    recommend: Any, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_text(content, "utf-8")
    code, _, err = recommend("--history-file", str(path))
    assert code == 2
    assert message in err


def test_the_default_number_is_no_more_than_the_model_gives(
    recommend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a bundle of four books, whose model gives fewer than ten."""
    monkeypatch.setattr("kd_tf.cli.recommend.DEFAULT_K", 10_000)
    code, out, _ = recommend("--history", LIKED["title"], "--json", "-")
    config = json.loads((GOLDEN / "config.json").read_text("utf-8"))
    assert not code
    assert 1 <= len(json.loads(out)["recommendations"]) <= config["recommendations"]
    assert recommend("--history", LIKED["title"], "-k", "10000")[0] == 2
