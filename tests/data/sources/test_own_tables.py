import csv
import gzip
import io
import tempfile
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import Dialect, read_layout, read_table
from kd_tf.data.formats.files import get_single_table
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import read_files
from kd_tf.data.values.ids import NULL_VALUES, mask_missing, mask_scientific, mask_totals
from kd_tf.errors import UserError

PLAIN = InteractionColumns(user="user", item="item")
RATED = InteractionColumns(user="user", item="item", rating="rating")
TIMED = InteractionColumns(user="user", item="item", timestamp="time")
ITEMS = ItemColumns(item_id="id", title="title", year="year")


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def pairs(dataset) -> list[tuple[str, str]]:
    """Rows with the caller's own ids, in the order of the file."""
    users, items = dataset.interactions.user_ids, dataset.catalog.item_ids
    return [
        (users[u], items[i - 1])
        for u, i in zip(dataset.interactions.user, dataset.interactions.item, strict=True)
    ]


def refusal(call, *arguments, **settings) -> UserError:
    with pytest.raises(UserError) as caught:
        call(*arguments, **settings)
    assert caught.value.where, "a refusal names the place"
    assert caught.value.hint, "a refusal says what to do"
    return caught.value


# Files that are as they should be


def test_a_plain_table_is_read_row_by_row(tmp_path):
    path = write(tmp_path, "loans.csv", "time,user,rating,item\n-5,b,4.5,y\n7,a,1,x\n8,b,3,x\n")
    columns = InteractionColumns("user", "item", "rating", "time")
    dataset = read_files(path, columns)
    assert dataset.name == "loans"
    assert dataset.notes == ()
    assert pairs(dataset) == [("b", "y"), ("a", "x"), ("b", "x")]
    assert dataset.interactions.rating.tolist() == [4.5, 1, 3]
    assert dataset.interactions.timestamp.tolist() == [-5, 7, 8]
    assert dataset.interactions.rating.dtype == np.float32
    assert dataset.interactions.timestamp.dtype == np.int64


def test_ids_keep_their_text_exactly(tmp_path):
    path = write(tmp_path, "t.csv", "user,item\n007,1.0\n7, 1.0\n7 ,01\nÀ,À\n")
    assert pairs(read_files(path, PLAIN)) == [
        ("007", "1.0"),
        ("7", " 1.0"),
        ("7 ", "01"),
        ("À", "À"),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_blank_lines_and_any_line_end_are_understood(tmp_path, line_end):
    text = "\ufeffuser,item\na,x\n\nb,y\n\n".replace("\n", line_end)
    assert pairs(read_files(write(tmp_path, "t.csv", text), PLAIN)) == [("a", "x"), ("b", "y")]


def test_a_last_line_without_its_end_is_read(tmp_path):
    path = write(tmp_path, "t.csv", "user,item\na,x\nb,y")
    assert pairs(read_files(path, PLAIN)) == [("a", "x"), ("b", "y")]


def test_quoted_fields_hold_separators_quotes_and_line_ends(tmp_path):
    path = write(tmp_path, "t.csv", 'user,item\n"a,b","x ""y"" z"\n"two\nlines",plain 5" disk\n')
    assert pairs(read_files(path, PLAIN)) == [
        ("a,b", 'x "y" z'),
        ("two\nlines", 'plain 5" disk'),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "user,item;x\na,1;2\n"),
        ("t.csv", "user;item\na;1\n"),
        ("t.csv", '"user, or reader";user;item\nz;a;1\n'),
        ("t.tsv", "user\titem\na\t1\n"),
        ("t.tsv", "user|item\na|1\n"),
        ("t.txt", "user\titem\na\t1\n"),
        ("t.dat", "user|item|c,d\na|1|2\n"),
        ("t", "user;item\na;1\n"),
    ],
)
def test_the_separator_is_that_of_the_extension_or_of_the_header(tmp_path, name, text):
    columns = InteractionColumns("user", "item;x" if "item;x" in text else "item")
    [(user, item)] = pairs(read_files(write(tmp_path, name, text), columns))
    assert user == "a"
    assert item in ("1", "1;2")


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "dataset_name"),
    [
        ("loans.csv.gz", gzip.compress(b"user,item\na,x\n", mtime=0), "loans"),
        ("loans.TSV.GZ", gzip.compress(b"user\titem\na\tx\n", mtime=0), "loans"),
        ("loans.csv.zip", zipped({"in/loans.csv": "user,item\na,x\n"}), "loans"),
        ("loans.zip", zipped({"loans.tsv": "user\titem\na\tx\n"}), "loans"),
        ("loans.zip", zipped({"loans": "user|item\na|x\n"}), "loans"),
        (
            "v1.2.zip",
            zipped(
                {
                    "README.md": "hello",
                    "__MACOSX/._loans.csv": "junk",
                    ".DS_Store": "junk",
                    "data/": "",
                    "data/loans.csv": "user,item\na,x\n",
                }
            ),
            "v1.2",
        ),
    ],
)
def test_compressed_tables_are_read_as_they_are(tmp_path, name, content, dataset_name):
    dataset = read_files(write(tmp_path, name, content), PLAIN)
    assert pairs(dataset) == [("a", "x")]
    assert dataset.name == dataset_name


