"""Delimited tables: detected dialects, missing headers, and blocks that break anywhere."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kd_tf.data.formats import lines
from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.delimited import Dialect, read_layout, read_table
from kd_tf.data.formats.files import SourceFile
from kd_tf.errors import UserError

ASKED = {"user": "user", "item": "item"}


def rows(path: Path, columns=ASKED, **dialect) -> list[tuple]:
    source = SourceFile(path)
    bad = BadRows(source, "stop")
    actual = []
    for block in read_table(source, columns, bad, dialect=Dialect(**dialect)):
        bad.raise_or_skip()
        actual += block.rows()
    return actual


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user,item\na,x\n", [(2, "a", "x")]),
        ("item\tuser\nx\ta\n", [(2, "a", "x")]),
        ("user::item\na::x\n", [(2, "a", "x")]),
        ("a1::x:y,z::5\n2::x::1\n", [(1, "a1", "x:y,z"), (2, "2", "x")]),
        ("1 2\n3 4\n", [(1, "1", "2"), (2, "3", "4")]),
        ("196\t242\t3\t881250949\n", [(1, "196", "242")]),
        ("user id;item;the name of the user\n", []),
    ],
)
def test_separator_and_header_are_found(tmp_path, text, expected):
    path = tmp_path / "t.txt"
    path.write_text(text)
    columns = {"user": "user id", "item": "item"} if "user id" in text else ASKED
    assert rows(path, columns) == expected


def test_a_first_line_with_the_configured_names_is_a_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("user,item,2020\na,x,1\n")
    assert rows(path) == [(2, "a", "x")]


def test_a_first_line_of_words_is_a_header_and_never_a_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("reader,book\na,x\n")
    with pytest.raises(UserError, match="no column 'user'") as caught:
        rows(path)
    assert "header" in caught.value.hint
    assert rows(path, has_header=False) == [(1, "reader", "book"), (2, "a", "x")]


def test_without_a_header_too_few_fields_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1,2\n")
    with pytest.raises(UserError, match="2 fields, but 3 columns"):
        rows(path, {**ASKED, "rating": "rating"})


def test_unquoted_dialects_take_quotes_as_text(tmp_path):
    path = tmp_path / "movies.dat"
    path.write_text('1::"Heat\n2::Alien"\n')
    assert rows(path, has_quotes=False) == [(1, "1", '"Heat'), (2, "2", 'Alien"')]


def test_an_escape_makes_a_quote_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"user";"item"\n"a";"say \\"x\\"; y"\n')
    assert rows(path, escape_char="\\") == [(2, "a", 'say "x"; y')]


def test_layout_has_separator_header_and_names(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("a,b\tc\n")
    layout = read_layout(SourceFile(path))
    assert (layout.separator, layout.has_header, layout.column_names, layout.num_fields) == (
        "\t",
        True,
        ["a,b", "c"],
        2,
    )


fields = st.text(st.sampled_from('ab,"\n é1'), max_size=6)


@given(
    table=st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=12),
    block=st.integers(1, 40),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_where_blocks_break_makes_no_difference(table, block, quoting):
    """The oracle is Python's parser over the whole text; line numbers are counted by hand."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator="\n")
    writer.writerow(["user", "other", "item"])
    expected = []
    for row in table:
        # What looks like rows inside a quoted field is refused, which has a test of its own.
        assume(not any("\n" in field and "," in field for field in row))
        line = text.getvalue().count("\n") + 1
        writer.writerow(row)
        if "".join(row).strip():  # blank rows are passed over
            expected.append((line, row[0], row[2]))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK_BYTES", block)
        path = Path(folder) / "t.csv"
        path.write_bytes(text.getvalue().encode())
        assert rows(path) == expected
