"""Reads times: seconds and finer units, Excel's days, ISO 8601, and dates as people write them.

These are moments, of whole columns at once: offsets from UTC count, and a date that may mean two
days is an error. Reading lists only need an order, in which a year alone has a place, and share
their rules with page and app: `kd_tf.runtime.reading_lists.dates`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kd_tf.choices import TimeUnit
from kd_tf.data.values.distinct import map_distinct
from kd_tf.data.values.numbers import mask_non_finite, parse_floats, to_ascii_digits
from kd_tf.errors import UserError
from kd_tf.months import MONTHS

MICROSECONDS = 1_000_000

NO_TIME = int(np.iinfo(np.int64).min)
"""The time of an interaction whose time is unknown: before all others."""

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MAX_SECONDS = 10**11
"""As seconds this is the year 5138; as milliseconds, March 1973."""

_LIKELY_SECONDS = 41 * 10**8
"""The end of 2099. A number below it, read as milliseconds, would be a time in January or February
of 1970."""

LAST_TIME = 4_102_444_800 * MICROSECONDS - 1
"""The end of 2099, in microseconds. A later time means "never", or was not counted from 1970."""

_UNKNOWN_ABOVE = 10**8
"""Where all other times are after 1973, a 0 or -1 stands for an unknown time."""

_LEAST_DAYS = 10_000
"""Smaller numbers are places in an order, whatever their unit."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCEL_EPOCH_DAYS = 25569


@dataclass(frozen=True)
class TimeRules:
    """How the times of a column are written.

    Attributes:
        unit: What numbers count.
        format: A format of ``datetime.strptime`` that all times have, such as ``%d/%m/%Y``; None
            reads numbers by their unit, and dates that have one meaning only.
    """

    unit: TimeUnit = "auto"
    format: str | None = None