def is_id(text: str) -> bool:
    texts = pl.Series([text])
    is_none = mask_missing(mask_scientific(texts), NULL_VALUES).is_null() | mask_totals(texts)
    return text.strip() not in ("user", "item") and not is_none[0]


# Characters that UTF-8 cannot write (surrogates) and NUL, which no text table holds, are out; so
# are byte order marks, which are dropped from the beginning of lines, and what stands for no id.
identifiers = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1, max_size=8
).filter(is_id)
ratings = st.floats(allow_nan=False, allow_infinity=False, width=32)
times = st.integers(-(10**11), 10**11)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(identifiers, identifiers, ratings, times), min_size=1, max_size=8),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    name=st.sampled_from(["t.csv", "t.tsv", "t.txt", "t", "t.csv.gz"]),
    mark=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_pythons_csv_module_writes_comes_back(rows, separator, quoting, line_end, name, mark):
    # Line ends in a field all come back as LF, and Python before 3.13 leaves a lone \r unquoted.
    rows = [(u.replace("\r", "\n"), i.replace("\r", "\n"), *rest) for u, i, *rest in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=line_end)
    writer.writerow(["user", "item", "rating", "time"])
    writer.writerows(rows)
    content = text.getvalue().encode(mark)
    columns = InteractionColumns("user", "item", "rating", "time")
    with tempfile.TemporaryDirectory() as folder:
        packed = gzip.compress(content) if name.endswith(".gz") else content
        dataset = read_files(write(Path(folder), name, packed), columns, time_unit="s")
    assert pairs(dataset) == [(user, item) for user, item, _, _ in rows]
    assert dataset.interactions.rating.tolist() == [rating for _, _, rating, _ in rows]
    assert dataset.interactions.timestamp.tolist() == [time for _, _, _, time in rows]
    # Numbered in the order in which they come, as the next room promises.
    assert dataset.interactions.user_ids == list(dict.fromkeys(row[0] for row in rows))
    assert dataset.catalog.item_ids == list(dict.fromkeys(row[1] for row in rows))


def test_a_table_longer_than_one_block_keeps_its_order(tmp_path):
    n = 1_000_000  # 14 MB
    path = write(tmp_path, "t.csv", "user,item\n" + "".join(f"u{i},b{i}\n" for i in range(n)))
    frame = pl.concat(
        read_table(
            get_single_table(path), {"user": "user"}, BadRows(get_single_table(path), "stop")
        )
    )
    assert frame["user"].to_list() == [f"u{i}" for i in range(n)]
    assert frame["line"].to_list() == list(range(2, n + 2))


@pytest.mark.slow
def test_a_file_is_never_held_as_a_whole(tmp_path):
    wide = "user,item,text\n" + "".join(f"{i},{i},{'x' * 1000}\n" for i in range(80_000))
    path = write(tmp_path, "t.csv", wide)
    read_files(path, PLAIN)  # what imports and caches take is not counted
    tracemalloc.start()
    read_files(path, PLAIN)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.75 * len(wide)


# Ratings and times


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("4.5", 4.5), (" 3 ", 3), ("-1", -1), ("1e2", 100), ("+.5", 0.5), ("0", 0)],
)
def test_a_rating_is_a_finite_number(tmp_path, text, value):
    path = write(tmp_path, "t.csv", f"user,item,rating\na,x,{text}\n")
    assert read_files(path, RATED).interactions.rating.tolist() == [value]


