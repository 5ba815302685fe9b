"""How a single value of a row is read, in words that JavaScript and Java can follow.

docs/reference/features.md has the same rules. A value is null, a boolean, a number or a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

BLANKS = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What is cut off at both ends of a text: what JavaScript's ``trim`` cuts off."""

NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
"""A number as text, without blanks around it."""

PLAIN_FRACTION = r"^-?(?:0|[1-9][0-9]*)\.[0-9]*$"
"""A number whose zeros at the end of the fraction do not count."""

MILLISECONDS_FROM = 1e11
"""A time that is a number of this size or more counts milliseconds: as seconds it would be in the
year 5138, as milliseconds it is in 1973."""

SECONDS_FROM = 1e8
"""Smaller numbers are no times: they are dates such as 20240131, days, or places in an order."""

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999."""

_NUMBER = re.compile(NUMBER)
_PLAIN_FRACTION = re.compile(PLAIN_FRACTION)
_TIME = re.compile(
    r"^([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r" ?(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?$"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MISSING_TYPES = frozenset({"NAType", "NaTType"})
_LARGEST_INTEGER = 10**300


class UnreadableValueError(ValueError):
    """A value of a row that its column cannot have; the text follows the column's name."""


def to_category(value: Any, missing: frozenset[str]) -> str | None:
    """Returns the canonical text of a value, None where it is missing.

    - null and NaN are missing.
    - A boolean is ``true`` or ``false``.
    - A number is written by `format_number`: 3 and 3.0 are ``3``.
    - A text is trimmed of `BLANKS`. It is missing if nothing is left or if it is in `missing`. A
      text that is ``true`` or ``false`` in any case of its letters is written in lower case. If it
      is a number with a decimal point, without exponent and without needless zeros at its beginning
      (`PLAIN_FRACTION`), the zeros at the end of its fraction are cut off, and the point if nothing
      follows it. ``-0`` is ``0``. Nothing else is changed: ``007``, ``+7`` and ``7e0`` are other
      categories than ``7``. Half a surrogate pair becomes U+FFFD.

    Args:
        value: The value.
        missing: Texts that stand for a missing value, beyond the empty one.

    Raises:
        UnreadableValueError: The value is infinite or has another type.

    Example:
        >>> [to_category(value, frozenset({"NULL"})) for value in (3, " 3.0 ", True, "NULL", 0.5)]
        ['3', '3', 'true', None, '0.5']
    """
    if isinstance(value, str):
        return make_canonical(value, missing)
    value = _unwrap(value)
    if value is None:
        return None
    if isinstance(value, str):
        return make_canonical(value, missing)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= _LARGEST_INTEGER:
            raise UnreadableValueError("is too large a number")
        return str(value)
    if isinstance(value, float):
        return None if math.isnan(value) else format_number(_check_finite(value))
    if isinstance(value, date):
        return value.isoformat()
    raise UnreadableValueError(f"must be a text or a number, not {_show(value)}")


def make_canonical(text: str, missing: frozenset[str]) -> str | None:
    """Returns the canonical form of a text, None where it is missing; see `to_category`."""
    text = text.strip(BLANKS)
    if not text or text in missing:
        return None
    if len(text) in (4, 5) and text.isascii() and text.lower() in ("true", "false"):
        return text.lower()
    if "." in text and _PLAIN_FRACTION.match(text):
        text = text.rstrip("0").rstrip(".")
    if text == "-0":
        return "0"
    return join_surrogates(text)


def join_surrogates(text: str) -> str:
    """Returns a text that UTF-8 can write: half a surrogate pair becomes U+FFFD."""
    if text.isascii() or not _LONE_SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def format_number(number: float) -> str:
    """Writes a finite number with the fewest digits that read back, and the nearest of these.

    Of two that are equally near it is the even one. These are the digits of ``String(x)`` in
    JavaScript. No exponent, no point behind whole numbers, no minus before 0.

    Example:
        >>> [format_number(number) for number in (3.0, -0.0, 0.1, 1e-7, 1e22, 1234.5)]
        ['3', '0', '0.1', '0.0000001', '10000000000000000000000', '1234.5']
    """
    if number == int(number) and abs(number) < 2**53:
        return str(int(number))
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_number(value: Any, missing: frozenset[str]) -> float:
    """Returns a value as a number, NaN where it is missing.

    null and NaN are missing; a boolean is 1 or 0; a text is trimmed and then missing (empty, or in
    `missing`) or a number with a decimal point (`NUMBER`), which is read as a double.

    Raises:
        UnreadableValueError: The value is infinite, no number, or has another type.

    Example:
        >>> [to_number(value, frozenset()) for value in (3, " 2.5e1 ", True, "")]
        [3.0, 25.0, 1.0, nan]
    """
    value = _unwrap(value)
    if value is None:
        return math.nan
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text or text in missing:
            return math.nan
        if not _NUMBER.match(text):
            raise UnreadableValueError(f"must be a number, not {_show(value)}")
        return _check_finite(float(text))
    if isinstance(value, (bool, int, float)):
        if isinstance(value, float) and math.isnan(value):
            return math.nan
        if isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
            raise UnreadableValueError("is too large a number")
        return _check_finite(float(value))
    raise UnreadableValueError(f"must be a number, not {_show(value)}")


