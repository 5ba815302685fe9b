"""Dates as services and spreadsheets write them, turned into numbers that keep their order.

Page and app have the same rules (tests/reading_lists/README.md). Tables of interactions need
moments, and are read by other rules: `kd_tf.data.values.times`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kd_tf.months import MONTHS

MAX_LENGTH = 60
"""Characters of a date; a longer text is none."""

_YEAR = "(?P<year>[12][0-9]{3})"
_DAY_IN_WORDS = "(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_NAME = "(?P<name>[A-Za-z]{3,9})"
_TIME = (
    r"(?:[T ,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_FORMS = tuple(
    re.compile(form + _TIME)
    for form in (
        _YEAR + "(?P<sign>[-/.])(?P<month>[0-9]{1,2})(?P=sign)(?P<day>[0-9]{1,2})",
        _YEAR + "(?P<month>[0-9]{2})(?P<day>[0-9]{2})",
        _YEAR + "(?:[-/.](?P<month>[0-9]{1,2}))?",
        _DAY_IN_WORDS + "[ .-]+" + _NAME + "[ .,-]+" + _YEAR,
        _NAME + "[ .-]+" + _DAY_IN_WORDS + "[ ,-]+" + _YEAR,
        _NAME + "[ .,-]+" + _YEAR,
    )
)
_NUMBERS_THEN_YEAR = re.compile(
    "(?P<first>[0-9]{1,2})(?P<sign>[-/.])(?P<other>[0-9]{1,2})(?P=sign)" + _YEAR + _TIME
)


def parse_date(text: str, is_day_first: bool | None = None) -> int:
    """Turns a date into a number that is larger for a later date.

    Args:
        text: Such as 2023/03/10, 2023-03-10T08:15:00Z, 20230310, 2023-03, 2023, Mar 10, 2023, 10
            March 2023 or 10.03.2023. Offsets from UTC are not counted.
        is_day_first: Whether 03/10/2023 is in October; None if that is unknown.

    Returns:
        Year, month, day, hour, minute and second, two digits each but for the year; parts that are
        not given are 0. 0 if the text is no date, or not known to be one.

    Example:
        >>> parse_date("10 Mar 2023"), parse_date("2023/03/10 08:15"), parse_date("2023")
        (20230310000000, 20230310081500, 20230000000000)
        >>> parse_date("03/10/2023"), parse_date("03/10/2023", is_day_first=False)
        (0, 20230310000000)
    """
    if len(text) > MAX_LENGTH:
        return 0
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            parts = match.groupdict()
            month = _find_month(parts["name"]) if parts.get("name") else _to_int(parts.get("month"))
            return _join(parts, month, _to_int(parts.get("day")))
    match = _NUMBERS_THEN_YEAR.fullmatch(text)
    if not match:
        return 0
    if match["sign"] == ".":
        is_day_first = True
    if is_day_first is None:
        return 0
    first, other = int(match["first"]), int(match["other"])
    day, month = (first, other) if is_day_first else (other, first)
    return _join(match.groupdict(), month, day)


def _to_int(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _find_month(name: str) -> int:
    """Returns the number of a month; 0 if there is none of this name."""
    word = name.lower()
    if word == "sept":
        return 9
    return next(
        (number for number, month in enumerate(MONTHS, start=1) if word in (month[:3], month)), 0
    )


def _join(parts: dict[str, str | None], month: int | None, day: int | None) -> int:
    """Makes the number of a date whose month or day may not be given; 0 if they are impossible."""
    if month not in (None, *range(1, 13)) or day not in (None, *range(1, 32)):
        return 0
    hour, minute, second = (_to_int(parts[name]) or 0 for name in ("hour", "minute", "second"))
    if parts["half"]:
        hour = hour % 12 + (12 if parts["half"] in "Pp" else 0)
    number = _to_int(parts["year"]) or 0
    for part in (month or 0, day or 0, hour, minute, second):
        number = number * 100 + part
    return number


_NO_DATE_OF_CALIBRE = "0101-01-01"


def list_dates(cell: str) -> list[str]:
    """Lists the texts in a cell that may be dates.

    Args:
        cell: A date, perhaps in brackets (LibraryThing); dates and ranges, separated by commas
            (StoryGraph); or readings, separated by semicolons, of a first date, a last date and a
            duration, separated by bars (Openreads).

    Example:
        >>> list_dates("2020/01/09-2020/02/01, 2021/05/02")
        ['2020/01/09', '2020/02/01', '2021/05/02']
        >>> list_dates("2023-10-27T00:00:00.000|2023-11-28T00:00:00.000|86400000")
        ['2023-10-27T00:00:00.000', '2023-11-28T00:00:00.000']
    """
    if cell.startswith(_NO_DATE_OF_CALIBRE):
        texts = []
    elif "|" in cell:
        texts = [text for reading in cell.split(";") for text in reading.split("|")[:2]]
    elif _is_like_a_date(cell.strip("[] ")):
        texts = [cell]
    else:
        texts = [
            text
            for part in cell.split(",")
            for text in ([part] if _is_like_a_date(part.strip("[] ")) else part.split("-"))
        ]
    return [bare for text in texts if (bare := text.strip("[] "))]


def _is_like_a_date(text: str) -> bool:
    return bool(parse_date(text, is_day_first=True) or parse_date(text, is_day_first=False))


def detect_day_first(texts: Iterable[str]) -> bool | None:
    """Tells from all dates of a file whether days come before months in 03/10/2023.

    Args:
        texts: What `list_dates` returns.

    Returns:
        None if no date tells, or if they contradict each other.

    Example:
        >>> detect_day_first(["03/10/2023", "12/31/2023"])
        False
    """
    has_day_first = has_month_first = False
    for text in texts:
        match = _NUMBERS_THEN_YEAR.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match and match["sign"] != ".":
            first, other = int(match["first"]), int(match["other"])
            has_day_first |= first > 12 >= other
            has_month_first |= other > 12 >= first
    return has_day_first if has_day_first != has_month_first else None
