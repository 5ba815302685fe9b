"""Tables as people have them: what is read, what is refused and what is said, in files and frames.

Each case is read as a file with the settings of ``kd-tf data`` and ``kd-tf run``, and as a
DataFrame of the same texts: both must give the same data set, or refuse for the same reason.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xlsxwriter

from kd_tf.config import from_values
from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.csv_files import read_csv
from kd_tf.data.sources.dataframe import read_dataframe
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import read_files
from kd_tf.data.values.times import NO_TIME
from kd_tf.errors import UserError
from kd_tf.pipeline.stages.load import load_dataset

DAY = int(datetime(2021, 1, 16, tzinfo=UTC).timestamp())
SKIP = {"on_bad_rows": "skip"}


@dataclass(frozen=True)
class Case:
    """A table with the columns user, item, rating and time.

    Attributes:
        rows: Lines below the header; | separates fields.
        options: Settings of ``data``.
        expected: user, item, rating and time of each row, or part of the error.
        says: Part of a note.
    """

    rows: str
    expected: list[tuple[Any, ...]] | str
    options: dict[str, Any] = field(default_factory=dict)
    says: str = ""


CASES = {
    # Ids that are none.
    "null": Case("a|1||\nNULL|2||", "'NULL' is not a user id"),
    "null skipped": Case(
        "a|1||\nNULL|2||\nb|nan||\nb|\\N||\nb|N/A||\nb|3||",
        [("a", "1"), ("b", "3")],
        SKIP,
        "4 bad rows were skipped",
    ),
    "empty quotes": Case('a|=""||', "is not an item id"),
    "own null values": Case(
        "a|-||\nNULL|2||", [("NULL", "2")], {**SKIP, "null_values": ["-"]}, "'-' is not an item id"
    ),
    "scientific": Case("a|9.78E+12||", "a spreadsheet has rounded it"),
    "null of a tool": Case("a|1||\n(NULL)|2||", "'(NULL)' is not a user id"),
    "error of a spreadsheet": Case("a|#REF!||", "'#REF!' is not an item id"),
    "nothing to see": Case("a|1||\n\u200b\u00a0|2||", "is not a user id"),
    "scientific with a comma": Case("a|9,78E+12||", "a spreadsheet has rounded it"),
    "scientific without a plus": Case("a|9.78E12||", "a spreadsheet has rounded it"),
    "a number with an e": Case("a|1e5||\nb|2E10||", [("a", "1e5"), ("b", "2E10")]),
    "rounded": Case(
        "a|1234567890123450000||\nb|9876543210987650000||",
        [("a", "1234567890123450000"), ("b", "9876543210987650000")],
        says="a spreadsheet has rounded them",
    ),
    "long but not rounded": Case(
        "a|1234567890123450000||\nb|9876543210987654321||",
        [("a", "1234567890123450000"), ("b", "9876543210987654321")],
    ),
    "lists": Case(
        "a|1;2;3||\nb|[2, 3]||",
        [("a", "1;2;3"), ("b", "[2, 3]")],
        says="2 of 2 item ids look like lists",
    ),
    "any word for unknown": Case(
        "".join(f"u{i}|{i % 5}||\n" for i in range(12)) + "".join(f"-|{i}||\n" for i in range(10)),
        [(f"u{i}", str(i % 5)) for i in range(12)] + [("-", str(i)) for i in range(10)],
        says="user '-' has 10 of 22 interactions",
    ),
    "a diligent user": Case(
        "".join(f"u{i % 12}|{i}||\n" for i in range(48)) + "".join(f"a|{i}||\n" for i in range(20)),
        [(f"u{i % 12}", str(i)) for i in range(48)] + [("a", str(i)) for i in range(20)],
    ),
    "spoiled letters": Case(
        "MÃ¼ller|1||\nb|2||", [("MÃ¼ller", "1"), ("b", "2")], says="which was 'Müller'"
    ),
    "lost letters": Case("M\ufffdller|1||", [("M\ufffdller", "1")], says="a wrong encoding"),
    "letters of many languages": Case(
        "CAFÉ’S|ÀÉÎ «Ø» œuvre||\nПётр|日本||", [("CAFÉ’S", "ÀÉÎ «Ø» œuvre"), ("Пётр", "日本")]
    ),
    "total in other words": Case("a|1||\nTotal loans: 2|2||", "looks like the total of a report"),
    "total in German": Case("a|1||\nGesamtsumme|2||", "looks like the total of a report"),
    "total": Case("a|1||\na|2||\nTotal|2||", "looks like the total of a report"),
    "a user called total": Case(
        "Total|1||\na|1||\na|2||\na|3||\na|4||",
        [("Total", "1"), ("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")],
    ),
    # Ids on request.
    "integers": Case(
        '11.0|007||\n11|="7"||', [("11", "7"), ("11", "7")], {"normalize_ids": "integers"}
    ),
    "isbn": Case(
        "a|0-306-40615-2||\na|x1 ||",
        [("a", "9780306406157"), ("a", "x1")],
        {"normalize_ids": "isbn"},
    ),
    "text": Case(" Ann|Dune||\nann |dune||", [("ann", "dune")] * 2, {"normalize_ids": "text"}),
    "as written": Case(
        " a|007||\na|7||", [(" a", "007"), ("a", "7")], says="--normalize-ids text makes them equal"
    ),
    "ends without a width": Case(
        "ann\u200e|1||\nann|2||",
        [("ann\u200e", "1"), ("ann", "2")],
        says="1 of 2 user ids may be the same as others",
    ),
    "text without ends": Case(
        "ann\u200e|1||\nAnn |2||", [("ann", "1"), ("ann", "2")], {"normalize_ids": "text"}
    ),
    "two writings of a number": Case(
        "a|11.0||\na|011||\nb|11||",
        [("a", "11.0"), ("a", "011"), ("b", "11")],
        says="2 of 3 item ids may be the same as others ('011' and '11.0')",
    ),
    "two writings of an ISBN": Case(
        "a|0306406152||\nb|978-0-306-40615-7||",
        [("a", "0306406152"), ("b", "978-0-306-40615-7")],
        says="--normalize-ids isbn makes them equal",
    ),
    # Ratings.
    "no rating": Case(
        "a|1|4.5|\nb|1||\nb|2|nan|",
        [("a", "1", 4.5), ("b", "1", None), ("b", "2", None)],
        says="2 rows have no rating",
    ),
    "decimal comma": Case("a|1|4,5|\nb|1|3|", [("a", "1", 4.5), ("b", "1", 3)], {"decimal": ","}),
    "no decimal mark helps": Case("a|1|inf|", "'inf' is not a finite number\n"),
    "decimal comma is asked for": Case("a|1|4,5|", "--decimal ,"),
    "a point among commas": Case("a|1|4.5|", "--decimal .", {"decimal": ","}),
    "zeros": Case(
        "a|1|0|\nb|1|3|", [("a", "1", 0), ("b", "1", 3)], says="leave them out with --where"
    ),
    # Times.
    "no time": Case(
        f"a|1||{DAY}\nb|1||",
        [("a", "1", None, DAY), ("b", "1", None, NO_TIME)],
        says="1 row has no timestamp",
    ),
    "milliseconds": Case(
        f"a|1||{DAY}000", [("a", "1", None, DAY)], says="read as milliseconds since 1970"
    ),
    "a row in seconds": Case(f"a|1||{DAY}000\nb|1||{DAY}000\nb|2||{DAY}", "in milliseconds, as"),
    "compact": Case("a|1||20210116", [("a", "1", None, DAY)], says="read as dates"),
    "compact, one wrong": Case("a|1||20210116\nb|1||20210117\nc|1||20211301", "not a date like"),
    "compact with minutes": Case(
        "a|1||202101160000", [("a", "1", None, DAY)], says="read as dates without separators"
    ),
    "days since 1970": Case(
        "a|1||18643\nb|1||18644",
        [("a", "1", None, 18643), ("b", "1", None, 18644)],
        says="read as seconds since 1970, which puts most of them into 1970",
    ),
    "places in an order": Case("a|1||1\na|2||2", [("a", "1", None, 1), ("a", "2", None, 2)]),
    "slashes": Case("a|1||2021/01/16", [("a", "1", None, DAY)]),
    "months": Case(
        "a|1||16 Jan 2021\nb|1||January 16, 2021",
        [("a", "1", None, DAY), ("b", "1", None, DAY)],
    ),
    "day first": Case(
        "a|1||16/01/2021\nb|1||01/02/2021",
        [("a", "1", None, DAY), ("b", "1", None, DAY + 16 * 86_400)],
        says="read as day/month/year",
    ),
    "day or month first": Case("a|1||03/02/2021", "can be read in two ways"),
    "format": Case("a|1||16.01.21", [("a", "1", None, DAY)], {"time_format": "%d.%m.%y"}),
    "excel": Case("a|1||44212", [("a", "1", None, DAY)], {"time_unit": "excel"}),
    "excel is asked for": Case("a|1||44212", "--time-unit excel"),
    "Arabic digits": Case(
        "a|1||٢٠٢١-٠١-١٦\nb|1||١٦/٠١/٢٠٢١",
        [("a", "1", None, DAY), ("b", "1", None, DAY)],
        says="read as day/month/year",
    ),
    "a time that .NET writes for none": Case(
        f"a|1||0001-01-01T00:00:00\nb|1||{DAY}",
        [("a", "1", None, NO_TIME), ("b", "1", None, DAY)],
        says="1 row has no timestamp",
    ),
    "never": Case("a|1||2021-01-16\nb|1||9999-12-31", "'9999-12-31' is after the year 2099"),
    "never, skipped": Case(
        "a|1||2021-01-16\nb|1||9999-12-31", [("a", "1", None, DAY)], SKIP, "1 bad row was skipped"
    ),
    "microseconds since 1601": Case("a|1||13255228800000000", "is after the year 2099"),
    "after 2099 on request": Case(
        "a|1||5000000000", [("a", "1", None, 5_000_000_000)], {"time_unit": "s"}
    ),
    "order within a second": Case(
        "a|2||2021-01-16T00:00:00.9\na|1||2021-01-16T00:00:00.1",
        [("a", "1", None, DAY), ("a", "2", None, DAY)],
    ),
    # Rows.
    "where": Case(
        "a|1|5|\na|2|0|\nb|1|0|", [("a", "1", 5)], {"where": ["rating>0", "user!=b"]}
    ),
    "where in other case": Case(
        "a|Read||\na|read||\nb|owned||",
        [("a", "read")],
        {"where": ["item=read"]},
        "item=read leaves out 1 row whose value differs in upper and lower case (the first",
    ),
    "where a number is none": Case(
        "a|1|4,5|\na|2|5|\nb|1|2|\nb|2||",
        [("a", "2", 5)],
        {"where": ["rating>3"]},
        "rating>3 leaves out 1 row whose value is not a number (the first is '4,5')",
    ),
    "where none": Case("a|1|5|\nb|1|4|", "The column has 'a' (1), 'b' (1)", {"where": ["user=c"]}),
}  # fmt: skip


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def read_as_run(path: Path, options: dict[str, Any], times: bool, ratings: bool) -> Dataset:
    columns = {"rating": "rating"} if ratings else {}
    columns |= {"timestamp": "timestamp"} if times else {}
    data = {"dataset": "csv", "interactions": str(path), "columns": columns, **options}
    return load_dataset(from_values({"data": {**data, "format": {"separator": "|"}}}))


def list_rows(dataset: Dataset) -> list[tuple[Any, ...]]:
    data = dataset.interactions
    return [
        (
            data.user_ids[data.user[row]],
            dataset.catalog.item_ids[data.item[row] - 1],
            None if data.rating is None or math.isnan(data.rating[row]) else data.rating[row],
            None if data.timestamp is None else int(data.timestamp[row]),
        )
        for row in range(len(data))
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_files_and_frames_are_read_alike(case: Case, tmp_path: Path) -> None:
    text = f"user|item|rating|timestamp\n{case.rows}\n"
    path = write(tmp_path / "loans.txt", text)
    frame = pd.read_csv(io.StringIO(text), sep="|", dtype=str, keep_default_na=False)
    has = {column: any(frame[column].ne("")) for column in ("rating", "timestamp")}
    frame = frame[["user", "item", *(column for column in has if has[column])]]
    readers = (
        lambda: read_as_run(path, case.options, has["timestamp"], has["rating"]),
        lambda: read_dataframe(frame, **case.options),
    )
    for read in readers:
        if isinstance(case.expected, str):
            with pytest.raises(UserError) as refusal:
                read()
            assert case.expected in str(refusal.value)
            continue
        dataset = read()
        expected = [(*row, None, None)[:4] for row in case.expected]
        assert list_rows(dataset) == expected
        assert any(case.says in note for note in (*dataset.notes, ""))
        assert case.says or not dataset.notes


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"sep=;\nuser;item\na;1\n", {}),
        (b"A report\nof May\nuser,item\na,1\n", {"skip_rows": 2}),
        (b"user,item,\na,1\n", {}),
        (b"user,item\na,1,\n", {}),
        (b"user,item,note\na,1\n", {}),
        (b"user,item\na,1\n , \n,,\n", {}),
        (b"user   item\na      1\n", {}),
        (b" user item\n a  1\n", {"separator": "blank"}),
        (b"user\titem\n\"a\t1\n", {"quote": "none"}),
        (b"user,item\nuser,item\na,1\nuser,item\n", {}),
        (b"user,item\na,1\nUSER, Item\n", {}),
        (b"| user | item |\n|:---|---:|\n|a|1|\n", {}),
        (b"user  item\n====  ====\na     1\n", {}),
        ("us\u00a0er,item\na,1\n".encode(), {"user": "us er"}),
        ("use\u0301r,item\na,1\n".encode(), {"user": "us\u00e9r"}),
        ("\ufeff\ufeffuser,item\n\ufeffa,1\n".encode(), {}),
        ("user,item\na,1\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("user,item\na,1\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("note,user,item\né,a,1\n".encode("cp1252"), {"encoding": "cp1252"}),
        ("note,user,item\n书,a,1\n".encode("gb18030"), {"encoding": "gb18030"}),
        ("note,user,item\n本,a,1\n".encode("shift_jis"), {"encoding": "Shift-JIS"}),
        (b"user,x,x,item\na,,,1\n", {}),
        (b"user , item\na,1\n", {}),
        (b'user, item, title\na, "1", "A, B"\n', {}),
        (b'"user", "item"\n"a", "1"\n', {}),
    ],
)  # fmt: skip
def test_dialects_give_the_same_row(content: bytes, options: dict[str, Any], tmp_path: Path):
    path = tmp_path / "loans.txt"
    path.write_bytes(content)
    dataset = read_csv(path, **{"user": "user", "item": "item", **options})
    (row,) = list_rows(dataset)
    assert (row[0].strip('"'), row[1]) == ("a", "1")


SWALLOWING = b'user\titem\ttitle\na\t1\tx\na\t2\t"open\nb\t1\tx\nb\t2\tend"\nb\t3\ty\n'
"""A quote that is ordinary text and swallows two rows up to the next one."""


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html><body>Error</body></html>", "a web page"),
        (b'[{"user": "a"}]', "a JSON file"),
        (b'{"user": "a"}', "a JSON file"),
        (b"<?xml version='1.0'?><a/>", "an XML file"),
        (b"PK\x03\x04" + b"[Content_Types].xml" + b"\0" * 99, "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "an old Excel workbook"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PAR1" + b"\0" * 99, "a Parquet file"),
        ("user,item\né,1\n".encode("cp1252"), "not UTF-8"),
        ("user,item\na,1\n".encode("utf-16"), "UTF-16"),
        ("user,item\na,1\n".encode("utf-16-be"), "--encoding utf-16-be"),
        ("user,item\na,1\n".encode("utf-32"), "--encoding utf-32"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"Report,2021\n\nuser,item\na,1\n", "--skip-rows 2"),
        (b"# a remark\nuser;item\na;1\n", "--skip-rows 1"),
        (b'user,item,title\na,1,"open\nb,2,x\nc,3,end"\nd,4,y\n', "--quote none"),
        (b'"a,1"\n"a,2"\n', "--separator"),
        (b'"user,item"\n"a,1"\n', "stands in quotes as a whole"),
        (SWALLOWING, "--quote none"),
        (b'user,item,title\na,1,"open\nb,7,end"\nb,3,x\n', "--quote none"),
    ],
)  # fmt: skip
def test_what_is_no_such_table_is_called_by_its_name(content: bytes, what: str, tmp_path: Path):
    path = tmp_path / "loans.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        read_csv(path, user="user", item="item")
    assert what in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "encoding", "reading"),
    [
        ("Müller über naïve Straße", "cp1252", "naïve"),
        ("Zażółć gęślą jaźń", "cp1250", "gęślą"),
        ("Мария Иванова", "cp1251", "Иванова"),
        ("王小明", "gb18030", "王小明"),
    ],
)
def test_of_several_encodings_the_one_that_reads_right_is_proposed(
    text, encoding, reading, tmp_path
):
    path = tmp_path / "loans.csv"
    # What tells the encodings apart may stand far down.
    path.write_bytes(b"user,item\n" + b"a,1\n" * 20_000 + f"{text},2\n".encode(encoding))
    with pytest.raises(UserError) as refusal:
        read_csv(path, user="user", item="item")
    assert f"{encoding} ('{text.split()[0]}" in refusal.value.hint
    assert reading in refusal.value.hint


def test_a_wrong_encoding_is_answered_with_a_proposal_and_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "loans.csv"
    text = "user,item\n" + "書店,図書館の本\n" * 50
    path.write_bytes(text.encode("shift_jis"))
    with pytest.raises(UserError) as refusal:
        read_csv(path, user="user", item="item")
    assert "図書館の本" in refusal.value.hint
    name = refusal.value.hint.rsplit("=", 1)[1].rstrip(").")
    assert list_rows(read_csv(path, user="user", item="item", encoding=name))[0][0] == "書店"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user": "2", "item": "1"}, None),
        ({"user": "item", "item": "user"}, "no header"),
        ({"user": "3", "item": "1"}, "there is no column 3"),
        ({"user": "reader", "item": "1"}, "no header"),
        ({"user": "ann", "item": "b1"}, "it is a header"),
    ],
)
def test_columns_of_a_file_without_a_header_have_numbers(arguments, message, tmp_path):
    path = write(tmp_path / "loans.tsv", "b1\tann\nb2\tann\nb1\tbob\n")
    if message is None:
        dataset = read_csv(path, **arguments, header=False)
        assert dataset.interactions.user_ids == ["ann", "bob"]
        return
    with pytest.raises(UserError, match=message):
        read_csv(path, **arguments, header=False)


# The item table


LOANS = "user,book\nann,{}\nann,{}\nbob,{}\nbob,{}\n"


@pytest.mark.parametrize(
    ("loans", "books", "how"),
    [
        (("11.0", "12.0", "11.0", "13.0"), ("11", "12", "13"), "integers"),
        (("011", "012", "011", "013"), ("11", "12", "13"), "integers"),
        (("0306406152", "080442957X", "1", "1"), ("978-0-306-40615-7", "9780804429573"), "isbn"),
        (('="9780306406157"',) * 4, ("9780306406157", "9780804429573"), "integers"),
        (("Dune ", "EMMA", "Dune", " emma"), ("dune", "emma"), "text"),
    ],
)  # fmt: skip
def test_two_tables_that_do_not_meet_are_refused_with_the_option_that_mends_it(
    loans, books, how, tmp_path
):
    loans_path = write(
        tmp_path / "loans.csv", LOANS.format(*('"' + one.replace('"', '""') + '"' for one in loans))
    )
    books_path = write(
        tmp_path / "books.csv", "book,title\n" + "".join(f"{book},T\n" for book in books)
    )
    columns = {"user": "user", "item": "book", "items": books_path}
    with pytest.raises(UserError, match="do not meet") as refusal:
        read_csv(loans_path, **columns)
    assert f"--normalize-ids {how}" in refusal.value.hint
    dataset = read_csv(loans_path, **columns, normalize_ids=how)
    assert dataset.id_match.share > 0.6
    loans_frame = pd.DataFrame({"user": list("aabb"), "item": loans})
    books_frame = pd.DataFrame({"item_id": books, "title": "T"})
    with pytest.raises(UserError, match="do not meet"):
        read_dataframe(loans_frame, books_frame)
    again = read_dataframe(loans_frame, books_frame, normalize_ids=how)
    assert again.catalog.item_ids == dataset.catalog.item_ids  # fmt: skip


def test_how_well_two_tables_meet_is_counted_both_ways(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\n" + "".join(f"a,{i}\n" for i in range(10)))
    books = write(
        tmp_path / "books.csv", "book,title\n" + "".join(f"{i},T\n" for i in range(3, 23))
    )
    dataset = read_csv(loans, user="user", item="book", items=books)
    match = dataset.id_match
    assert (match.with_interactions, match.in_table, match.in_both) == (10, 20, 7)
    assert any(
        "3 of 10 items with interactions are not in the item table" in n for n in dataset.notes
    )
    with pytest.raises(UserError, match="do not meet"):
        read_csv(loans, user="user", item="book", items=books, min_matched_share=0.8)


def test_titles_are_taken_from_the_interactions(tmp_path: Path) -> None:
    text = "user,book,title,by\na,1,Flesh &amp; Blood,\na,2,NULL,Ann\nb,1,Other,Bo\n"
    path = write(tmp_path / "loans.csv", text)
    dataset = read_csv(path, user="user", item="book", title="title", authors="by")
    assert dataset.catalog.frame.to_dicts() == [
        {"item_id": "1", "title": "Flesh & Blood", "authors": "Bo"},
        {"item_id": "2", "title": None, "authors": "Ann"},
    ]
    with pytest.raises(UserError, match="no column 'heading'"):
        read_csv(path, user="user", item="book", title="heading")
    frame = pd.read_csv(path).rename(columns={"book": "item", "by": "authors"})
    again = read_dataframe(frame)
    assert again.catalog.frame.to_dicts() == dataset.catalog.frame.to_dicts()


def test_titles_with_spoiled_letters_are_noted(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\na,1\nb,2\n")
    books = tmp_path / "books.csv"
    books.write_bytes("book,title\n1,L’été à Nîmes\n2,Tea\n".encode())
    columns = {"user": "user", "item": "book", "items": books}
    assert not read_csv(loans, **columns).notes
    (note,) = read_csv(loans, **columns, item_format={"encoding": "cp1252"}).notes
    assert note.startswith("1 of 2 titles of books.csv has letters")
    assert "which was 'L’été à Nîmes'" in note


def test_a_frame_with_objects_of_several_types_is_read_as_written_or_refused() -> None:
    frame = pd.DataFrame({"user": [b"ann", "bob"], "item": ["x1", 11]})
    assert list_rows(read_dataframe(frame)) == [
        ("ann", "x1", None, None),
        ("bob", "11", None, None),
    ]
    frame = pd.DataFrame({"user": pd.Categorical([1.0, 2.0]), "item": ["x", "y"]})
    with pytest.raises(UserError, match="holds fractions"):
        read_dataframe(frame)
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x1", 11.0]})
    with pytest.raises(UserError, match="holds fractions"):
        read_dataframe(frame)
    dataset = read_dataframe(frame, normalize_ids="integers")
    assert dataset.catalog.item_ids == ["x1", "11"]


@pytest.mark.parametrize("frame", [None, [{"user": 1, "item": 2}], pl.DataFrame({"user": [1]})])
def test_what_is_no_frame_is_refused(frame: Any) -> None:
    with pytest.raises(UserError, match="must be a pandas DataFrame"):
        read_dataframe(frame)


def test_a_column_that_a_frame_has_twice_is_refused() -> None:
    frame = pd.DataFrame([["a", 1, 2]], columns=["user", "item", "item"])
    with pytest.raises(UserError, match="several columns 'item'"):
        read_dataframe(frame)


def test_an_item_table_of_which_only_the_ids_are_read_is_noted(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\na,1\nb,2\n")
    books = write(tmp_path / "books.csv", "book,heading\n1,A\n2,B\n")
    (note,) = read_csv(loans, user="user", item="book", items=books).notes
    assert note.startswith("only the ids of books.csv are read")
    assert "'heading'" in note
    with pytest.raises(UserError, match="its columns are 'book', 'heading'"):
        read_csv(loans, user="user", item="item", items=books)


def test_years_are_taken_from_dates_and_what_is_none_is_noted(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\n" + "".join(f"a,{i}\n" for i in range(8)))
    years = ["1965", "2019-03-05", "20190305", "5.3.2019", "03/05/2019", "-350", "20199", "soon"]
    rows = "".join(f"{place},{year}\n" for place, year in enumerate(years))
    books = write(tmp_path / "books.csv", f"book,year\n{rows}")
    dataset = read_csv(loans, user="user", item="book", items=books)
    assert dataset.catalog.frame["year"].to_list() == [1965, *[2019] * 4, -350, None, None]
    assert (
        "2 items of books.csv have a year that is no year (the first is '20199')"
        in dataset.notes[0]
    )


def test_lists_of_authors_become_one_text(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\na,1\nb,2\nb,3\nb,4\n")
    text = """book,author\n1,"['Ann O\'Neil', 'Bo']"\n2,"[""Cy""]"\n3,[]\n4,[sic] Bo\n"""
    books = write(tmp_path / "books.csv", text.replace("'Ann O'Neil'", '""Ann O\'Neil""'))
    dataset = read_csv(loans, user="user", item="book", items=books)
    authors = ["Ann O'Neil, Bo", "Cy", None, "[sic] Bo"]
    assert dataset.catalog.frame["authors"].to_list() == authors
    items = pd.DataFrame(
        {"item_id": ["1", "2"], "authors": [["Ann", "Bo"], np.array(["Cy", "Di"])]}
    )
    dataset = read_dataframe(pd.DataFrame({"user": ["a", "b"], "item": ["1", "2"]}), items)
    assert dataset.catalog.frame["authors"].to_list() == ["Ann, Bo", "Cy, Di"]


def test_rows_of_a_frame_are_counted_from_0_in_notes_and_errors() -> None:
    frame = pd.DataFrame({"user": ["a", None, "b"], "item": ["1", "1", "2"]})
    (note,) = read_dataframe(frame, on_bad_rows="skip").notes
    assert 'row 1, column "user"' in note
    items = pd.DataFrame({"item_id": ["1", "2", "1"], "title": ["A", "B", "C"]})
    with pytest.raises(UserError, match=r'items, row 2, column "item_id".*in row 0'):
        read_dataframe(frame.dropna(), items)


def test_a_row_of_the_item_table_that_is_there_twice_is_passed_over(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,book\na,1\nb,2\n")
    books = write(tmp_path / "books.csv", "book,title\n1,A\n2,B\n1,A\n")
    dataset = read_csv(loans, user="user", item="book", items=books)
    assert dataset.catalog.frame["title"].to_list() == ["A", "B"]


def test_one_column_may_be_id_and_isbn(tmp_path: Path) -> None:
    loans = write(tmp_path / "loans.csv", "user,isbn\na,9780306406157\n")
    books = write(tmp_path / "books.csv", "isbn,title\n9780306406157,A\n")
    columns = ItemColumns("isbn", title="title", isbn="isbn")
    dataset = read_files(
        loans, InteractionColumns("user", "isbn"), items=books, item_columns=columns
    )
    assert dataset.catalog.frame["isbn"].to_list() == dataset.catalog.item_ids


def test_a_workbook_is_read_like_a_text_table(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "user": ["a", "b", None],
            "item": ["007", "9780306406157", None],
            "rating": [4.5, None, None],
            "when": [datetime(2021, 1, 16), None, None],
        }
    )
    path = tmp_path / "loans.xlsx"
    frame.write_excel(path)
    dataset = read_csv(path, user="user", item="item", rating="rating", timestamp="when")
    assert list_rows(dataset) == [("a", "007", 4.5, DAY), ("b", "9780306406157", None, NO_TIME)]
    with pytest.raises(UserError, match="no column 'reader'"):
        read_csv(path, user="reader", item="item")
    with pytest.raises(UserError, match="separator has no effect"):
        read_csv(path, user="user", item="item", separator=";")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="not an Excel workbook"):
        open_table_columns(path)


def write_workbook(path: Path, **sheets: list[list[object]]) -> Path:
    workbook = xlsxwriter.Workbook(path)
    for name, rows in sheets.items():
        sheet = workbook.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    workbook.close()
    return path


def test_of_several_sheets_the_one_that_has_the_columns_is_read(tmp_path: Path) -> None:
    loans, books = [["user", "item"], ["a", 1]], [["item", "title"], [1, "A"]]
    path = write_workbook(tmp_path / "both.xlsx", Empty=[], Books=books, Loans=loans)
    dataset = read_csv(path, user="user", item="item")
    assert list_rows(dataset) == [("a", "1", None, None)]
    assert dataset.notes == ("of both.xlsx the sheet 'Loans' is read, not 'Books'",)
    path = write_workbook(tmp_path / "years.xlsx", May=loans, June=[*loans, ["b", 2]])
    with pytest.raises(UserError, match="the sheets 'May', 'June' all have these columns"):
        read_csv(path, user="user", item="item")
    path = write_workbook(tmp_path / "report.xlsx", Loans=[["Report", 2021], [], *loans])
    with pytest.raises(UserError, match="--skip-rows 2"):
        read_csv(path, user="user", item="item")
    assert len(read_csv(path, user="user", item="item", skip_rows=2).interactions) == 1


def open_table_columns(path: Path) -> list[str]:
    from kd_tf.data.formats.files import get_single_table

    return open_table(get_single_table(path)).list_columns()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separatorr": ";"}, "Did you mean separator"),
        ({"encoding": "utf-99"}, "no encoding"),
        ({"encoding": "rot13"}, "no encoding"),
        ({"separator": "ab"}, "not a single character"),
        ({"decimal": "x"}, "decimal is 'x'"),
        ({"where": ["rating"]}, "not a condition"),
        ({"where": ["rating>high"]}, "not a number"),
        ({"time_format": "%Y", "time_unit": "ms"}, "both set"),
        ({"skip_rows": -1}, "0 or more"),
    ],
)
def test_an_option_that_is_none_is_refused(options, message, tmp_path: Path) -> None:
    path = write(tmp_path / "loans.csv", "user,item\na,1\n")
    with pytest.raises(UserError, match=message):
        read_csv(path, user="user", item="item", **options)