@pytest.mark.parametrize(
    "text",
    ["inf", "-Infinity", "five", "4;5", "0x1", "1_0", "1e39", "1e999"],
)
def test_anything_else_is_no_rating(tmp_path, text):
    path = write(tmp_path, "ratings.csv", f"user,item,rating\nb,y,1\na,x,{text}\n")
    error = refusal(read_files, path, RATED)
    assert error.where == f'{path}:3, column "rating"'
    assert repr(text) in error.what


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1687541086", 1687541086),
        ("1687541086.0", 1687541086),
        ("1687541086.9", 1687541086),
        (" 12 ", 12),
        ("-3600", -3600),
        ("-0.5", -1),
        ("1.5e9", 1_500_000_000),
        ("1970-01-02", 86_400),
        ("1970-01-01 00:01:05", 65),
        ("1970-01-01T00:01:05.75Z", 65),
        ("1970-01-01T00:00:00+01:00", -3600),
        ("1969-12-31 23:59:59.5", -1),
        ("0001-01-02", -62_135_596_800 + 86_400),
        ("2099-12-31T23:59:59.9", 4_102_444_799),
        ("2023-06-23T17:24:46", int(datetime(2023, 6, 23, 17, 24, 46, tzinfo=UTC).timestamp())),
    ],
)
def test_a_time_is_seconds_or_iso_8601(tmp_path, text, seconds):
    path = write(tmp_path, "t.csv", f"user,item,time\na,x,{text}\nb,x,0\n")
    actual = read_files(path, TIMED).interactions
    assert dict(zip(actual.user.tolist(), actual.timestamp.tolist(), strict=True)) == {
        0: seconds,
        1: 0,
    }


@pytest.mark.parametrize(
    "text", ["inf", "yesterday", "31/13/20", "2020-13-01", "2021-02-29", "9" * 30]
)
def test_anything_else_is_no_time(tmp_path, text):
    path = write(tmp_path, "t.csv", f"user,item,time\nb,y,1\nc,y,2020-01-01\na,x,{text}\n")
    error = refusal(read_files, path, TIMED)
    assert error.where == f'{path}:4, column "time"'
    assert repr(text) in error.what


def test_milliseconds_are_read_with_a_note_and_never_mixed_with_seconds(tmp_path):
    path = write(tmp_path, "t.csv", "user,item,time\na,x,1687541086000\nb,y,1687541087000\n")
    dataset = read_files(path, TIMED)
    assert dataset.interactions.timestamp.tolist() == [1687541086, 1687541087]
    assert dataset.notes == ("time of t.csv is read as milliseconds since 1970",)
    path = write(tmp_path, "t.csv", "user,item,time\na,x,1687541086000\nb,y,1687541087\n")
    assert "as the other times are" in refusal(read_files, path, TIMED).what


# Bad rows


@pytest.mark.parametrize(
    ("row", "place", "shown"),
    [
        ("a,x", "", "2 fields"),
        ("a,x,1,1", "", "4 fields"),
        (",x,1", ', column "user"', "''"),
        ("a,,1", ', column "item"', "''"),
        ("a,x,five", ', column "rating"', "'five'"),
        (",,five", ', column "user"', "''"),
        ('a,"x"y,1', "", "not doubled"),
    ],
)
def test_a_bad_row_stops_with_its_line_also_behind_fields_of_several_lines(
    tmp_path, row, place, shown
):
    # The good row stands in lines 2 to 4, then a blank line.
    text = f'user,item,rating\n"b\nc\r\nd",y,1\n\n{row}\nb,y,2\n'
    path = write(tmp_path, "ratings.csv", text)
    error = refusal(read_files, path, RATED)
    assert error.where == f"{path}:6{place}"
    assert shown in error.what
    assert "skip" in error.hint

    skipped = read_files(path, RATED, on_bad_rows="skip")
    assert skipped.interactions.rating.tolist() == [1, 2]
    [note] = skipped.notes
    assert "1 bad row was skipped in ratings.csv" in note
    assert f"line 6{place}: " in note
    assert shown in note


def test_the_first_bad_row_of_the_file_is_named_whatever_is_wrong_with_it(tmp_path):
    path = write(tmp_path, "t.csv", "user,item,rating\na,x,1\na,x,bad\n,x,1\na\na,x,worse\n")
    error = refusal(read_files, path, RATED)
    assert error.where == f'{path}:3, column "rating"'
    assert "'bad'" in error.what


