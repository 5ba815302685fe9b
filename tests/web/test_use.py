"""Readers at the page, in a real browser."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.recommender import Reason, Recommender
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.browser

VECTORS = Path(__file__).parents[1] / "reading_lists"


@pytest.fixture(scope="module")
def opened(bundle: Callable[[Quantization], Bundle]) -> Bundle:
    return bundle(Quantization.INT8)


@pytest.fixture(scope="module")
def python(opened: Bundle) -> Recommender:
    return Recommender.load(opened.folder)


@pytest.fixture
def flow(address: str, run_browser: Callable[..., Any]) -> Callable[..., Any]:
    """``flow(name, **input)``: one of those of use.mjs."""
    return lambda name, **given: run_browser("use.mjs", flow=name, address=address, **given)


def some(opened: Bundle, *ids: int) -> dict[str, list[str]]:
    items = [opened.items[id - 1] for id in ids]
    return {"ids": [item.item_id for item in items], "titles": [item.title or "" for item in items]}


def test_a_shelf_is_filled_by_keyboard_and_everything_can_be_taken_back(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    item = opened.items[0]
    assert item.title is not None
    flow("shelf", query=item.title.upper(), title=item.title, **some(opened, 11, 13, 15))


def test_books_are_found_in_every_script_and_titles_are_text(flow: Callable[..., Any]) -> None:
    flow("search")


def test_the_list_is_that_of_python_with_its_reasons_and_follows_the_shelf(
    flow: Callable[..., Any], opened: Bundle, python: Recommender
) -> None:
    read = some(opened, 11, 13, 15, 17, 19)["ids"]
    recommended = python.recommend(read)
    reasons = [python.explain(read, one.item.item_id, 3) for one in recommended[:10]]
    assert all(len(row) == 3 for row in reasons)
    because = [[describe(one) for one in row] for row in reasons]
    said = " ".join(text for row in because for text in row)
    assert all(trait in said for trait in ("(same author", "(same series", "both about"))
    assert not all("(" in text for row in because for text in row)
    # The first book joins the shelf in the end.
    afterwards = python.recommend([*read, recommended[0].item.item_id])
    flow(
        "forYou",
        ids=read,
        expected=[one.item.title for one in recommended],
        because=[f"Because you read {a}, {b}, and {c}" for a, b, c in because],
        marked=[one.item.title for one in recommended[:10] if one.item.new],
        afterwards=[one.item.title for one in afterwards],
    )


def test_a_book_is_shown_with_all_that_is_known_of_it(
    flow: Callable[..., Any], opened: Bundle, python: Recommender
) -> None:
    item = opened.items[6]
    flow(
        "book",
        id=item.item_id,
        title=item.title,
        text=item.text,
        similar=[one.item.title for one in python.similar(item.item_id)[:12]],
        untitled=opened.items[8].item_id,
    )


def test_the_model_is_described_and_measured_on_the_spot(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    size = f"{opened.model_path.stat().st_size:,} bytes"
    flow("about", parts=["Invented books", "10,000", size, "int8", "0.2500", "3,000", "Contract"])


def test_the_page_speaks_chinese_where_the_browser_does(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    flow("language", locale="zh-CN", **some(opened, 11))


def test_a_reading_list_is_chosen_or_dropped_and_other_files_are_refused(
    flow: Callable[..., Any], opened: Bundle, tmp_path: Path
) -> None:
    rows = [opened.items[id - 1] for id in (21, 23, 25, 27, 29)]
    unmatched = [("<script>alert(1)</script>", "Nobody"), ("=1+1", "@SUM(1)")]
    library = tmp_path / "library.csv"
    titles = [(item.title, item.authors) for item in rows[:3]]
    library.write_text(export([*titles, titles[0], *unmatched]), "utf-16")
    long_file = tmp_path / "film.csv"
    long_file.write_bytes(b"Title\n" + b"x" * 20_000_000)
    flow(
        "readingList",
        file=str(library),
        facts=[
            "A file of Goodreads",
            "6 rows in the file",
            "3 books added to your shelf",
            "1 more than once in the file",
            "2 not in this catalogue",
        ],
        unmatched=[f"{title} · {author}" for title, author in unmatched],
        shelf=[title for title, _ in reversed(titles)],
        refused={
            str(VECTORS / "refused_no_title.csv"): "no column “Title”",
            str(VECTORS / "refused_latin1.csv"): "UTF-8 or UTF-16",
            str(VECTORS / "refused_no_rows.csv"): "no books in this file",
            str(VECTORS / "refused_unclosed_quote.csv"): "its end is missing",
            str(long_file): "over 20 MB",
        },
        dropped=export([(rows[3].title, rows[3].authors), (rows[4].title, rows[4].authors, 2)]),
        droppedTitles=[rows[3].title],
        hidden=rows[4].title,
    )


def test_ten_thousand_rows_are_imported_in_two_seconds(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    # One book of each title: two with an author in common would be taken for one.
    items = {item.title.split(" (")[0]: item for item in opened.items if item.title}
    known = [(item.title, item.authors) for item in items.values()][:6000]
    others = [(f"Not catalogued {number}", "Nobody") for number in range(10_000 - len(known))]
    seconds = flow(
        "large",
        csv=export([*known, *others]),
        added=f"{len(known):,} books added to your shelf",
    )
    assert len(known) > 3000
    assert seconds < 2


def test_books_that_a_new_bundle_lacks_are_kept_aside(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    flow("gone", **some(opened, 11, 13))


def test_a_shelf_that_cannot_be_read_or_stored_is_told_and_nothing_is_lost(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    flow("storage", **some(opened, 11, 13))


def test_a_reader_of_everything_gets_a_word_instead_of_a_list(
    flow: Callable[..., Any], opened: Bundle
) -> None:
    flow("everything", ids=[item.item_id for item in opened.items])


def describe(reason: Reason) -> str:
    """A book of the shelf, and in brackets what it shares with the recommended one."""
    title = f"“{(reason.item.title or '').split(' (')[0]}”"
    shared = ["same author"] if reason.shared_authors else []
    shared += ["same series"] if reason.same_series else []
    if reason.shared_words:
        shared.append(f"both about {' and '.join(reason.shared_words)}")
    return f"{title} ({'; '.join(shared)})" if shared else title


def export(rows: list[tuple[Any, ...]]) -> str:
    """A Goodreads export."""
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ["Book Id", "Title", "Author", "ISBN", "ISBN13", "Exclusive Shelf", "My Rating"]
    writer.writerow(columns)
    for number, (title, author, *rating) in enumerate(rows):
        writer.writerow([number, title, author, '=""', '=""', "read", *rating])
    return text.getvalue()
