"""Single values are read by rules that other languages can repeat."""

from __future__ import annotations

import datetime
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.runtime.features.hashing import hash_text, hash_texts
from kd_tf.runtime.features.values import (
    UnreadableValueError,
    format_number,
    to_category,
    to_list,
    to_number,
    to_seconds,
)

MISSING = frozenset({"NULL", "nan"})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((3, "3", 3.0, " 3 ", "3.0", "3.", "\u30003.00\ufeff", np.int64(3), np.float32(3)), "3"),
        ((True, "true", "TRUE", " True", np.True_), "true"),
        ((False, "False"), "false"),
        ((0, -0.0, "-0", "0.0", "-0.00"), "0"),
        ((0.5, "0.5", "0.50"), "0.5"),
        ((1e-7, 0.0000001), "0.0000001"),
        ((1e22, 10**22), "10000000000000000000000"),
        (("007",), "007"),
        (("+7",), "+7"),
        (("7e0",), "7e0"),
        (("1.2.0",), "1.2.0"),
        (("01.50",), "01.50"),
        (("a  b", " a  b\n"), "a  b"),
        (("\ud800x",), "\ufffdx"),
        ((None, math.nan, "", "  ", "NULL", " nan ", pd.NA, pd.NaT), None),
        (("null",), "null"),
    ],
)
def test_a_category_has_one_text_however_it_is_written(values, text):
    assert {to_category(value, MISSING) for value in values} == {text}


@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**301, [1], {"a": 1}, b"x", object()])
@pytest.mark.parametrize("read", [to_category, to_number, to_seconds])
def test_values_of_other_types_are_refused(read, value):
    with pytest.raises(UnreadableValueError):
        read(value, MISSING)


@pytest.mark.parametrize("value", ["cheap", "1,5", "inf", "0x10", "1_000", "1e999", "٣", "true"])
def test_texts_that_are_no_numbers_are_refused(value):
    with pytest.raises(UnreadableValueError):
        to_number(value, MISSING)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_without_exponent_and_reads_back(number):
    text = format_number(number)
    assert float(text) == number
    assert "e" not in text.lower()
    # The fewest digits that read back, and the nearest of them: a search over precisions.
    exact = Decimal(number)
    for precision in range(1, 18):
        candidates = [
            Context(prec=precision, rounding=rounding).plus(exact)
            for rounding in (ROUND_FLOOR, ROUND_CEILING)
        ]
        candidates = [candidate for candidate in candidates if float(candidate) == number]
        if candidates:
            assert Decimal(text) in candidates
            assert abs(Decimal(text) - exact) == min(abs(other - exact) for other in candidates)
            break


@given(st.text(), st.sampled_from([MISSING, frozenset()]))
def test_canonical_texts_stay_as_they_are(text, missing):
    canonical_text = to_category(text, missing)
    assert canonical_text is None or to_category(canonical_text, frozenset()) == canonical_text


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_and_its_text_are_one_category(number):
    assert to_category(number, MISSING) == to_category(str(number), MISSING)
    assert to_category(float(number), MISSING) == to_category(f"{number}.0", MISSING)


@given(
    st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)),
    st.integers(-23 * 60, 23 * 60),
)
def test_times_are_unix_seconds_in_utc(time, offset):
    zone = datetime.timezone(datetime.timedelta(minutes=offset))
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    for moment in (time.replace(tzinfo=datetime.UTC), time.replace(tzinfo=zone)):
        expected = (moment - epoch) // datetime.timedelta(seconds=1)
        assert to_seconds(moment.isoformat(), MISSING) == expected
        assert to_seconds(moment, MISSING) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2024-01-31", 1706659200),
        ("2024-01-31 10:20", 1706696400),
        ("2024-01-31T10:20:30.999Z", 1706696430),
        (1706696430, 1706696430),
        ("1706696430.7", 1706696430),
        (1706696430999, 1706696430),
        (np.datetime64("2024-01-31T10:20:30.5"), 1706696430),
    ],
)
def test_times_are_iso_texts_seconds_or_milliseconds(value, seconds):
    assert to_seconds(value, MISSING) == seconds


@pytest.mark.parametrize("value", [0, -1, "", None, "NULL", math.nan])
def test_unknown_times_are_missing(value):
    assert math.isnan(to_seconds(value, MISSING))


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30",
        "2024-01-31T25:00",
        "31/01/2024",
        20240131,
        5,
        True,
        "2024-1-1",
        10**15,
        -(10**12),
    ],
)
def test_what_may_be_another_time_is_refused(value):
    with pytest.raises(UnreadableValueError):
        to_seconds(value, MISSING)


def test_lists_keep_each_value_once_in_order():
    assert to_list(" b|a |b||NULL|2.0", MISSING, "|") == ("b", "a", "2")
    assert to_list(["b", None, 2, "b"], MISSING, "|") == ("b", "2")
    assert to_list(None, MISSING, "|") == to_list("NULL", MISSING, "|") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    # http://www.isthe.com/chongo/src/fnv/test_fnv.c
    [("", 0x811C9DC5), ("a", 0xE40C292C), ("b", 0xE70C2DE5), ("foobar", 0xBF9CF968)],
)
def test_hashes_are_those_of_fnv_1a(text, expected):
    assert hash_text(text) == expected


@given(
    st.lists(
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "ignore").decode()), min_size=33
    )
)
def test_many_texts_are_hashed_as_each_alone(texts):
    assert hash_texts(texts).tolist() == [hash_text(text) for text in texts]