class TimeParser:
    """Parses the times of one column, block by block, and finds out how they are written.

    What the first block shows holds for the whole column; a time that contradicts it is bad. Only
    the order of day and month, as in 03/10/2023, is looked for in all blocks, with `survey`.

    Args:
        rules: What is known.
        where: The column, for errors.

    Attributes:
        reading: What was found out, for a note; "" for seconds and ISO 8601.

    Example:
        >>> parser = TimeParser(TimeRules(), "loans.csv")
        >>> parser.parse(pl.Series(["1600000000000", "1600000000500"])).to_list()
        [1600000000000000, 1600000000500000]
        >>> parser.reading
        'read as milliseconds since 1970'
        >>> TimeParser(TimeRules(), "").parse(pl.Series(["2021-01-16", "Jan 16, 2021"])).to_list()
        [1610755200000000, 1610755200000000]
    """

    def __init__(self, rules: TimeRules, where: str) -> None:
        self.rules, self.where = rules, where
        self.reading = ""
        self._unit = None if rules.unit == "auto" else rules.unit
        self._is_compact: bool | None = None
        self._is_late = False
        self._largest = [0, 0]
        self._day_first: bool | None = None

    def needs_survey(self, values: pl.Series) -> bool:
        """Says whether `survey` must see all blocks before the first one is parsed."""
        return (
            self.rules.format is None
            and self._day_first is None
            and bool(values.str.contains(_DAY_OR_MONTH_FIRST.pattern).any())
        )

    def survey(self, values: pl.Series) -> None:
        """Looks for numbers above 12 in dates such as 03/10/2023."""
        texts = to_ascii_digits(values.drop_nulls().unique())
        parts = texts.str.extract_groups(_DAY_OR_MONTH_FIRST.pattern)
        for place in range(2):
            number = parts.struct.field(_DAY_OR_MONTH_FIRST.fields[place]).cast(pl.Int64).max()
            self._largest[place] = max(self._largest[place], int(number or 0))  # type: ignore[arg-type]

    def decide_order(self) -> None:
        """Decides between day and month first after all blocks were surveyed.

        Raises:
            UserError: Both are possible, or neither.
        """
        first, second = (largest > 12 for largest in self._largest)
        if first == second:
            why = "some have the day first, some the month" if first else "day or month first?"
            raise UserError(
                f"the dates can be read in two ways ({why})"
                if not first
                else f"the dates are not all written alike: {why}",
                where=self.where,
                hint="Say how they are written: --time-format %d/%m/%Y or %m/%d/%Y.",
            )
        self._day_first = first
        self.reading = f"read as {'day/month/year' if first else 'month/day/year'}"

    def parse(self, values: pl.Series) -> pl.Series:
        """Parses times to Int64 microseconds since 1970.

        Args:
            values: String [n], null where a time is missing.

        Returns:
            Int64 [n]: null where a text is no time, or not one of this column; `NO_TIME` where a
            time is missing or written as an unknown one (0 or -1 among later times, 0000-00-00,
            0001-01-01).

        Raises:
            UserError: The times can be read in two ways.
        """
        texts = to_ascii_digits(values.str.strip_chars())
        if self.rules.format is not None:
            times = map_distinct(texts, self._parse_format)
        else:
            times = self._parse_numbers(texts)
            is_text = times.is_null() & texts.is_not_null()
            if is_text.any():
                times = times.scatter(
                    is_text.arg_true(), map_distinct(texts.filter(is_text), self._parse_texts)
                )
        return times.set(values.is_null(), NO_TIME)

    def explain(self, is_number: bool) -> str:
        """Says why a text is no time of this column; follows the text in messages."""
        if self.rules.format is not None:
            return f"is not a time of the form {self.rules.format}"
        if is_number and self._is_compact:
            return "is not a date like 20210116, as the other times are"
        if is_number and self._unit is not None:
            return f"is not a time in {_UNIT_NAMES[self._unit]}, as the other times are"
        return (
            "is not a time that has one meaning: give --time-format, for example %d.%m.%y, or "
            "--time-unit"
        )

    def _parse_format(self, texts: pl.Series) -> pl.Series:
        assert self.rules.format is not None
        times: list[int | None] = []
        for text in texts:
            try:
                times.append(_to_microseconds(datetime.strptime(text, self.rules.format)))
            except ValueError as error:
                if "bad directive" in str(error) or "stray %" in str(error):
                    raise UserError(
                        f"--time-format {self.rules.format!r} cannot be used: {error}",
                        hint="For example --time-format '%d/%m/%Y %H:%M'.",
                    ) from error
                times.append(None)
        return pl.Series(times, dtype=pl.Int64)

    def _parse_numbers(self, texts: pl.Series) -> pl.Series:
        """Parses the texts that are numbers; null elsewhere."""
        numbers = mask_non_finite(parse_floats(texts))
        if numbers.null_count() == len(numbers):
            return numbers.cast(pl.Int64)
        if self._is_compact is None and self._unit is None:
            self._detect_unit(texts.filter(numbers.is_not_null()), numbers.drop_nulls())
        if self._is_compact:
            times = map_distinct(texts, _parse_compact)
            return times.set((numbers <= 0).fill_null(value=False), NO_TIME)
        assert self._unit is not None
        if self._unit == "excel":
            days = numbers - _EXCEL_EPOCH_DAYS
            return (days * 86_400_000).round().cast(pl.Int64, strict=False) * 1000
        # Integers apart: floats do not have enough digits for all of them.
        integers = texts.cast(pl.Int64, strict=False)
        per_second = _PER_SECOND[self._unit]
        limit = min(_MAX_SECONDS * per_second, 2**63 - 1)
        whole = integers.set(~integers.is_between(-limit, limit), None)
        factor = MICROSECONDS // per_second if per_second <= MICROSECONDS else 0
        times = whole * factor if factor else whole // 1000
        is_fraction = times.is_null() & numbers.is_not_null() & integers.is_null()
        if is_fraction.any():
            fractions = (numbers * MICROSECONDS / per_second).floor()
            fractions = fractions.set(numbers.abs() > limit, None).cast(pl.Int64, strict=False)
            times = times.zip_with(~is_fraction, fractions)
        if self.rules.unit == "auto":
            times = self._mask_other_units(times, numbers)
        return times

    def _mask_other_units(self, times: pl.Series, numbers: pl.Series) -> pl.Series:
        """Makes times null that are in a finer or a coarser unit than the column."""
        assert self._unit is not None
        if self._unit != "s":
            times = times.set(
                numbers.abs() < _LIKELY_SECONDS * _PER_SECOND[self._unit] // 1000, None
            )
        if self._is_late:
            times = times.set(numbers.is_in([0.0, -1.0]), NO_TIME)
        return times

    def _detect_unit(self, texts: pl.Series, numbers: pl.Series) -> None:
        """Finds the unit from the numbers of the first block that has any."""
        dates = map_distinct(texts, _parse_compact)
        is_date = dates.is_not_null()
        # A zero in place of a date is no date. As seconds, such numbers would be days of 1970.
        if 2 * int(is_date.sum()) > int((numbers > 0).sum()):
            self._is_compact = True
            self.reading = "read as dates without separators, like 20210116"
            return
        self._is_compact = False
        largest = numbers.abs().quantile(0.5, interpolation="lower") or 0.0
        self._unit = next(
            (unit for unit in ("s", "ms", "us") if largest < _MAX_SECONDS * _PER_SECOND[unit]), "ns"
        )
        self._is_late = largest > _UNKNOWN_ABOVE
        assert self._unit is not None
        if self._unit != "s":
            self.reading = f"read as {_UNIT_NAMES[self._unit]} since 1970"
        elif _LEAST_DAYS < largest < _UNKNOWN_ABOVE:
            self.reading = (
                "read as seconds since 1970, which puts most of them into "
                f"{1970 + int(largest) // 31_556_952}; if they count something else: --time-unit "
                "or --time-format"
            )
        if numbers.is_between(_EXCEL_EPOCH_DAYS, 60_000).all():
            raise UserError(
                f"the times (the first is {texts[0]}) may be days as Excel counts them, or seconds",
                where=self.where,
                hint="Say which: --time-unit excel or --time-unit s.",
            )
        if numbers.is_between(1900, 2100).all():
            raise UserError(
                f"the times (the first is {texts[0]}) may be years, or seconds",
                where=self.where,
                hint="Say which: --time-format %Y or --time-unit s.",
            )

    def _parse_texts(self, texts: pl.Series) -> pl.Series:
        """Parses unique texts that are no numbers."""
        times = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(texts))
        for layout in _LAYOUTS:
            is_left = times.is_null()
            if not is_left.any():
                break
            order = "day_first" if self._day_first in (None, True) else "month_first"
            parsed_times = layout.parse(texts.filter(is_left), order)
            times = times.scatter(is_left.arg_true(), parsed_times)
        if times.null_count():
            iso_times = [
                time if time is not None else _parse_iso(text)
                for text, time in zip(texts, times, strict=True)
            ]
            times = pl.Series(iso_times, dtype=pl.Int64)
        return times


