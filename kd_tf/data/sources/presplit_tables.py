"""Reads a split that is published as two or three tables (train, validation, test)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import OnBadRows, merge_counts_by_reason
from kd_tf.data.formats.delimited import Dialect
from kd_tf.data.formats.files import get_single_table
from kd_tf.data.sources.own_tables import (
    InteractionColumns,
    InteractionRows,
    ItemColumns,
    read_items,
)
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION


def read_presplit_tables(
    train: Path,
    test: Path,
    columns: InteractionColumns,
    *,
    validation: Path | None = None,
    items: Path | None = None,
    item_columns: ItemColumns | None = None,
    header: bool | None = None,
    on_bad_rows: OnBadRows = "stop",
    name: str = "presplit",
) -> Dataset:
    """Reads the tables of a published split under one numbering.

    Items are numbered in the order of their first occurrence: in the item table, then in train,
    validation and test.

    Args:
        train: The training table; see `kd_tf.data.sources.own_tables.read_delimited`.
        test: The test table.
        columns: The names of the columns of all tables; without a header, their order.
        validation: The validation table, if there is one.
        items: The item table. Without it, items are known by their ids only.
        item_columns: The names of its columns.
        header: Whether the tables begin with the names of their columns; None detects it.
        on_bad_rows: What to do with a bad row.
        name: The name of the data set.

    Raises:
        UserError: A file cannot be read, a column is missing or a row is bad.
    """
    catalog: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()
    if items is not None and item_columns is not None:
        catalog, notes = read_items(get_single_table(items), item_columns, on_bad_rows=on_bad_rows)
    files = [(TRAIN, train), (VALIDATION, validation), (TEST, test)]
    tables = [
        (
            label,
            InteractionRows(
                get_single_table(path),
                columns,
                on_bad_rows=on_bad_rows,
                dialect=Dialect(has_header=header),
            ),
        )
        for label, path in files
        if path is not None
    ]
    labels: list[np.ndarray] = []

    def chunks() -> Iterator[pl.DataFrame]:
        for label, rows in tables:
            for chunk in rows:
                labels.append(np.full(len(chunk), label, np.int8))
                yield chunk

    dataset = from_chunks(name, chunks(), catalog)
    return dataclasses.replace(
        dataset,
        notes=tuple(note for _, rows in tables for note in rows.notes) + notes + dataset.notes,
        dropped_rows=merge_counts_by_reason(rows.bad_rows for _, rows in tables),
        split_labels=np.concatenate(labels),
    )
