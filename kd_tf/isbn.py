"""Checks an ISBN and gives it its 13-digit form."""

from __future__ import annotations

import re
from operator import mul

_TEN = re.compile("[0-9]{9}[0-9X]")
_THIRTEEN = re.compile("[0-9]{13}")


def convert_to_isbn13(text: str) -> str | None:
    """Returns the 13 digits of an ISBN; None if the text is none. Source: ISO 2108.

    Args:
        text: 10 or 13 digits without hyphens; the last of ten may be X.

    Example:
        >>> convert_to_isbn13("0306406152"), convert_to_isbn13("080442957X")
        ('9780306406157', '9780804429573')
        >>> convert_to_isbn13("9780306406157"), convert_to_isbn13("9780306406158")
        ('9780306406157', None)
    """
    if _THIRTEEN.fullmatch(text):
        return text if text[12] == _compute_check_digit(text) else None
    if not _TEN.fullmatch(text):
        return None
    last = 10 if text[9] == "X" else int(text[9])
    if (sum(map(mul, map(int, text[:9]), range(10, 1, -1))) + last) % 11:
        return None
    body = "978" + text[:9]
    return body + _compute_check_digit(body)


def _compute_check_digit(digits: str) -> str:
    """Returns the last digit of an ISBN of which the first twelve digits are given."""
    codes = digits[:12].encode("ascii")
    return str((24 * ord("0") - sum(codes[::2]) - 3 * sum(codes[1::2])) % 10)
