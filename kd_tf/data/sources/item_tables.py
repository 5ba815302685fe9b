"""Joins more columns to the catalog of a data set: descriptions, subjects, paths of covers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl

from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.bad_rows import OnBadRows
from kd_tf.data.formats.files import get_single_table
from kd_tf.data.formats.tables import open_table
from kd_tf.data.id_match import check_overlap
from kd_tf.data.sources.csv_files import COLUMN_NAMES
from kd_tf.data.sources.item_rows import ItemColumns, read_items
from kd_tf.data.values.rules import ValueRules
from kd_tf.errors import UserError

_CATALOG_NAMES = {usual: column for column, names in COLUMN_NAMES.items() for usual in names}


def join_item_table(
    dataset: Dataset,
    path: str | Path,
    id_column: str,
    *,
    on_bad_rows: OnBadRows = "stop",
    values: ValueRules | None = None,
) -> Dataset:
    """Joins all columns of a table of items to the catalog of a data set: ``kd.data.join_items``.

    Columns with a usual name of a catalog's column (`COLUMN_NAMES`, such as ``description`` for
    ``text``) fill that column where it is missing; values that the catalog has already stay. Other
    columns are added under their own name, in lower case.

    Args:
        dataset: The data set.
        path: The table: CSV, TSV, Parquet or Excel workbook.
        id_column: Its column with the data set's item ids.
        on_bad_rows: What to do with a bad row.
        values: How values are written.

    Returns:
        The data set with the same items in the same order, and notes on what did not meet.

    Raises:
        UserError: The table cannot be read, has no such column, or fewer than half of the items of
            one of both are in the other.

    Example:
        >>> import tempfile
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> path = Path(tempfile.mkdtemp()) / "subjects.csv"
        >>> _ = path.write_text("id,Subjects\\nbk-00001,cooking\\nbk-00002,sailing\\n")
        >>> dataset = generate_bookshop(num_items=50, num_users=20)
        >>> joined = join_item_table(dataset, path, "id")
        >>> joined.catalog.frame["subjects"].to_list()[:3]
        ['cooking', 'sailing', None]
    """
    catalog, notes = join_columns(
        dataset.catalog, path, id_column, on_bad_rows=on_bad_rows, values=values
    )
    return dataclasses.replace(dataset, catalog=catalog, notes=(*dataset.notes, *notes))


def join_columns(
    catalog: Catalog,
    path: str | Path,
    id_column: str,
    *,
    on_bad_rows: OnBadRows = "stop",
    values: ValueRules | None = None,
) -> tuple[Catalog, tuple[str, ...]]:
    """Joins all columns of a table of items to a catalog; see `join_item_table`.

    Returns:
        The catalog with the same items in the same order, and notes on what did not meet.
    """
    table = open_table(get_single_table(Path(path)))
    columns = table.list_columns()
    if not columns:
        raise UserError(
            "the table has no header", where=str(path), hint="Its first line must name the columns."
        )
    if id_column not in columns:
        raise UserError(
            f"there is no column {id_column!r}; the columns are {', '.join(map(repr, columns))}",
            where=table.locate(1),
            hint="Name the column with the item ids: --item-table-id.",
        )
    known_columns: dict[str, str] = {}
    other_columns = []
    for name in columns:
        role = _CATALOG_NAMES.get(name.strip().lower())
        if name == id_column:
            continue
        if role is None or role in known_columns:
            other_columns.append(name)
        else:
            known_columns[role] = name
    frame, notes = read_items(
        table,
        ItemColumns(id_column, **known_columns),
        on_bad_rows=on_bad_rows,
        values=values,
        other_columns=other_columns,
    )
    frame = frame.rename({name: name.strip().lower() for name in other_columns})
    notes += _describe_match(catalog.frame["item_id"], frame["item_id"], str(path))
    joined_frame = catalog.frame.join(
        frame, on="item_id", how="left", maintain_order="left", suffix=_NEW
    )
    joined_frame = joined_frame.with_columns(
        pl.coalesce(pl.col(name.removesuffix(_NEW)), pl.col(name)).alias(name.removesuffix(_NEW))
        for name in joined_frame.columns
        if name.endswith(_NEW)
    ).select(pl.exclude(f"^.*{_NEW}$"))
    return Catalog(joined_frame), notes


_NEW = "\x00new"
"""Ending of a joined column whose name the catalog has already; no header has this character."""


def _describe_match(catalog_ids: pl.Series, table_ids: pl.Series, path: str) -> tuple[str, ...]:
    """Says how many items are in both tables.

    Raises:
        UserError: Fewer than half of the smaller table.
    """
    num_matched = int(catalog_ids.is_in(table_ids.implode()).sum())
    summary = (
        f"{num_matched:,} of {len(catalog_ids):,} items are in {Path(path).name}, which has "
        f"{len(table_ids):,}"
    )
    check_overlap(
        catalog_ids,
        table_ids,
        summary,
        where=path,
        hint="Check that --item-table-id names the column with the ids of the interactions.",
    )
    return (summary,) if num_matched < len(catalog_ids) else ()
