"""Converts every distinct text of a column once."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl


def map_distinct(values: pl.Series, convert: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Converts every distinct text of a column once; null stays null.

    Args:
        values: String [n].
        convert: From distinct texts, without null and in any order, to as many values.

    Returns:
        What `convert` returns, for each of the n texts.

    Example:
        >>> texts = pl.Series(["a", None, "bb", "a"])
        >>> map_distinct(texts, lambda distinct: distinct.str.len_chars()).to_list()
        [1, None, 2, 1]
    """
    distinct_values = values.drop_nulls().unique()
    table = pl.DataFrame(
        {"text": distinct_values, "value": convert(distinct_values)},
        schema_overrides={"text": pl.String},
    )
    rows = pl.DataFrame({"text": values}, schema_overrides={"text": pl.String})
    return rows.join(table, on="text", how="left", maintain_order="left")["value"].alias(
        values.name
    )
