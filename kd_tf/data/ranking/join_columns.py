"""Joins the columns of a table of users or items to the rows of interactions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl

from kd_tf.data.ranking.raw_table import RawColumn, RawTable
from kd_tf.errors import UserError


def join_columns(
    table: RawTable,
    id_column: str,
    side: RawTable,
    side_id: str,
    what: str,
    min_matched_share: float,
) -> RawTable:
    """Adds the columns of another table, row by row, by an id.

    Ids are compared as canonical texts: 7, 7.0 and "7" are the same. A row whose id the other table
    does not have gets missing values. A column whose name is taken is called ``item year`` or
    ``user year``.

    Args:
        table: The interactions.
        id_column: Their column with the ids.
        side: The table of users or items.
        side_id: Its column with the ids.
        what: ``user`` or ``item``.
        min_matched_share: The least share of the distinct ids that the other table must have.

    Returns:
        The joined table.

    Raises:
        UserError: An id stands in two rows of the other table, or too few ids are in both tables.
    """
    column, side_column = table.columns[id_column].as_codes, side.columns[side_id].as_codes
    assert column.codes is not None
    assert side_column.codes is not None
    _check_distinct_ids(side, side_column, what)
    side_rows = pl.DataFrame(
        {
            "id": pl.concat([side_column.texts, pl.Series([None], dtype=pl.String)]).gather(
                np.where(side_column.codes < 0, len(side_column.texts), side_column.codes)
            ),
            "row": np.arange(len(side), dtype=np.int64),
        }
    ).drop_nulls()
    ids = pl.DataFrame({"id": column.texts})
    matches = ids.join(side_rows, on="id", how="left", maintain_order="left")["row"].fill_null(-1)
    row_of_code = np.append(matches.to_numpy(), -1)
    rows = row_of_code[column.codes]
    num_unmatched = int((rows < 0).sum())
    share = float((matches.to_numpy() >= 0).mean()) if len(matches) else 0.0
    if share < min_matched_share or num_unmatched == len(rows):
        examples = ids.filter(matches < 0)["id"].head(1).to_list()
        raise UserError(
            f"only {share:.0%} of the {what}s of the interactions are in the table of {what}s; "
            f"{', '.join(map(repr, examples))} is not",
            where=side.locate(0, side_id),
            hint=f"Name the column with the ids of the {what}s: {what}_id. If so many are unknown: "
            "min_matched_share.",
        )
    notes: tuple[str, ...] = ()
    if num_unmatched:
        notes = (
            f"{num_unmatched:,} of {len(rows):,} rows have ids that are not in the table of "
            f"{what}s; its columns are missing there",
        )
    side_names = [name for name in side.columns if name != side_id]
    joined_names = list_joined_names(list(table.columns), list(side.columns), side_id, what)
    columns = dict(table.columns)
    for name, joined_name in zip(side_names, joined_names, strict=True):
        columns[joined_name] = dataclasses.replace(side.columns[name].take(rows), name=joined_name)
    return dataclasses.replace(table, columns=columns, notes=table.notes + notes)


def list_joined_names(
    names: Sequence[str], side_names: Sequence[str], side_id: str, what: str
) -> tuple[str, ...]:
    """Lists how the columns of another table are called once they are joined.

    Args:
        names: Columns of the interactions.
        side_names: Columns of the other table.
        side_id: Its column with the ids, which is not joined.
        what: ``user`` or ``item``.

    Example:
        >>> list_joined_names(["user", "item", "year"], ["id", "year", "genre"], "id", "item")
        ('item year', 'genre')
    """
    return tuple(
        f"{what} {name}" if name in names else name for name in side_names if name != side_id
    )


def _check_distinct_ids(side: RawTable, column: RawColumn, what: str) -> None:
    assert column.codes is not None
    present_codes = column.codes[column.codes >= 0]
    counts = np.bincount(present_codes, minlength=len(column.texts))
    if len(counts) and counts.max() > 1:
        code = int(counts.argmax())
        row = int(np.flatnonzero(column.codes == code)[1])
        raise UserError(
            f"{what} {column.texts[code]!r} is in two rows of the table of {what}s",
            where=side.locate(row, column.name),
            hint="Keep one row for each.",
        )
