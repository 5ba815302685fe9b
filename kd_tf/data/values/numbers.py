"""Reads numbers, with a decimal point or a decimal comma."""

from __future__ import annotations

import unicodedata
from typing import Literal

import polars as pl

DecimalMark = Literal[".", ","]

_OTHER_DIGITS = r"[\p{Nd}--[0-9]]"


def parse_ratings(values: pl.Series, decimal: DecimalMark = ".") -> pl.Series:
    """Parses texts to Float32, null where a text is not a finite number.

    Example:
        >>> parse_ratings(pl.Series(["4.5", "nan", "five"])).to_list()
        [4.5, None, None]
        >>> parse_ratings(pl.Series(["4,5", "4.5"]), ",").to_list()
        [4.5, None]
    """
    return mask_non_finite(parse_floats(values, decimal).cast(pl.Float32, strict=False))


def parse_years(values: pl.Series) -> pl.Series:
    """Parses texts to Int32, null where a text is not a whole number.

    Of a date that begins with the year, such as 2019-03-05 or 2019/03, the year is taken.

    Example:
        >>> parse_years(pl.Series(["1965", "1965.0", "2019-03-05", "soon"])).to_list()
        [1965, 1965, 2019, None]
    """
    numbers = parse_floats(values.str.replace(r"^\s*([0-9]{4})[-/][0-9]{1,2}\b.*$", "${1}"))
    return numbers.set(numbers != numbers.floor(), None).cast(pl.Int32, strict=False)


def parse_floats(values: pl.Series, decimal: DecimalMark = ".") -> pl.Series:
    """Parses texts to Float64, null where a text is not a number."""
    texts = to_ascii_digits(values.str.strip_chars())
    if decimal == ",":
        # A point would be read as the decimal mark, a thousand times or a tenth of what is meant.
        texts = texts.set(texts.str.contains(".", literal=True).fill_null(value=False), None)
        texts = texts.str.replace(",", ".", literal=True)
    return texts.cast(pl.Float64, strict=False)


def to_ascii_digits(texts: pl.Series) -> pl.Series:
    """Writes digits of other scripts, such as Arabic ones, as 0 to 9.

    Example:
        >>> to_ascii_digits(pl.Series(["٢٠٢١-٠١-١٦", "7"])).to_list()
        ['2021-01-16', '7']
    """
    has_others = texts.str.contains(_OTHER_DIGITS).fill_null(value=False)
    if not has_others.any():
        return texts
    plain_texts = [
        "".join(str(unicodedata.decimal(sign, sign)) for sign in text)
        for text in texts.filter(has_others)
    ]
    return texts.scatter(has_others.arg_true(), pl.Series(plain_texts, dtype=pl.String))


def mask_non_finite(numbers: pl.Series) -> pl.Series:
    """Replaces NaN and infinity with null."""
    return numbers.set(~numbers.is_finite(), None)
