"""Reading lists of all services give what tests/reading_lists says, and bad files clear errors."""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kd_tf.runtime.catalog import Item
from kd_tf.runtime.reading_lists import (
    ReadingListError,
    match_reading_list,
    read_reading_list,
)
from kd_tf.runtime.reading_lists.dates import list_dates, parse_date
from kd_tf.runtime.reading_lists.isbns import list_isbns
from kd_tf.runtime.reading_lists.read import MAX_BYTES
from kd_tf.runtime.reading_lists.records import split_records

VECTORS = Path(__file__).parents[1] / "reading_lists"
EXPECTED = json.loads((VECTORS / "expected.json").read_text("utf-8"))
CATALOG = json.loads((VECTORS / "catalog.json").read_text("utf-8"))["books"]
ITEMS = [Item(**row) for row in CATALOG]


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def import_file(path: Path, shelf: set[str]) -> dict[str, object]:
    try:
        reading_list = read_reading_list(path)
    except ReadingListError as error:
        return {"refused": error.reason}
    match = match_reading_list(reading_list, ITEMS)
    return {
        "format": reading_list.format.name,
        "rows": len(reading_list.entries),
        "imported": [item.item_id for item in match.history if item.item_id not in shelf],
        "repeated": match.num_repeated,
        "unread": reading_list.count("to-read") + reading_list.count("reading"),
        "abandoned": reading_list.count("abandoned"),
        "low_rated": match.num_low_rated,
        "assumed": sum(entry.is_assumed for entry in reading_list.entries),
        "unclear_dates": len(reading_list.unclear_dates),
        "excluded": [item.item_id for item in match.excluded_items if item.item_id not in shelf],
        "unmatched": [
            {"title": entry.title, "author": entry.author} for entry in match.unmatched_entries
        ],
    }


def test_every_vector_is_expected() -> None:
    others = {"README.md", ".gitattributes", "catalog.json", "expected.json"}
    assert {path.name for path in VECTORS.iterdir()} - others == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_gives_what_is_expected(name: str) -> None:
    expected = dict(EXPECTED[name])
    answer = import_file(VECTORS / name, set(expected.pop("shelf", ())))
    # The page and the app have a shelf: there "repeated" does not count the books on it.
    if "refused" not in expected:
        already = expected.pop("already")
        assert answer["repeated"] <= expected["repeated"] + already
        if already:
            del answer["repeated"], expected["repeated"]
    assert answer == expected


def test_files_over_twenty_megabytes_are_refused(tmp_path: Path) -> None:
    header = b"Title,Author\n"
    enough = header + b"x" * (MAX_BYTES - len(header))
    assert len(read_reading_list(write(tmp_path, enough)).entries) == 1
    with pytest.raises(ReadingListError, match="more than 20 MB"):
        read_reading_list(write(tmp_path, enough + b"x"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('Title,Author\n"two\nlines",x\r\nx,"never\nclosed', r"list.csv:4: a quote opens"),
        (b"Title\nDune\nCaf\xe9\n", r"list.csv:3: this is not text"),
        ("\n\nuser,item\n1,2\n", r'list.csv:3: there is no column "Title"'),
        ("Title,Author\n\n , \n", r"list.csv: there are no books"),
        ('{"title": "Dune"}@@@@@{"title": 5}', r"list.csv: book 2 is not a book"),
    ],
)
def test_a_refused_file_is_told_where_and_what_to_do(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ReadingListError, match=message):
        read_reading_list(write(tmp_path, content))


def test_old_exports_of_librarything_are_windows_1252(tmp_path: Path) -> None:
    table = "Title\tPrimary Author\nDust – a “quoted” one\tZoë\n"
    (entry,) = read_reading_list(write(tmp_path, table.encode("cp1252"))).entries
    assert (entry.title, entry.author) == ("Dust – a “quoted” one", "Zoë")


BACKUP = (VECTORS / "openreads.backup").read_bytes()
DAMAGED_BACKUPS = st.tuples(st.integers(0, len(BACKUP) - 1), st.binary(max_size=2)).map(
    lambda change: BACKUP[: change[0]] + change[1] + BACKUP[change[0] + 1 :]
)


@settings(max_examples=200)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode) | DAMAGED_BACKUPS)
@example(b"PK\x03\x04")
@example(b"Title\n" + b'"' * 5)
@example(b"[{}]")
@example(b"[" * 100_000)
@example(BACKUP[:712] + b"\0\0" + BACKUP[713:])
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    folder = tmp_path_factory.getbasetemp()
    for prefix in (b"", b"Title,Author,Date Read,My Rating\n", b"Title\tPrimary Author\n"):
        path = write(folder, prefix + content)
        # Any other exception fails the test.
        with contextlib.suppress(ReadingListError):
            match_reading_list(read_reading_list(path), ITEMS)


CELLS = st.text(st.sampled_from('ab"\r\n,;\t =é书'), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5))
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_cells_are_those_that_pythons_writer_wrote(separator, quoting, rows) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    expected = [[cell.strip() for cell in row] for row in rows]
    records = split_records(text.getvalue(), "list.csv")
    assert [record.cells for record in records[1:]] == [row for row in expected if any(row)]


