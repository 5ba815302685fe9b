"""Reads whole columns by the rules of `kd_tf.runtime.features.values`, many values at once."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import numpy as np
import polars as pl

from kd_tf.data.values.ids import NULL_VALUES
from kd_tf.runtime.features.values import BLANKS, NUMBER, PLAIN_FRACTION, format_number

EMPTY_QUOTES = ('=""', '""', "''")
"""What spreadsheets write for an empty field, beyond nothing at all."""

_MAX_LIST_LENGTH = 100_000


def list_missing_texts(null_values: Sequence[str] = NULL_VALUES) -> tuple[str, ...]:
    """Lists the texts that stand for a missing value: those given, and empty quotes."""
    texts = (text.strip(BLANKS) for text in (*EMPTY_QUOTES, *null_values))
    return tuple(dict.fromkeys(text for text in texts if text))


def make_canonical_texts(texts: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Returns canonical texts, null where a value is missing; see `to_category`.

    Args:
        texts: String [n].
        missing: Texts that stand for a missing value, beyond the empty one.

    Example:
        >>> texts = pl.Series([" 3.0", "TRUE", "NULL", "-0.00", "007"])
        >>> make_canonical_texts(texts, ["NULL"]).to_list()
        ['3', 'true', None, '0', '007']
    """
    texts = texts.str.strip_chars(BLANKS)
    texts = texts.set(texts.is_in(["", *missing]).fill_null(value=True), None)
    lower_texts = texts.str.to_lowercase()
    is_boolean = lower_texts.is_in(["true", "false"]).fill_null(value=False)
    if is_boolean.any():
        texts = lower_texts.zip_with(is_boolean, texts)
    is_fraction = texts.str.contains(PLAIN_FRACTION).fill_null(value=False)
    if is_fraction.any():
        short_texts = texts.str.strip_chars_end("0").str.strip_chars_end(".")
        texts = short_texts.zip_with(is_fraction, texts)
    return texts.set((texts == "-0").fill_null(value=False), "0")


def use_decimal_point(texts: pl.Series) -> pl.Series:
    """Writes numbers that have a decimal comma with a point.

    Example:
        >>> use_decimal_point(pl.Series(["3,5", "Paris, France", "-,5"])).to_list()
        ['3.5', 'Paris, France', '-.5']
    """
    is_number = texts.str.contains(r"^\s*[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?\s*$")
    if not is_number.any():
        return texts
    return texts.str.replace(",", ".", literal=True).zip_with(
        is_number.fill_null(value=False), texts
    )


def write_exponents_out(texts: pl.Series) -> pl.Series:
    """Writes numbers that have an exponent as `format_number` does.

    For columns of doubles alone: their texts are how a program wrote a number. In a text column
    ``12e4`` may be a name.
    """
    is_exponent = texts.str.contains(NUMBER) & texts.str.contains("[eE]")
    if not is_exponent.any():
        return texts
    plain_texts = [
        text if not np.isfinite(float(text)) else format_number(float(text))
        for text in texts.filter(is_exponent)
    ]
    return texts.clone().scatter(is_exponent.arg_true(), pl.Series(plain_texts, dtype=pl.String))


def write_lists_out(texts: pl.Series) -> pl.Series:
    """Writes lists as programs print them, such as ``['a', 'b']``, with ``|`` between the parts.

    Example:
        >>> write_lists_out(pl.Series(["['a', 'b']", "[]", "[sic]", "a"])).to_list()
        ['a|b', '', '[sic]', 'a']
    """
    is_list = texts.str.contains(r"^\s*\[.*\]\s*$").fill_null(value=False)
    if not is_list.any():
        return texts
    plain_texts = [_join_list(text) for text in texts.filter(is_list)]
    return texts.clone().scatter(is_list.arg_true(), pl.Series(plain_texts, dtype=pl.String))


def _join_list(text: str) -> str:
    try:
        parts = ast.literal_eval(text.strip()) if len(text) <= _MAX_LIST_LENGTH else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if not isinstance(parts, list):
        return text
    is_flat = all(part is None or isinstance(part, (str, int, float)) for part in parts)
    return "|".join("" if part is None else str(part) for part in parts) if is_flat else text


def parse_numbers(texts: pl.Series) -> np.ndarray:
    """Parses canonical texts to float64 [n]: NaN where one is no number or missing.

    A number may be infinite: 1e999.

    Example:
        >>> parse_numbers(pl.Series(["3", "-2.5e1", "cheap", None, "inf", "true"])).tolist()
        [3.0, -25.0, nan, nan, nan, nan]
    """
    is_number = texts.str.contains(NUMBER).fill_null(value=False)
    numbers = np.full(len(texts), np.nan)
    if is_number.any():
        number_texts = texts.filter(is_number)
        parsed_numbers = number_texts.cast(pl.Float64, strict=False)
        if parsed_numbers.null_count():
            # Python reads all forms of a number; this is for what polars may not.
            parsed_numbers = pl.Series([float(text) for text in number_texts], dtype=pl.Float64)
        numbers[is_number.to_numpy()] = parsed_numbers.to_numpy()
    return numbers
