"""Reads Gowalla, check-ins and friendships, as published by Stanford SNAP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect, read_table
from kd_tf.data.formats.files import SourceFile, find_all, locate
from kd_tf.data.formats.tables import Table, open_table
from kd_tf.data.sources.interaction_rows import InteractionColumns, InteractionRows

CHECK_INS = "loc-gowalla_totalCheckins.txt"
EDGES = "loc-gowalla_edges.txt"
_TAB_DIALECT = Dialect(separator="\t", has_header=False, has_quotes=False)


def read_gowalla(path: Path, *, on_bad_rows: OnBadRows = "stop") -> Dataset:
    """Reads ``loc-gowalla_totalCheckins.txt`` and, if present, ``loc-gowalla_edges.txt``.

    A row is a check-in: user, UTC time, latitude, longitude, location. Users return to
    locations, so pairs repeat. Friendships are listed in both directions.

    Source: Cho, Myers and Leskovec, "Friendship and mobility", 2011;
    https://snap.stanford.edu/data/loc-Gowalla.html

    Args:
        path: The folder with the files, plain or packed, or the file of check-ins.
        on_bad_rows: As in `kd_tf.data.sources.own_tables.read_delimited`.

    Raises:
        UserError: The check-ins are missing, or a row is bad.
    """
    source = locate(path, CHECK_INS, dataset="Gowalla")
    rows = _CheckIns(
        open_table(source, _TAB_DIALECT),
        InteractionColumns("user", "item", timestamp="time"),
        on_bad_rows=on_bad_rows,
    )
    dataset = rows.add_notes_to(from_chunks("gowalla", rows))
    edges = find_all(path, EDGES) if path.is_dir() or path.suffix == ".zip" else []
    if not edges:
        return dataset
    friendships, notes = _read_friendships(edges[0], dataset.interactions.user_ids, on_bad_rows)
    return dataclasses.replace(dataset, friendships=friendships, notes=dataset.notes + notes)


class _CheckIns(InteractionRows):
    """The check-ins, whose five columns have a fixed order and no header."""

    def __init__(
        self, table: Table, columns: InteractionColumns, *, on_bad_rows: OnBadRows
    ) -> None:
        super().__init__(table, columns, on_bad_rows=on_bad_rows)
        self.columns = {
            "user": "user",
            "timestamp": "time",
            "latitude": "latitude",
            "longitude": "longitude",
            "item": "item",
        }


def _read_friendships(
    source: SourceFile, user_ids: list[str], on_bad_rows: OnBadRows
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads the friendships.

    Returns:
        int32 [m, 2], pairs of user numbers, the lower one first, each pair once; and notes.
    """
    bad_rows = BadRows(source, on_bad_rows)
    numbers = pl.DataFrame({"id": user_ids}).with_row_index("number")
    parts, num_rows, num_unknown = [], 0, 0
    for block in read_table(source, {"a": "a", "b": "b"}, bad_rows, dialect=_TAB_DIALECT):
        bad_rows.raise_or_skip()
        num_rows += len(block)
        edges = block.join(numbers.rename({"id": "a", "number": "x"}), on="a").join(
            numbers.rename({"id": "b", "number": "y"}), on="b"
        )
        num_unknown += len(block) - len(edges)
        parts.append(np.sort(edges.select("x", "y").to_numpy().astype(np.int32), axis=1))
    notes = bad_rows.finish(num_rows)
    pairs = np.concatenate(parts)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    if num_unknown:
        notes += (
            f"{num_unknown} rows of {source.name} name a user without check-ins: they are skipped",
        )
    return pairs, notes
