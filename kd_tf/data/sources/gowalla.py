"""Reads Gowalla, check-ins and friendships, as published by Stanford SNAP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from kd_tf.data.dataset import Dataset, from_chunks
from kd_tf.data.formats.bad_rows import OnBadRows
from kd_tf.data.formats.delimited import Dialect
from kd_tf.data.formats.files import find_all, locate
from kd_tf.data.formats.tables import Table, open_table
from kd_tf.data.sources.friend_tables import FIRST_COLUMNS, read_friendships
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
    friendships, notes = read_friendships(
        open_table(edges[0], _TAB_DIALECT),
        FIRST_COLUMNS,
        dataset.interactions.user_ids,
        on_bad_rows=on_bad_rows,
    )
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
