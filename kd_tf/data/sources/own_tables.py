"""Reads your own tables: interactions and, optionally, the items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.files import format_names, get_single_table
from kd_tf.data.formats.tables import Table, open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows
from kd_tf.data.sources.item_rows import ItemColumns, has_texts, read_items
from kd_tf.data.sources.table_options import TableOptions, TableRules, make_rules
from kd_tf.data.suspicious_ids import describe_suspicious_ids
from kd_tf.errors import UserError


def read_files(
    path: Path,
    columns: InteractionColumns,
    *,
    items: Path | None = None,
    item_columns: ItemColumns | None = None,
    name: str | None = None,
    **options: Unpack[TableOptions],
) -> Dataset:
    """Reads a file of interactions and, if there is one, the file of the items.

    `kd_tf.data.formats.delimited.read_table` describes the supported text files; ``.parquet`` and
    ``.xlsx`` are read too.

    Args:
        path: The interaction table: one row for each time that a user read, rated or opened an
            item.
        columns: Its columns; without a header, their order or their numbers.
        items: The item table. Without it, titles and the like are taken from the interaction table
            if `item_columns` names them, and otherwise items are known by their ids only.
        item_columns: Its columns.
        name: The name of the data set; by default the file name without its extensions.
        **options: How the tables are written and which rows are taken.

    Raises:
        UserError: A file cannot be read, a column is missing, a row is bad, two items share an
            id, a value has two meanings, or the ids of the two tables do not meet.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "loans.csv"
        ...     _ = path.write_text("user,item,rating\\nann,dune,5\\nbob,dune,4\\nbob,emma,3\\n")
        ...     dataset = read_files(path, InteractionColumns("user", "item", "rating"))
        >>> dataset.name, dataset.interactions.user_ids, dataset.catalog.item_ids
        ('loans', ['ann', 'bob'], ['dune', 'emma'])
        >>> dataset.interactions.rating
        array([5., 4., 3.], dtype=float32)
    """
    rules = make_rules(**options)
    item_table = None
    if items is not None and item_columns is None:
        raise UserError(
            "the columns of the item table are not named",
            where=str(items),
            hint="Name at least the id: --item-id.",
        )
    if items is not None and items != path:
        item_table = open_table(get_single_table(items), rules.item_dialect)
    table = open_table(get_single_table(path), rules.dialect)
    return read_tables(
        table, columns, items=item_table, item_columns=item_columns, rules=rules,
        name=name or derive_name(path),
    )  # fmt: skip


def read_tables(
    table: Table,
    columns: InteractionColumns,
    *,
    items: Table | None,
    item_columns: ItemColumns | None,
    rules: TableRules,
    name: str,
) -> Dataset:
    """Reads opened tables; see `read_files`."""
    catalog, notes = read_catalog(table, columns, items, item_columns, rules)
    rows = InteractionRows(
        table,
        columns,
        on_bad_rows=rules.on_bad_rows,
        values=rules.values,
        where=rules.where,
    )
    dataset = from_chunks(name, rows, catalog, min_matched_share=rules.min_matched_share)
    return rows.add_notes_to(
        dataset,
        rows.describe_zeros()
        + notes
        + describe_suspicious_ids(dataset, columns.user, rules.values.normalize_ids),
    )


def read_catalog(
    table: Table,
    columns: InteractionColumns,
    items: Table | None,
    item_columns: ItemColumns | None,
    rules: TableRules,
) -> tuple[pl.DataFrame | None, tuple[str, ...]]:
    """Reads the items: of their own table, or of the interaction table if it has their titles.

    Returns:
        A frame for `kd_tf.data.catalog.Catalog`, or None if only ids are known; and notes.
    """
    if items is not None:
        assert item_columns is not None
        frame, notes = read_items(
            items, item_columns, on_bad_rows=rules.on_bad_rows, values=rules.values
        )
        if not has_texts(item_columns):
            notes += (
                f"only the ids of {items.name} are read: --title and --authors name columns of it "
                f"({format_names(items.list_columns(), 10) or 'it has no header'})",
            )
        return frame, notes
    if item_columns is None or not has_texts(item_columns):
        return None, ()
    return read_items(
        table,
        replace(item_columns, item_id=columns.item),
        on_bad_rows="skip",  # a row without an item is a bad interaction, which is reported as such
        values=rules.values,
        repeats="merge",
    )


def derive_name(path: Path) -> str:
    """Returns a file name without the extensions of archives and tables."""
    name = path.name
    for extensions in ((".zip", ".gz"), (".csv", ".tsv", ".txt", ".parquet", ".xlsx")):
        if name.lower().endswith(extensions):
            name = Path(name).stem
    return name