def test_lines_are_counted_whatever_ends_them() -> None:
    records = split_records('a,b\r\n\r\n"x\ny\r\nz",1\rc,2\nd,3', "list.csv")
    assert [record.line for record in records] == [1, 3, 6, 7]


FORMS = [
    "%Y/%m/%d",
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B, %Y",
]
CLOCKS = ["", "T%H:%M:%S", " %H:%M:%S", "T%H:%M:%S.250Z", " %H:%M:%S+02:00", ", %I:%M:%S %p"]
MOMENTS = st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(2999, 12, 31))


@given(MOMENTS, st.sampled_from(FORMS), st.sampled_from(CLOCKS))
def test_every_form_of_a_date_gives_the_same_number(moment, form, clock) -> None:
    (text,) = list_dates(f"[{moment.strftime(form + clock)}]")
    exact = int(moment.strftime("%Y%m%d%H%M%S"))
    assert parse_date(text) == (exact if clock else exact // 10**6 * 10**6)


@given(MOMENTS, MOMENTS, st.booleans())
def test_one_date_of_a_file_tells_the_order_of_days_and_months(
    tmp_path_factory: pytest.TempPathFactory, moment, other, is_day_first
) -> None:
    form = "%d/%m/%Y" if is_day_first else "%m/%d/%Y"
    table = "Title,Author,Date Read\n"
    table += "".join(f"a,b,{date.strftime(form)}\n" for date in (moment, other))
    dates = [
        entry.date
        for entry in read_reading_list(write(tmp_path_factory.getbasetemp(), table)).entries
    ]
    if max(moment.day, other.day) > 12:
        assert dates == [int(date.strftime("%Y%m%d000000")) for date in (moment, other)]
    else:
        assert dates == [0, 0]


@given(st.text("0123456789", min_size=9, max_size=9))
def test_both_forms_of_an_isbn_are_the_same(digits: str) -> None:
    # The check digits by trial: the only ones for which the sums of ISO 2108 come out.
    (ten,) = (
        digits + last
        for last in "0123456789X"
        if sum(
            weight * ("0123456789X".index(char))
            for weight, char in zip(range(10, 0, -1), digits + last, strict=True)
        )
        % 11
        == 0
    )
    (thirteen,) = (
        text
        for text in (f"978{digits}{last}" for last in range(10))
        if sum(int(char) * (1, 3)[index % 2] for index, char in enumerate(text)) % 10 == 0
    )
    for cell in (ten, f'="{ten}"', f"[{ten.lower()}]", thirteen, f"978-{thirteen[3:]}"):
        assert list_isbns(cell) == [thirteen]
    assert list_isbns(f"{ten}, {thirteen}") == [thirteen, thirteen]
    assert list_isbns(f"97{thirteen[2:12]}{(int(thirteen[12]) + 1) % 10}") == []


@pytest.mark.parametrize("min_rating", [0, 2, 3, 5])
def test_only_books_that_were_read_and_not_rated_low_are_history(
    tmp_path: Path, min_rating: float
) -> None:
    statuses = ("read", "to-read", "currently-reading", "did-not-finish")
    rows = [
        (f"Book {status} {rating}", status, rating) for status in statuses for rating in range(6)
    ]
    table = "Title,Authors,Read Status,Star Rating\n"
    table += "".join(f"{title},Ann Lee,{status},{rating}\n" for title, status, rating in rows)
    items = [Item(number, title, title, "Ann Lee") for number, (title, *_) in enumerate(rows, 1)]
    match = match_reading_list(read_reading_list(write(tmp_path, table)), items, min_rating)
    history = {item.item_id for item in match.history}
    assert history == {
        title
        for title, status, rating in rows
        if status == "read" and (rating == 0 or rating >= min_rating)
    }
    assert {item.item_id for item in match.excluded_items} == {
        title for title, status, _ in rows if status != "to-read"
    } - history


HARD_CELLS = {
    "quotes": '"' * 2_000_000,
    "marks": "\u0316\u0301" * 300_000,
    "brackets": "(" * 1_000_000,
    "names": "Ann Lee," * 100_000,
    "numbers": "1" * 1_000_000,
    "dashes": "2020-" * 200_000,
    "articles": "The " * 300_000,
}


@pytest.mark.parametrize("name", sorted(HARD_CELLS))
def test_no_cell_takes_time_with_the_square_of_its_length(tmp_path: Path, name: str) -> None:
    cell = HARD_CELLS[name]
    table = "Title,Author,ISBN,Date Read,My Rating,Exclusive Shelf,Bookshelves\n"
    table += "Dust,Henrik Aldous,,,,,\n" + ",".join([cell] * 7)
    start = time.process_time()
    reading_list = read_reading_list(write(tmp_path, table[:MAX_BYTES]))
    match_reading_list(reading_list, ITEMS)
    assert time.process_time() - start < 10


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_the_history_is_that_of_the_dates(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    table = "Title,Author,Date Read,Exclusive Shelf\n"
    table += "".join(f"Book {number},Ann Lee,{2015 + number}/05/01,read\n" for number in order)
    items = [Item(number + 1, f"b{number}", f"Book {number}", "A. Lee") for number in range(6)]
    path = write(tmp_path_factory.getbasetemp(), table)
    match = match_reading_list(read_reading_list(path), items)
    assert [item.id for item in match.history] == [1, 2, 3, 4, 5, 6]
