"""Normalizes ISBNs, so that books of two catalogs can be matched by them."""

from __future__ import annotations

import polars as pl

from kd_tf.data.values.distinct import map_distinct
from kd_tf.isbn import convert_to_isbn13

_LISTED = r"[,;/|]"
"""What stands between several ISBNs of one item."""


def normalize_isbn(values: pl.Series) -> pl.Series:
    """Converts ISBNs to their 13-digit form; null where a string is no valid ISBN.

    Understands hyphens, blanks, a leading "ISBN", "ISBN-13:" and the like, quotes and Excel's
    ``="978..."``, brackets, a remark in parentheses, and the ``.0`` of pandas. Of several ISBNs the
    first valid one is taken. Converts ISBN-10 to ISBN-13. Restores the leading zeros that a
    spreadsheet removed, where the check digit is right then. A string with a wrong check digit is
    not an ISBN. Source: ISO 2108.

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
    isbns = _normalize_single(values)
    is_list = isbns.is_null() & values.str.contains(_LISTED)
    if is_list.any():
        parts = pl.DataFrame({"row": is_list.arg_true(), "text": values.filter(is_list)})
        parts = parts.with_columns(pl.col("text").str.replace_all(_LISTED, ",").str.split(","))
        parts = parts.explode("text")
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
        .str.replace_all(r"""[\s\-\u2010-\u2015\u00ad='"\[\]\u2018\u2019\u201c\u201d]""", "")
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
