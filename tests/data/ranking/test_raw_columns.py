"""Whole columns are read by the rules of single values, in codes that stand for texts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.ranking import read_table
from kd_tf.data.ranking.canonical_texts import (
    list_missing_texts,
    make_canonical_texts,
    parse_numbers,
    use_decimal_point,
)
from kd_tf.data.ranking.distinct_values import DistinctValues
from kd_tf.data.ranking.read_table import list_columns, open_source, read_raw_table
from kd_tf.data.sources.table_options import make_rules
from kd_tf.errors import UserError
from kd_tf.runtime.features.values import UnreadableValueError, to_category, to_number

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.text("0123456789.+-eE ", max_size=7),
    st.sampled_from(["TRUE", "true ", "NULL", "\ufeff3.0", "-0.0", "nan", "1e999", "inf", "\x85"]),
)


@given(st.lists(TEXTS, min_size=1))
@example(["\x1f1.0", "0.", "-0.", "00.0"])
def test_columns_are_read_as_single_values_are(texts):
    missing = list_missing_texts()
    canonical_texts = make_canonical_texts(pl.Series(texts, dtype=pl.String), missing)
    assert canonical_texts.to_list() == [to_category(text, frozenset(missing)) for text in texts]
    for text, number in zip(canonical_texts, parse_numbers(canonical_texts).tolist(), strict=True):
        try:
            expected = math.nan if text is None else to_number(text, frozenset())
        except UnreadableValueError:
            assert not math.isfinite(number)
        else:
            assert number == expected or (math.isnan(number) and math.isnan(expected))


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "", None]), max_size=9), max_size=5))
def test_codes_stand_for_texts_whatever_the_blocks(blocks):
    values = DistinctValues()
    codes = [values.add(pl.Series(block, dtype=pl.String)).tolist() for block in blocks]
    texts = [*values.join_texts(), None]
    assert [[texts[code] for code in block] for block in codes] == blocks
    assert len(set(texts)) == len(texts) == len(values) + 1


def read(source, **options):
    table = open_source(source)
    return read_raw_table([table], list_columns(table), make_rules(**options))


def test_a_great_many_numbers_are_kept_as_numbers_and_sentences_not_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(read_table, "MAX_CODED_VALUES", 50)
    path = tmp_path / "big.csv"
    lines = [f"{row * 3},{row / 8},id{row},the plot of part {row}," for row in range(400)]
    path.write_text("number,price,name,review,gap\n" + "\n".join(lines) + "\n")
    table = read(path)
    number, price, name, review = (
        table.columns[key] for key in ("number", "price", "name", "review")
    )
    assert number.codes is None
    np.testing.assert_array_equal(number.read_numbers(), np.arange(400) * 3)
    np.testing.assert_array_equal(price.read_numbers(), np.arange(400) / 8)
    coded = price.as_codes
    assert coded.texts.gather(coded.codes).to_list() == [
        to_category(row / 8, frozenset()) for row in range(400)
    ]
    assert name.texts.gather(name.codes).to_list() == [f"id{row}" for row in range(400)]
    assert review.is_long_text
    assert table.columns["gap"].is_missing.all()


def test_a_column_that_changes_its_type_is_an_error_with_line_and_column(monkeypatch, tmp_path):
    monkeypatch.setattr(read_table, "MAX_CODED_VALUES", 50)
    monkeypatch.setattr("kd_tf.data.formats.lines._BLOCK_BYTES", 1000)
    path = tmp_path / "big.csv"
    rows = [str(row) for row in range(1000)]
    rows[900] = "cheap"
    path.write_text("price,y\n" + "\n".join(f"{row},1" for row in rows) + "\n")
    with pytest.raises(
        UserError, match=r'big\.csv:902, column "price": \'cheap\' is no finite numb'
    ):
        read(path)
    table = read(path, on_bad_rows="skip")
    assert len(table) == 999
    assert table.files[0].bad_rows.count == 1
    assert int(table.columns["price"].read_numbers()[900]) == 901
    assert int(table.lines[900]) == 903


def test_frames_and_files_give_the_same_columns(tmp_path):
    frame = pl.DataFrame(
        {
            "n": [1.0, 2.5, None],
            "small": [1e-7, 1e22, 3.0],
            "b": [True, False, None],
            "tags": [["a", "b"], [], None],
            "t": ["x", " y ", ""],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    expected = {
        "n": ["1", "2.5", None],
        "small": ["0.0000001", "10000000000000000000000", "3"],
        "b": ["true", "false", None],
        "tags": ["a|b", None, None],
        "t": ["x", "y", None],
    }
    pandas_frame = pd.DataFrame(frame.to_dict(as_series=False))
    for source in (frame, pandas_frame, tmp_path / "t.parquet"):
        table = read(source)
        for name, texts in expected.items():
            column = table.columns[name]
            values = [None if code < 0 else column.texts[int(code)] for code in column.codes]
            assert values == texts, (name, source)


def test_columns_without_a_header_have_numbers_and_double_names_are_refused(tmp_path):
    path = tmp_path / "u.data"
    path.write_text("196\t242\t3\n186\t302\t3\n")
    assert list_columns(open_source(path), ["3"]) == ["1", "2", "3"]
    path = tmp_path / "years.csv"
    path.write_text("label,1999,2000\n1,2,3\n")
    assert list_columns(open_source(path), ["label"]) == ["label", "1999", "2000"]
    path = tmp_path / "twice.csv"
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.raises(UserError, match="several columns are called 'a'"):
        list_columns(open_source(path))


def test_a_decimal_comma_is_read_where_it_is_set():
    texts = pl.Series(["3,5", "1,234,5", "a,b", "-0,5e3"])
    assert use_decimal_point(texts).to_list() == ["3.5", "1,234,5", "a,b", "-0.5e3"]


def test_bad_rows_of_one_table_are_dropped_from_all_columns():
    table = read(pl.DataFrame({"a": ["1", "x", "3"], "b": ["p", "q", "r"]}), on_bad_rows="skip")
    is_bad = np.array([False, True, False])
    smaller_table, mask = table.drop_bad_rows(is_bad, ["x"], "is bad", "a")
    assert len(smaller_table) == 2
    assert mask.tolist() == [True, False, True]
    column = smaller_table.columns["b"]
    assert column.texts.gather(column.codes).to_list() == ["p", "r"]
    assert isinstance(table.files[0].bad_rows, BadRows)
    assert smaller_table.files[0].end == 2
