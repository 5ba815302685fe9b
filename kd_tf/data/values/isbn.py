"""Normalizes ISBNs, so that books of two catalogs can be matched by them."""

from __future__ import annotations

import polars as pl

from kd_tf.data.values.numbers import to_ascii_digits

_WEIGHTS_10 = range(10, 0, -1)
_WEIGHTS_13 = (1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)


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
    texts = to_ascii_digits(values)
    isbns = _normalize_single(texts)
    for separator, min_length in _SPLITS:
        is_list = isbns.is_null() & texts.str.contains(separator).fill_null(value=False)
        if not is_list.any():
            continue
        parts = pl.DataFrame({"row": is_list.arg_true(), "text": texts.filter(is_list)})
        parts = parts.with_columns(pl.col("text").str.replace_all(separator, ",").str.split(","))
        parts = parts.explode("text").filter(pl.col("text").str.len_chars() >= min_length)
        parts = parts.with_columns(_normalize_single(parts["text"])).drop_nulls()
        parts = parts.unique("row", keep="first", maintain_order=True)
        isbns = isbns.scatter(parts["row"], parts["text"])
    return isbns.alias(values.name)


def _normalize_single(values: pl.Series) -> pl.Series:
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
