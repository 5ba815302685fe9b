"""Normalizes ISBNs, so that books of two catalogs can be matched by them."""

from __future__ import annotations

import polars as pl

from kd_tf.data.values.distinct import map_distinct
from kd_tf.data.values.numbers import to_ascii_digits
from kd_tf.isbn import convert_to_isbn13

_LISTED = r"[,;/|:{}<>\r\n\t]"
"""What stands between several ISBNs of one item, or between an ISBN and a remark."""

_SPLITS = ((_LISTED, 1), (r"\s+", 10))
"""What lists are split at, one after another, and the least length of a part: ISBNs may have blanks
in them, so parts between blanks must be whole ones."""


def normalize_isbn(values: pl.Series) -> pl.Series:
    """Converts ISBNs to their 13-digit form; null where a string is no valid ISBN.

    Understands hyphens, blanks, a leading "ISBN", "ISBN-13:" and the like, quotes and Excel's
    ``="978..."``, brackets, a remark in parentheses or after a colon, and the ``.0`` of pandas. Of
    several ISBNs the first valid one is taken. Converts ISBN-10 to ISBN-13. Restores the leading
    zeros that a spreadsheet removed, where the check digit is right then. A string with a wrong
    check digit is not an ISBN. Source: ISO 2108.

    Args:
        values: String [n].

    Returns:
        String [n].

    Example:
        >>> normalize_isbn(pl.Series(["0-306-40615-2", '="9780306406157"', "none"])).to_list()
        ['9780306406157', '9780306406157', None]
    """
    return map_distinct(values, _normalize_distinct)


def _normalize_distinct(values: pl.Series) -> pl.Series:
    texts = to_ascii_digits(values)
    isbns = _normalize_single(texts)
    for separator, min_length in _SPLITS:
        is_list = isbns.is_null() & texts.str.contains(separator)
        if not is_list.any():
            continue
        parts = pl.DataFrame({"row": is_list.arg_true(), "text": texts.filter(is_list)})
        parts = parts.with_columns(pl.col("text").str.replace_all(separator, ",").str.split(","))
        parts = parts.explode("text").filter(pl.col("text").str.len_chars() >= min_length)
        parts = parts.with_columns(_normalize_single(parts["text"])).drop_nulls()
        parts = parts.unique("row", keep="first", maintain_order=True)
        isbns = isbns.scatter(parts["row"], parts["text"])
    return isbns


def _normalize_single(values: pl.Series) -> pl.Series:
    """Normalizes distinct texts with one ISBN each."""
    plain = (
        values.str.to_uppercase()
        .str.replace(r"^\s*ISBN(?:[-\s]?1[03][:\s]+|[:\s]*)", "")
        .str.replace_all(r"\([^()]*\)", "")
        .str.replace_all(
            r"""[\s\-\u2010-\u2015\u00ad\u200b-\u200f\u2060\ufeff='"\[\]\u2018\u2019\u201c\u201d]""",
            "",
        )
        .str.replace(r"\.0+$", "")
    )
    ten = _keep_matching(plain, r"^[0-9]{6,9}[0-9X]$").str.zfill(10)
    thirteen = _keep_matching(plain, r"^97[89][0-9]{10}$")
    texts = thirteen.zip_with(thirteen.is_not_null(), ten)
    return pl.Series(
        values.name,
        [None if text is None else convert_to_isbn13(text) for text in texts],
        dtype=pl.String,
    )


def _keep_matching(values: pl.Series, pattern: str) -> pl.Series:
    """Replaces the values that do not match the regular expression with null."""
    return values.set(~values.str.contains(pattern).fill_null(value=False), None)