def to_seconds(value: Any, missing: frozenset[str]) -> float:
    """Returns a time as whole Unix seconds, rounded down; NaN where it is missing.

    A text is missing, a number, or ISO 8601: ``2024-01-31``, with ``T`` or a blank and ``10:20``,
    ``10:20:30`` or ``10:20:30.5`` behind it, and with ``Z`` or an offset such as ``+01:00`` behind
    that. Without an offset it is UTC. A number counts seconds since 1970, or milliseconds from
    `MILLISECONDS_FROM` on; 0 and -1 are missing; other numbers below `SECONDS_FROM` are refused.

    Raises:
        UnreadableValueError: The value is no time of the years 1 to 9999.

    Example:
        >>> [to_seconds(value, frozenset()) for value in ("2024-01-31T10:20+01:00", 1706692800123)]
        [1706692800.0, 1706692800.0]
    """
    value = _unwrap(value)
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str):
        text = value.strip(BLANKS)
        if not text or text in missing:
            return math.nan
        match = _TIME.match(text)
        if match:
            return _combine_time(match, value)
        if not _NUMBER.match(text):
            raise UnreadableValueError(
                f"must be a time in ISO 8601 or Unix seconds, not {_show(value)}"
            )
    elif isinstance(value, bool):
        raise UnreadableValueError(f"must be a time, not {value}")
    number = to_number(value, missing)
    if math.isnan(number) or number in (0, -1):
        return math.nan
    seconds = math.floor(number / 1000 if abs(number) >= MILLISECONDS_FROM else number)
    if number < SECONDS_FROM or seconds > LAST_SECOND:
        raise UnreadableValueError(
            f"must be a time in ISO 8601 or Unix seconds, not {_show(value)}"
        )
    return float(seconds)


def to_list(value: Any, missing: frozenset[str], separator: str) -> tuple[str, ...]:
    """Returns the values of a list, each once, in their order; empty where it is missing.

    A text is split at `separator`; any other value that is no list is a list of one value. Parts
    are read by `to_category`, and missing parts are left out.

    Raises:
        UnreadableValueError: A part is infinite or has another type.

    Example:
        >>> to_list("a| b||a", frozenset(), "|"), to_list(["x", 3], frozenset(), "|")
        (('a', 'b'), ('x', '3'))
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str):
        text = value.strip(BLANKS)
        parts: Sequence[Any] = () if text in missing else text.split(separator)
    else:
        parts = value if isinstance(value, (list, tuple)) else (value,)
    texts = (to_category(part, missing) for part in parts)
    return tuple(dict.fromkeys(text for text in texts if text is not None))


def _unwrap(value: Any) -> Any:
    """Returns plain Python values for NumPy's, and None for the missing values of pandas."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic):
        value = value.item()
    return None if type(value).__name__ in _MISSING_TYPES else value


def _check_finite(number: float) -> float:
    if not math.isfinite(number):
        raise UnreadableValueError("is infinite")
    return number


def _combine_time(match: re.Match[str], value: str) -> float:
    """Combines the parts of an ISO 8601 text."""
    year, month, day, hour, minute, second = (
        int(part) if part else 0 for part in match.groups()[:6]
    )
    try:
        time = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        time = None
    offset_hours, offset_minutes = (int(part or 0) for part in match.groups()[8:10])
    if time is None or second > 60 or offset_hours > 23 or offset_minutes > 59:
        raise UnreadableValueError(f"must be a time that exists, not {_show(value)}")
    offset = (offset_hours * 60 + offset_minutes) * 60
    days = time.toordinal() - date(1970, 1, 1).toordinal()
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    seconds += offset if match[8] == "-" else -offset
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise UnreadableValueError(f"must be a time of the years 1 to 9999, not {_show(value)}")
    return float(seconds)


def _show(value: Any) -> str:
    """Formats a value for a message, at most 60 characters of it."""
    text = repr(value) if isinstance(value, (str, int, float, bool)) else _show_object(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _show_object(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, dict) else f"a value of type {type(value).__name__}"
