"""Times in every form that is read, with Python's datetime as the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.values.times import NO_TIME, TimeParser, TimeRules
from kd_tf.errors import UserError

SECOND = 1_000_000


def parse(*texts: str | None, **rules: str) -> list[int | None]:
    parser = TimeParser(TimeRules(**rules), "loans.csv")
    values = pl.Series(texts, dtype=pl.String)
    if parser.needs_survey(values):
        parser.survey(values)
        parser.decide_order()
    return parser.parse(values).to_list()


def moment(*parts: int, zone: timezone = UTC, micro: int = 0) -> int:
    time = datetime(*parts, tzinfo=zone) + timedelta(microseconds=micro)
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


DAY = moment(2021, 1, 16)
NOON = moment(2021, 1, 16, 12, 30)
TWO_HOURS_EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("2021-01-16", DAY), ("2021/01/16", DAY), ("2021.1.16", DAY), ("2021/1/16", DAY)),
        *(("16.01.2021", DAY), ("16. 1. 2021", DAY), ("20210116", DAY), ("2021-W02-6", DAY)),
        *(("16 Jan 2021", DAY), ("16-Jan-2021", DAY), ("16 January 2021", DAY)),
        *(("16th of", None), ("16th January, 2021", DAY), ("Jan 16, 2021", DAY)),
        *(("January 16th 2021", DAY), ("Saturday, January 16, 2021", DAY), ("JAN 16 2021", DAY)),
        *(("Sept. 1, 2021", moment(2021, 9, 1)), ("Janitor 16, 2021", None)),
        *(("2021-01", moment(2021, 1, 1)), ("2021/03", moment(2021, 3, 1))),
        *(("2021-01-16T12:30", NOON), ("2021-01-16 12:30:00", NOON), ("2021/01/16 12:30", NOON)),
        *(("20210116123000", NOON), ("20210116T123000", NOON), ("2021-01-16T12:30:00Z", NOON)),
        *(("16 Jan 2021 12:30", NOON), ("16.01.2021, 12:30 Uhr", None)),
        *(("Jan 16, 2021 12:30 PM", NOON), ("Jan 16, 2021, 12:30 p.m.", NOON)),
        ("Jan 16, 2021 12:30 AM", moment(2021, 1, 16, 0, 30)),
        ("Jan 16, 2021 13:30 PM", None),
        ("Sat Jan 16 12:30:00 2021", NOON),
        ("Sat Jan 16 12:30:00 +0000 2021", NOON),
        ("Sat, 16 Jan 2021 12:30:00 GMT", NOON),
        ("2021-01-16T12:30:00+02:00", moment(2021, 1, 16, 12, 30, zone=TWO_HOURS_EAST)),
        ("2021-01-16T12:30:00+02", moment(2021, 1, 16, 12, 30, zone=TWO_HOURS_EAST)),
        ("2021-01-16 12:30:00 UTC", NOON),
        ("2021-01-16T12:30:00.25", NOON + SECOND // 4),
        ("2021-01-16T12:30:00,000001", NOON + 1),
        ("2021-01-16T12:30:00.123456789Z", NOON + 123456),
        *(("2021-02-29", None), ("2021-13-01", None), ("2021-01-16T25:00", None), ("soon", None)),
        *(("0000-00-00", NO_TIME), ("0000-00-00 00:00:00", NO_TIME), (None, NO_TIME)),
        ("0101-01-01T00:00:00+00:00", NO_TIME),
        *(("1610800200", NOON), ("1610800200.5", NOON + SECOND // 2), ("-86400", -86400 * SECOND)),
        *(("1.6108002E9", NOON), ("1610800200000", NOON), ("1610800200000000", NOON)),
        *(("1610800200000000999", NOON), ("9" * 25, None), ("nan", None), ("1e999", None)),
    ],
)
def test_a_time_alone_in_its_column(text: str | None, expected: int | None) -> None:
    assert parse(text) == [expected]


@given(
    st.datetimes(datetime(1905, 1, 1), datetime(2095, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
)
def test_every_moment_is_the_same_in_all_forms(time: datetime) -> None:
    expected = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    seconds = expected - time.microsecond
    assert parse(time.isoformat(), time.strftime("%Y/%m/%d %H:%M:%S.%f")) == [expected] * 2
    written = [
        time.strftime(form)
        for form in ("%d %b %Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%a %b %d %H:%M:%S +0000 %Y")
    ]
    assert parse(*written) == [seconds] * 3
    assert parse(time.strftime("%d/%m/%Y %H:%M:%S"), "13/01/2000")[0] == seconds
    assert parse(time.strftime("%m/%d/%Y %H:%M:%S"), "01/13/2000")[0] == seconds
    assert parse(time.strftime("%d/%m/%y"), format="%d/%m/%y")[0] % (86400 * SECOND) == 0
    assert parse(str(expected), unit="us") == [expected]
    assert parse(str(seconds // SECOND), unit="s") == [seconds]
    days = expected / SECOND / 86400 + 25569
    assert abs(parse(repr(days), unit="excel")[0] - expected) <= 1000


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # A row of another unit, wherever it is.
        (["1600000000000", "1600000000000", "1600000000"], [1.6e15, 1.6e15, None]),
        (["1600000000", "1600000000", "1600000000000"], [1.6e15, 1.6e15, None]),
        (["1600000000000", "1600000000000", "1600000000000000"], [1.6e15, 1.6e15, None]),
        # Unknown times, among others that are late.
        (["0", "1600000000", "1600000000"], [NO_TIME, 1.6e15, 1.6e15]),
        (["-1", "1600000000000", "1600000000000"], [NO_TIME, 1.6e15, 1.6e15]),
        (["0", "20210116", "20210116"], [NO_TIME, DAY, DAY]),
        # Numbers that only order the rows.
        (["0", "1", "2"], [0, 1e6, 2e6]),
        (["20210116", "20211316"], [20210116e6, 20211316e6]),
        # Milliseconds of 1971, among later ones.
        (["1600000000000", "1600000000000", "40000000000"], [1.6e15, 1.6e15, 4e13]),
    ],
)
def test_what_the_column_shows(texts: list[str], expected: list[int | None]) -> None:
    assert parse(*texts) == expected


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["03/10/2023", "04/11/2023"], "two ways"),
        (["13/10/2023", "04/13/2023"], "not all written alike"),
        (["44212", "44213.5"], "Excel"),
        (["2019", "2020"], "may be years"),
    ],
)
def test_what_has_two_meanings_is_asked_for(texts: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        parse(*texts)
    assert "--time-" in str(refusal.value)


def test_a_block_keeps_to_what_the_first_one_showed() -> None:
    parser = TimeParser(TimeRules(), "loans.csv")
    assert parser.parse(pl.Series(["1600000000000"])).to_list() == [1.6e15]
    assert parser.parse(pl.Series(["1600000000"])).to_list() == [None]
    assert "milliseconds" in parser.explain(is_number=True)


@pytest.mark.parametrize("wrong", ["%Q", "%"])
def test_a_format_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(UserError, match="time-format"):
        parse("2021", format=wrong)


def test_a_format_reads_what_has_it_and_nothing_else() -> None:
    assert parse("16/01/21", "2021-01-16", None, format="%d/%m/%y") == [DAY, None, NO_TIME]
