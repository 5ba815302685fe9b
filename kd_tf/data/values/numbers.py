"""Reads numbers, with a decimal point or a decimal comma."""

from __future__ import annotations

import unicodedata
from typing import Literal

import polars as pl

DecimalMark = Literal[".", ","]

_LAST_YEAR = 2100
_DATES = (
    r"^\s*([0-9]{4})(?:[-/][0-9]{1,2}\b|\.[0-9]{1,2}\.[0-9]{1,2}\b).*$",
    r"^\s*((?:1[4-9]|20)[0-9]{2})(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])\s*$",
    r"^\s*[0-9]{1,2}[-/.]\s?[0-9]{1,2}[-/.]\s?([0-9]{4})\s*$",
)

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
    """Parses texts to Int32, null where a text is not a whole number, or above 2100.

    Of a date with the year at its beginning or end, such as 2019-03-05, 20190305 or 5.3.2019, the
    year is taken.

    Example:
        >>> parse_years(pl.Series(["1965", "1965.0", "2019-03-05", "3/5/2019", "soon"])).to_list()
        [1965, 1965, 2019, 2019, None]
    """
    texts = values
    for date in _DATES:
        texts = texts.str.replace(date, "${1}")
    numbers = parse_floats(texts)
    is_year = (numbers == numbers.floor()) & (numbers <= _LAST_YEAR)
    return numbers.set(~is_year, None).cast(pl.Int32, strict=False)


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
    # `scatter` writes into the series that it is called on.
    return texts.clone().scatter(has_others.arg_true(), pl.Series(plain_texts, dtype=pl.String))


def mask_non_finite(numbers: pl.Series) -> pl.Series:
    """Replaces NaN and infinity with null."""
    return numbers.set(~numbers.is_finite(), None)
