"""Joins the columns of texts of a table to one text per row, each distinct one once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kd_tf.data.ranking.column_types import ColumnSummary
from kd_tf.data.ranking.raw_table import RawColumn, number_combinations


def list_text_columns(
    summaries: Sequence[ColumnSummary], columns: Mapping[str, RawColumn], text_names: Sequence[str]
) -> list[str]:
    """Lists the columns that are encoded as texts: those that are named, else all sentences.

    Args:
        summaries: What each column is.
        columns: The columns of the table; sentences that were not kept cannot be encoded.
        text_names: Columns that the settings name as texts.
    """
    return [
        summary.name
        for summary in summaries
        if summary.kind == "text"
        and not columns[summary.name].is_long_text
        and (not text_names or summary.name in text_names)
    ]


def join_texts(columns: Sequence[RawColumn]) -> tuple[pl.Series, np.ndarray]:
    """Joins the texts of columns, row by row.

    Args:
        columns: At least one column.

    Returns:
        String [d], the distinct texts, and int32 [n], the place of each row's text in them; -1
        where no column has a value.

    Example:
        >>> title = RawColumn("title", np.array([0, 0, 1, -1]), pl.Series(["Red", "Blue"]))
        >>> about = RawColumn("about", np.array([0, 0, -1, -1]), pl.Series(["a ship"]))
        >>> texts, ids = join_texts([title, about])
        >>> texts.to_list(), ids.tolist()
        (['Red. a ship', 'Blue'], [0, 0, 1, -1])
    """
    combinations, codes = number_combinations(columns)
    frame = pl.DataFrame({str(number): texts for number, texts in enumerate(combinations)})
    texts = frame.select(pl.concat_str(pl.all(), separator=". ", ignore_nulls=True).alias("text"))[
        "text"
    ]
    is_empty = frame.select(pl.all_horizontal(pl.all().is_null()))["0"].to_numpy()
    ids = np.cumsum(~is_empty, dtype=np.int32) - 1
    ids[is_empty] = -1
    return texts.filter(pl.Series(~is_empty)), ids[codes]
