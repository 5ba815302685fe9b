"""Reads ids: which texts are none, and how two writings of the same id are made equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import polars as pl

from kd_tf.choices import NormalizeIds
from kd_tf.data.values.isbn import normalize_isbn

NULL_VALUES = (
    *("NULL", "Null", "null", "None", "none", "NaN", "nan", "NAN", "NA", "N/A", "n/a", "#N/A"),
    *(r"\N", "<NA>", "NaT", "NONE", "(null)", "(NULL)", "[null]", "[NULL]", "<null>", "<NULL>"),
    *("undefined", "nil", "#NA", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"),
)
"""Texts that stand for a missing value in the exports of databases, spreadsheets and programs."""

_TOTAL = (
    r"^(?:(?:grand |sub)?totals?\b.*|sum|count|average|mean|summe|gesamt(?:summe)?|insgesamt|"
    r"anzahl|totale|totaal|somme|suma|soma|razem|toplam|итого|всего|总计|合计|小计|合計|総計|小計)$"
)
"""First fields of the last rows of a report, in lower case."""

_EMPTY = ("", '=""', '""', "''")
_SCIENTIFIC = r"^\s*[0-9](?:(?:[.,][0-9]+)?[Ee]\+[0-9]+|[.,][0-9]+[Ee]-?[0-9]+)\s*$"

_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + _INVISIBLE
"""What is not seen at the ends of a text: blanks of all kinds and signs without a width."""


def parse_ids(values: pl.Series) -> pl.Series:
    """Returns ids unchanged ("007" is not "7", " a" is not "a"), null where they are empty."""
    return values.replace("", None)


def mask_missing(values: pl.Series, null_values: tuple[str, ...]) -> pl.Series:
    """Replaces texts that stand for a missing value with null.

    Args:
        values: String [n].
        null_values: Such texts, beyond blanks and empty quotes; blanks around them do not matter.

    Example:
        >>> mask_missing(pl.Series(["7", " NULL", '=""', "  "]), NULL_VALUES).to_list()
        ['7', None, None, None]
    """
    is_missing = values.str.strip_chars(_BLANKS).is_in([*_EMPTY, *null_values])
    return values.set(is_missing.fill_null(value=True), None) if is_missing.any() else values


def mask_scientific(values: pl.Series) -> pl.Series:
    """Replaces numbers in scientific notation, such as 9.78E+12, with null.

    Spreadsheets write long ids like this, with a decimal comma in many countries. The digits are
    lost: many ids have become one.
    """
    is_scientific = values.str.contains(_SCIENTIFIC).fill_null(value=False)
    return values.set(is_scientific, None) if is_scientific.any() else values


def mask_totals(values: pl.Series) -> pl.Series:
    """Says which texts begin a row of totals in a report.

    Example:
        >>> mask_totals(pl.Series(["Total:", "Total loans", "Gesamtsumme", "totally"])).to_list()
        [True, True, True, False]
    """
    return values.str.strip_chars(f"{_BLANKS}:").str.to_lowercase().str.contains(_TOTAL)


def normalize_ids(values: pl.Series, how: NormalizeIds) -> pl.Series:
    """Changes ids to the form in which they are compared.

    Args:
        values: String [n], null where an id is missing.
        how: See `kd_tf.choices.NormalizeIds`.

    Example:
        >>> normalize_ids(pl.Series(["011", "11.0", '="11"', "x1"]), "integers").to_list()
        ['11', '11', '11', 'x1']
        >>> normalize_ids(pl.Series(["0-306-40615-2", "9780306406157"]), "isbn").to_list()
        ['9780306406157', '9780306406157']
    """
    return values if how == "none" else _NORMALIZERS[how](values)


def explain_mismatch(ids: pl.Series, other_ids: pl.Series) -> NormalizeIds | None:
    """Finds the normalization with which most ids are among the others.

    Args:
        ids: String [n], ids of one table that are not in the other.
        other_ids: String [m], the ids of the other table.

    Returns:
        The normalization; None if none brings at least half of the ids together.
    """
    shares = {
        how: float(normalize_ids(ids, how).is_in(normalize_ids(other_ids, how).implode()).mean())  # type: ignore[arg-type]
        for how in get_args(NormalizeIds)
        if how != "none" and len(ids)
    }
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] >= 0.5 else None


def _normalize_integers(values: pl.Series) -> pl.Series:
    pattern = r"""^[\s='"]*0*([0-9]+)(?:\.0+)?[\s'"]*$"""
    integers = values.str.extract(pattern)
    return integers.zip_with(integers.is_not_null(), values.str.strip_chars()).alias(values.name)


def _normalize_isbns(values: pl.Series) -> pl.Series:
    isbns = normalize_isbn(values)
    return isbns.zip_with(isbns.is_not_null(), values.str.strip_chars()).alias(values.name)


def _normalize_text(values: pl.Series) -> pl.Series:
    return values.str.normalize("NFC").str.strip_chars(_BLANKS).str.to_lowercase()


_NORMALIZERS: dict[NormalizeIds, Callable[[pl.Series], pl.Series]] = {
    "text": _normalize_text,
    "integers": _normalize_integers,
    "isbn": _normalize_isbns,
}
