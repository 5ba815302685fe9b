"""Sizes as people write them: ``600kB``, ``1.5MB``, ``2MiB`` or ``250000``."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Parses a size in bytes.

    Args:
        text: A number and a unit, in any case: B, kB, MB, GB (powers of 1000), KiB, MiB, GiB
            (powers of 1024). A number alone counts bytes. Parts of a byte are dropped.

    Raises:
        ValueError: The text is no size, or the size is less than a byte.

    Example:
        >>> parse_size("600kB"), parse_size("1.5 MB"), parse_size("2KiB"), parse_size("250000")
        (600000, 1500000, 2048, 250000)
        >>> parse_size("600k")
        Traceback (most recent call last):
        ...
        ValueError: '600k' is not a size; write for example 600kB, 1.5MB, 2MiB or 250000 (bytes)
    """
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(
            f"{text!r} is not a size; write for example 600kB, 1.5MB, 2MiB or 250000 (bytes)"
        )
    size = int(Decimal(match[1]) * unit)
    if size < 1:
        raise ValueError(f"{text!r} is less than a byte")
    return size
