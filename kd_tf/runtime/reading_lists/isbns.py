"""Finds the ISBNs in a cell, in the notations of the services."""

from __future__ import annotations

import re

_DECORATION = re.compile(r"[=\"\s\[\]\u2010-\u2015-]+")


def list_isbns(cell: str) -> list[str]:
    """Lists the valid ISBNs of a cell as 13 digits.

    Args:
        cell: Such as ``="0439023483"`` (Goodreads), ``[0439023483]`` or ``0439023483,
            9780439023481`` (LibraryThing).

    Returns:
        Those with the right check digit, in the order of the cell.

    Example:
        >>> list_isbns('="0306406152"'), list_isbns("[0-306-40615-3], 9780306406157")
        (['9780306406157'], ['9780306406157'])
    """
    numbers = (_normalize_isbn(_DECORATION.sub("", text)) for text in re.split("[,;|]", cell))
    return [number for number in numbers if number]


def _normalize_isbn(text: str) -> str | None:
    """Returns the 13 digits of an ISBN; None if it is not one. Source: ISO 2108."""
    if re.fullmatch("[0-9]{13}", text):
        return text if _compute_check_digit(text) == text[12] else None
    if not re.fullmatch("[0-9]{9}[0-9Xx]", text):
        return None
    digits = [10 if char in "Xx" else int(char) for char in text]
    if sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True)) % 11:
        return None
    body = "978" + text[:9]
    return body + _compute_check_digit(body)


def _compute_check_digit(digits: str) -> str:
    """Returns the last digit of an ISBN of which the first twelve digits are given."""
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits[:12]))
    return str(-total % 10)