def parse_seconds(values: pl.Series, unit: TimeUnit = "s") -> pl.Series:
    """Parses numbers and ISO 8601 texts to Int64 seconds since 1970, rounded down.

    Null where a text is neither.

    Example:
        >>> parse_seconds(pl.Series(["86400", "1970-01-02", "1.9", "soon"])).to_list()
        [86400, 86400, 1, None]
    """
    times = TimeParser(TimeRules(unit), "").parse(values)
    return (times // MICROSECONDS).set(times == NO_TIME, None)


def parse_time_setting(text: str, name: str) -> int:
    """Parses a time that a setting gives, in any form that has one meaning.

    Args:
        text: As a table might have it; UTC if it names no zone.
        name: The setting, for errors.

    Returns:
        Seconds since 1970, rounded down.

    Raises:
        UserError: The text is no time, or may be two.

    Example:
        >>> parse_time_setting("1970-01-02", "cleaning.since")
        86400
        >>> parse_time_setting("soon", "cleaning.since")
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: cleaning.since is 'soon', which is not a time that has one meaning
          For example 2015-01-01.
    """
    values, parser = pl.Series([text], dtype=pl.String), TimeParser(TimeRules(), name)
    try:
        if parser.needs_survey(values):
            parser.survey(values)
            parser.decide_order()
        time = parser.parse(values).item()
    except UserError:
        time = None
    if time in (None, NO_TIME):
        raise UserError(
            f"{name} is {text!r}, which is not a time that has one meaning",
            hint="For example 2015-01-01.",
        )
    return int(time // MICROSECONDS)


_UNIT_NAMES = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "excel": "Excel's days",
}

_TIME = (
    r"(?:[Tt ,]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_WEEKDAY = r"(?:[A-Za-z]{2,9}\.?,?\s+)?"
_SUFFIX = r"(?:st|nd|rd|th)?"


@dataclass(frozen=True)
class _Layout:
    """A way to write a date, as a regular expression with named groups."""

    pattern: str

    @property
    def fields(self) -> list[str]:
        return list(re.compile(self.pattern).groupindex)

    def parse(self, texts: pl.Series, order: str) -> pl.Series:
        """Parses texts to Int64 microseconds since 1970; null where they are written otherwise."""
        groups = texts.str.extract_groups(self.pattern).struct.unnest()
        names = dict(zip(groups.columns, self.fields, strict=True))
        fields = {field: groups[column] for column, field in names.items()}
        if "either_first" in fields:
            fields["day"], fields["month"] = (
                (fields["either_first"], fields["either_second"])
                if order == "day_first"
                else (fields["either_second"], fields["either_first"])
            )
        return _combine(fields, len(texts))


_DAY_OR_MONTH_FIRST = _Layout(
    rf"^(?P<either_first>\d{{1,2}})[/-](?P<either_second>\d{{1,2}})[/-](?P<year>\d{{4}}){_TIME}$"
)
_LAYOUTS = (
    _Layout(rf"^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})(?:[-/.](?P<day>\d{{1,2}}))?{_TIME}$"),
    _Layout(rf"^(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?(?P<year>\d{{4}}){_TIME}$"),
    _DAY_OR_MONTH_FIRST,
    _Layout(
        rf"^{_WEEKDAY}(?P<day>\d{{1,2}}){_SUFFIX}[\s.-]*(?P<name>[A-Za-z]{{3,9}})\.?[\s,-]*"
        rf"(?P<year>\d{{4}}){_TIME}$"
    ),
    _Layout(
        rf"^{_WEEKDAY}(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}}){_SUFFIX},?\s+"
        rf"(?P<year>\d{{4}}){_TIME}$"
    ),
    _Layout(
        r"^[A-Za-z]{3}\s+(?P<name>[A-Za-z]{3})\s+(?P<day>\d{1,2})\s+(?P<hour>\d{2}):(?P<minute>\d{2})"
        r":(?P<second>\d{2})\s+(?:(?P<zone>[+-]\d{4}|UTC|GMT)\s+)?(?P<year>\d{4})$"
    ),
)
"""Layouts with one meaning, and `_DAY_OR_MONTH_FIRST`, which the column decides. The last one is
that of ``ctime`` and of feeds: Sat Jan 16 12:30:00 +0000 2021."""


def _combine(fields: dict[str, pl.Series], size: int) -> pl.Series:
    """Combines the parts of dates to Int64 microseconds since 1970; null where one is wrong."""

    def get(name: str, default: int = 0) -> np.ndarray:
        if name not in fields:
            return np.full(size, default, np.int64)
        return fields[name].cast(pl.Int64).fill_null(default).to_numpy()

    year, day, hour, minute, second = (
        get(name, default)
        for name, default in (("year", -1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    if "name" in fields:
        names = fields["name"].fill_null("").str.to_lowercase()
        month = np.array([_find_month(name) for name in names], np.int64)
    else:
        month = get("month", 0)
    if "half" in fields:
        half = fields["half"].str.to_lowercase().str.slice(0, 1).fill_null("").to_numpy()
        is_half = half != ""
        # 12 a.m. is 0:00, 12 p.m. is 12:00.
        hour = np.where(is_half & ((hour < 1) | (hour > 12)), 99, hour)
        hour = np.where(is_half & (hour != 99), hour % 12 + 12 * (half == "p"), hour)
    # What MySQL, .NET and Calibre write where a time is unknown.
    is_unknown = (year == 0) | (np.isin(year, (1, 101)) & (month == 1) & (day == 1))
    is_valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    is_valid &= (hour < 24) & (minute < 60) & (second < 61)
    months = (np.where(is_valid, year, 1970) - 1970) * 12 + np.where(is_valid, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    next_first = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    is_valid &= day <= next_first - first
    seconds = (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second
    if "zone" in fields:
        seconds -= _parse_zones(fields["zone"])
    microseconds = seconds * MICROSECONDS
    if "fraction" in fields:
        fraction = fields["fraction"].fill_null("0").str.slice(0, 6).str.pad_end(6, "0")
        microseconds += fraction.cast(pl.Int64).to_numpy()
    microseconds = np.where(is_unknown, NO_TIME, microseconds)
    return pl.Series(microseconds).set(pl.Series(~(is_valid | is_unknown)), None)


def _find_month(name: str) -> int:
    """Returns the number of an English month, by its first three letters or more; else 0."""
    if len(name) < 3:
        return 0
    starts = (month.startswith(name) for month in MONTHS)
    return next((number for number, is_name in enumerate(starts, 1) if is_name), 0)


def _parse_zones(zones: pl.Series) -> np.ndarray:
    """Parses offsets from UTC, such as +02:00, to seconds."""
    parts = zones.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})?$").struct.unnest()
    sign = np.where((parts[parts.columns[0]] == "-").fill_null(value=False).to_numpy(), -1, 1)
    hours, minutes = (
        parts[column].cast(pl.Int64).fill_null(0).to_numpy() for column in parts.columns[1:]
    )
    offsets: np.ndarray = sign * (hours * 3600 + minutes * 60)
    return offsets


def _parse_compact(texts: pl.Series) -> pl.Series:
    """Parses YYYYMMDD, YYYYMMDDHHMM and YYYYMMDDHHMMSS of the years 1900 to 2099."""
    layout = _Layout(
        r"^(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
        r"(?:(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?(?:\.0*)?$"
    )
    return layout.parse(texts, "")


def _parse_iso(text: str) -> int | None:
    """Parses what else ISO 8601 has, such as weeks."""
    try:
        return _to_microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


def _to_microseconds(time: datetime) -> int:
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1)