def test_skipped_rows_are_counted_and_the_first_five_listed_in_order(tmp_path):
    rows = ["a,x,5"] + [f"a,x,bad{i}" for i in range(6)] + ["b,,2", "c,y,4", "c"]
    path = write(tmp_path, "t.csv", "user,item,rating\n" + "\n".join(rows) + "\n")
    dataset = read_files(path, RATED, on_bad_rows="skip")
    assert pairs(dataset) == [("a", "x"), ("c", "y")]
    assert dataset.interactions.rating.tolist() == [5, 4]
    [note] = dataset.notes
    assert note.startswith("8 bad rows were skipped in t.csv")
    assert note.count("line ") == 5
    assert [f"line {line}, " in note for line in range(2, 9)] == [False] + [True] * 5 + [False]
    assert note.endswith("and 3 more")


def test_a_table_of_bad_rows_only_is_refused_even_when_they_are_skipped(tmp_path):
    path = write(tmp_path, "t.csv", "user,item,rating\na,x,one\nb,y,two\n")
    error = refusal(read_files, path, RATED, on_bad_rows="skip")
    assert "every row is bad" in error.what
    assert error.where.startswith(f"{path}:2")


@pytest.mark.parametrize("on_bad_rows", ["stop", "skip"])
@pytest.mark.parametrize(
    "rows",
    [
        'a,x\nb,"y\nc,z\n',  # never closed
        'a,x\nb,"y\nc,"z"\nd,w\n',  # closed by a quote that belongs to a later row
        'a,x\nb,"' + "y" * 200_000 + "\n",
    ],
)
def test_a_quote_that_may_swallow_rows_is_never_skipped(tmp_path, rows, on_bad_rows):
    path = write(tmp_path, "t.csv", "user,item\n" + rows)
    error = refusal(read_files, path, PLAIN, on_bad_rows=on_bad_rows)
    assert error.where == f"{path}:3"
    assert "quote" in error.what


# Files that cannot be read


def test_a_missing_file_is_named_with_what_the_folder_has(tmp_path):
    write(tmp_path, "ratings.csv", "")
    write(tmp_path, "books.csv", "")
    error = refusal(read_files, tmp_path / "rating.csv", PLAIN)
    assert "'rating.csv'" in error.what
    assert "Did you mean 'ratings.csv'?" in error.hint
    assert "'books.csv', 'ratings.csv'" in error.hint
    error = refusal(read_files, tmp_path / "nowhere" / "rating.csv", PLAIN)
    assert f"There is no folder {tmp_path / 'nowhere'}" in error.hint


def test_a_folder_in_place_of_a_file_is_refused_with_what_it_has(tmp_path):
    write(tmp_path, "ratings.csv", "")
    error = refusal(read_files, tmp_path, PLAIN)
    assert "folder" in error.what
    assert "'ratings.csv'" in error.hint


@pytest.mark.parametrize(
    ("wrong", "right"), [("usr", "user"), ("USER", "user"), ("item_id", "item"), ("Rating ", None)]
)
def test_an_unknown_column_is_answered_with_those_there_are_and_the_closest(tmp_path, wrong, right):
    path = write(tmp_path, "t.csv", "user,item,when\na,x,1\n")
    error = refusal(read_files, path, InteractionColumns("user", "item", wrong))
    assert error.where == f"{path}:1"
    assert repr(wrong) in error.what
    assert "'user', 'item', 'when'" in error.what
    if right:
        assert f"Did you mean {right!r}?" in error.hint
    else:
        assert "Did you mean" not in error.hint


def test_a_header_without_a_known_separator_asks_for_the_separator(tmp_path):
    path = write(tmp_path, "t.csv", "user~item\na~x\n")
    assert "separator" in refusal(read_files, path, PLAIN).hint


def test_a_column_cannot_have_two_roles(tmp_path):
    path = write(tmp_path, "t.csv", "user,item\na,x\n")
    error = refusal(read_files, path, InteractionColumns("user", "user"))
    assert "'user' was given for user and for item" in error.what


