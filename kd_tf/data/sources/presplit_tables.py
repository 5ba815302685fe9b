"""Reads a split that is published as two or three tables (train, validation, test)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import merge_counts_by_reason
from kd_tf.data.formats.files import get_single_table
from kd_tf.data.formats.tables import open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.own_tables import read_catalog
from kd_tf.data.sources.table_options import TableOptions, make_rules
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION
from kd_tf.data.suspicious_ids import describe_suspicious_ids


def read_presplit_tables(
    train: Path,
    test: Path,
    columns: InteractionColumns,
    *,
    validation: Path | None = None,
    items: Path | None = None,
    item_columns: ItemColumns | None = None,
    name: str = "presplit",
    **options: Unpack[TableOptions],
) -> Dataset:
    """Reads the tables of a published split under one numbering.

    Items are numbered in the order of their first occurrence: in the item table, then in train,
    validation and test.

    Args:
        train: The training table; see `kd_tf.data.sources.own_tables.read_files`.
        test: The test table.
        columns: The columns of all tables; without a header, their order or their numbers.
        validation: The validation table, if there is one.
        items: The item table; without it, titles are taken from the training table if
            `item_columns` names them.
        item_columns: Its columns.
        name: Name of the data set.
        **options: How the tables are written and which rows are taken.

    Raises:
        UserError: As for `read_files`.
    """
    rules = make_rules(**options)
    item_table = None if items is None else open_table(get_single_table(items), rules.item_dialect)
    files = [(TRAIN, train), (VALIDATION, validation), (TEST, test)]
    tables = [
        (
            label,
            InteractionRows(
                open_table(get_single_table(path), rules.dialect),
                columns,
                on_bad_rows=rules.on_bad_rows,
                values=rules.values,
                where=rules.where,
            ),
        )
        for label, path in files
        if path is not None
    ]
    catalog, notes = read_catalog(tables[0][1].table, columns, item_table, item_columns, rules)

    def chunks() -> Iterator[pl.DataFrame]:
        for label, rows in tables:
            for chunk in rows:
                yield chunk.with_columns(split=pl.lit(label, pl.Int8))

    dataset = from_chunks(name, chunks(), catalog, min_matched_share=rules.min_matched_share)
    return dataclasses.replace(
        dataset,
        notes=tuple(note for _, rows in tables for note in rows.notes)
        + notes
        + describe_suspicious_ids(dataset, columns.user, rules.values.normalize_ids)
        + dataset.notes,
        dropped_rows=merge_counts_by_reason(rows.bad_rows for _, rows in tables),
    )
