"""Normalizes ISBNs, so that books of two catalogs can be matched by them."""

from __future__ import annotations

import polars as pl

_WEIGHTS_10 = range(10, 0, -1)
_WEIGHTS_13 = (1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)


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
    isbns = _normalize_single(values)
    is_list = isbns.is_null() & values.str.contains(_LISTED).fill_null(value=False)
    if is_list.any():
        parts = pl.DataFrame({"row": is_list.arg_true(), "text": values.filter(is_list)})
        parts = parts.with_columns(pl.col("text").str.replace_all(_LISTED, ",").str.split(","))
        parts = parts.explode("text")
        parts = parts.with_columns(_normalize_single(parts["text"])).drop_nulls()
        parts = parts.unique("row", keep="first", maintain_order=True)
        isbns = isbns.scatter(parts["row"], parts["text"])
    return isbns.alias(values.name)


def _normalize_single(values: pl.Series) -> pl.Series:
    plain = (
        values.str.to_uppercase()
        .str.replace(r"^\s*ISBN(?:[-\s]?1[03][:\s]+|[:\s]*)", "")
        .str.replace_all(r"\([^()]*\)", "")
        .str.replace_all(r"""[\s\-\u2010-\u2015\u00ad='"\[\]\u2018\u2019\u201c\u201d]""", "")
        .str.replace(r"\.0+$", "")
    )
    ten = _keep_matching(plain, r"^[0-9]{6,9}[0-9X]$").str.zfill(10)
    thirteen = _keep_matching(plain, r"^97[89][0-9]{10}$")
    body = "978" + ten.str.slice(0, 9)
    from_ten = body + ((10 - _sum_weighted_digits(body, _WEIGHTS_13[:12]) % 10) % 10).cast(
        pl.String
    )
    from_ten = from_ten.set(_sum_weighted_digits(ten, _WEIGHTS_10) % 11 != 0, None)
    thirteen = thirteen.set(_sum_weighted_digits(thirteen, _WEIGHTS_13) % 10 != 0, None)
    return thirteen.zip_with(thirteen.is_not_null(), from_ten).alias(values.name)


def _keep_matching(values: pl.Series, pattern: str) -> pl.Series:
    """Replaces the values that do not match the regular expression with null."""
    return values.set(~values.str.contains(pattern).fill_null(value=False), None)


def _sum_weighted_digits(digits: pl.Series, weights: range | tuple[int, ...]) -> pl.Series:
    """Returns the weighted sum of the digits; X is ten."""
    total = pl.Series([0]).new_from_index(0, len(digits))
    for position, weight in enumerate(weights):
        digit = digits.str.slice(position, 1).replace("X", "10").cast(pl.Int64)
        total = total + digit * weight
    return total