def test_a_header_with_the_same_name_twice_is_refused_but_nameless_columns_are_not(tmp_path):
    path = write(tmp_path, "t.csv", "user,item,x,x\na,b,1,2\n")
    assert pairs(read_files(path, PLAIN)) == [("a", "b")]  # nobody asked for x
    by_name = InteractionColumns("user", "item", "x")
    assert "2 columns are named 'x'" in refusal(read_files, path, by_name).what
    by_number = InteractionColumns("user", "item", "4")
    assert read_files(path, by_number).interactions.rating.tolist() == [2]
    path = write(tmp_path, "t.csv", ",user,item,\n0,a,b,\n")
    assert pairs(read_files(path, PLAIN)) == [("a", "b")]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"\xef\xbb\xbf\r\n\r\n", "empty"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("t.csv", b"user,item\n", "no rows"),
        ("t.csv", b"user,item\n\n\n", "no rows"),
        ("t.csv", b'"user",it"em"\n', "there is no column"),
        ("t.csv", b'"user"x,item\na,b\n', "quote"),
        ("t.zip", b"user,item\na,x\n", "not a .zip file"),
        ("t.zip", zipped({"t.csv": "user,item\n" + "a,x\n" * 999})[:-30], "truncated"),
        ("t.zip", zipped({"a.csv": "", "b.csv": ""}), "'a.csv', 'b.csv'"),
        ("t.zip", zipped({}), "no files"),
        ("t.csv.gz", b"user,item\na,x\n", "not a .gz file"),
        ("t.csv.gz", gzip.compress(b"user,item\n" + b"a,x\n" * 999, mtime=0)[:-9], "truncated"),
        ("t.csv", b"PK\x03\x04\0\0", "a zip archive"),
        ("t.csv", b"user,item\na,\0\n", "binary"),
        ("t.csv", b"user,item\n" + b"a,x\n" * 300_000 + b"a,\0\n", "binary"),
        ("t.csv", "user,item\na,x\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, what):
    error = refusal(read_files, write(tmp_path, name, content), PLAIN)
    assert what in error.what
    assert error.where.startswith(str(tmp_path / name))


def test_a_damaged_zip_is_refused_and_never_read_in_part(tmp_path):
    content = bytearray(zipped({"t.csv": "user,item\n" + "".join(f"a{i},x\n" for i in range(99))}))
    content[len(content) // 3] ^= 0xFF
    assert "damaged" in refusal(read_files, write(tmp_path, "t.zip", bytes(content)), PLAIN).what


def test_a_zip_with_a_password_is_refused(tmp_path):
    content = bytearray(zipped({"t.csv": "user,item\na,x\n"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # the flag for encryption
    assert "unpacked" in refusal(read_files, write(tmp_path, "t.zip", bytes(content)), PLAIN).what


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_another_encoding_is_refused_with_line_and_byte(tmp_path, line_end):
    lines = [b"user,item", *[b"\xc3\xa9,x"] * 200_000, b"a,caf\xe9", b"b,y", b""]
    path = write(tmp_path, "t.csv", line_end.join(lines))
    error = refusal(read_files, path, PLAIN)
    assert error.where == f"{path}:200002"
    assert "the line has the byte 0xe9" in error.what
    assert "UTF-8" in error.what
    assert "--encoding" in error.hint


def test_a_file_cut_off_within_a_character_is_refused(tmp_path):
    path = write(tmp_path, "t.csv", "user,item\na,é".encode()[:-1])
    assert refusal(read_files, path, PLAIN).where == f"{path}:2"


# The table of the items


def test_items_stand_in_the_order_of_their_table_with_unlisted_ones_behind(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item\na,3\na,9\nb,1\n")
    items = write(
        tmp_path,
        "books.tsv",
        "id\tname\tby\tyear\tabout\tkind\tin\tpicture\textra\n"
        '1\tÀ la recherche\tProust\t1913\t"long\ntext"\tnovel\tIn Search\t1.jpg\tz\n'
        "2\tIliad\t\t-750.0\t\t\t\t\t\n"
        "3\t\tAnon\t\t\t\t\t\t\n",
    )
    columns = ItemColumns(
        item_id="id",
        title="name",
        authors="by",
        year="year",
        text="about",
        genre="kind",
        series="in",
        cover="picture",
    )
    dataset = read_files(loans, PLAIN, items=items, item_columns=columns, name="library")
    assert dataset.name == "library"
    assert dataset.catalog.frame.to_dicts() == [
        {
            "item_id": "1",
            "title": "À la recherche",
            "authors": "Proust",
            "series": "In Search",
            "genre": "novel",
            "year": 1913,
            "text": "long\ntext",
            "cover": "1.jpg",
        },
        dict.fromkeys(dataset.catalog.frame.columns)
        | {"item_id": "2", "title": "Iliad", "year": -750},
        dict.fromkeys(dataset.catalog.frame.columns) | {"item_id": "3", "authors": "Anon"},
        dict.fromkeys(dataset.catalog.frame.columns) | {"item_id": "9"},
    ]
    assert dataset.interactions.item.tolist() == [3, 4, 1]
    assert len(dataset.notes) == 2  # one item is unlisted, one is unread


def test_a_year_that_is_none_is_null_and_counted(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item\na,1\na,2\na,3\na,4\na,5\na,6\n")
    items = write(
        tmp_path,
        "books.csv",
        "id,title,year\n1,A,2008.0\n2,B,c. 1900\n3,C,\n4,D,1999.5\n5,E,99999999999\n6,F, -380 \n",
    )
    dataset = read_files(loans, PLAIN, items=items, item_columns=ITEMS)
    assert dataset.catalog.frame["year"].to_list() == [2008, None, None, None, None, -380]
    [note] = dataset.notes
    assert note.startswith("3 items of books.csv")
    assert "'c. 1900'" in note


def test_two_items_with_one_id_are_refused_with_both_lines_or_the_first_is_kept(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item\na,1\n")
    items = write(tmp_path, "books.csv", 'id,title,year\n1,"A\nB",1\n2,B,2\n1,C,3\n2,D,4\n')
    error = refusal(read_files, loans, PLAIN, items=items, item_columns=ITEMS)
    assert error.where == f'{items}:5, column "id"'
    assert "'1'" in error.what
    assert "line 2" in error.what
    dataset = read_files(loans, PLAIN, items=items, item_columns=ITEMS, on_bad_rows="skip")
    assert dataset.catalog.frame["title"].to_list() == ["A\nB", "B"]
    assert "2 bad rows were skipped in books.csv" in dataset.notes[0]


def test_bad_rows_of_the_item_table_stop_or_are_noted(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item,rating\na,1,?\na,1,5\n")
    items = write(tmp_path, "books.csv", "id,title,year\n1,A,1\n,B,2\n3,C\n")
    both = {"items": items, "item_columns": ITEMS}
    dataset = read_files(loans, RATED, **both, on_bad_rows="skip")
    assert dataset.catalog.item_ids == ["1"]
    assert [note.split(":")[0] for note in dataset.notes] == [
        "1 bad row was skipped in loans.csv",
        "2 bad rows were skipped in books.csv",
    ]
    assert dataset.dropped_rows == {"bad row": 1}
    assert refusal(read_files, loans, PLAIN, **both).where == f'{items}:3, column "id"'


def test_an_item_table_without_its_columns_is_refused(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item\na,1\n")
    items = write(tmp_path, "books.csv", "id\n1\n")
    assert "not named" in refusal(read_files, loans, PLAIN, items=items).what


def test_the_header_can_be_read_alone(tmp_path):
    path = write(tmp_path, "t.csv", '\ufeffuser,"item\nor book"\na,x\n')
    layout = read_layout(get_single_table(path), dialect=Dialect(has_header=True))
    assert layout.column_names == ["user", "item\nor book"]


def test_one_bad_row_at_the_end_of_a_long_file_is_named_or_skipped(tmp_path):
    n = 1_000_000
    path = write(tmp_path, "t.csv", "user,item\n" + "1,2\n" * n + "3\n")
    assert refusal(read_files, path, PLAIN).where == f"{path}:{n + 2}"
    dataset = read_files(path, PLAIN, on_bad_rows="skip")
    assert len(dataset.interactions) == n
    assert dataset.dropped_rows == {"bad row": 1}


def test_whole_numbers_beyond_64_bits_are_ids_like_any_text(tmp_path):
    ids = [str(2**63), str(2**63 + 1), "9" * 40, "-0", "0"]
    path = write(tmp_path, "t.csv", "user,item\n" + "".join(f"{one},x\n" for one in ids))
    assert read_files(path, PLAIN).interactions.user_ids == ids


def test_isbns_are_brought_into_one_form_and_wrong_ones_are_counted(tmp_path):
    loans = write(tmp_path, "loans.csv", "user,item\na,1\na,2\na,3\na,4\n")
    items = write(
        tmp_path,
        "books.csv",
        "id,isbn\n1,0-306-40615-2\n2,\n3,978-0-306-40615-8\n4,439023483\n",
    )
    columns = ItemColumns(item_id="id", isbn="isbn")
    dataset = read_files(loans, PLAIN, items=items, item_columns=columns)
    assert dataset.catalog.frame["isbn"].to_list() == ["9780306406157", None, None, "9780439023481"]
    [note] = dataset.notes
    assert "1 item of books.csv has an ISBN with a wrong length or check digit" in note
    assert "978-0-306-40615-8" in note
