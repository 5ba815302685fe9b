"""Reads who is a friend of whom, beside the interactions of any data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.dataset import Dataset
from kd_tf.data.formats.bad_rows import BadRows, OnBadRows
from kd_tf.data.formats.delimited import Dialect
from kd_tf.data.formats.files import format_names, get_single_table
from kd_tf.data.formats.tables import Table, open_table
from kd_tf.data.id_match import MIN_SHARE, check_overlap
from kd_tf.data.sources.interaction_rows import parse_ids_of, refuse_fractions
from kd_tf.data.values.ids import normalize_ids
from kd_tf.data.values.rules import ValueRules
from kd_tf.errors import UserError

FIRST_COLUMNS = ("1", "2")
"""The first two columns by number, of a table without a header."""


def join_friends(
    dataset: Dataset,
    path: str | Path,
    *,
    on_bad_rows: OnBadRows = "stop",
    values: ValueRules | None = None,
) -> Dataset:
    """Adds friendships from a table of two columns, a user and a friend, to a data set.

    Both users of a row are friends of each other, whichever comes first. Notes count what is left
    out: rows with a user without interactions, a user as the own friend, and repeated rows.

    Args:
        dataset: The data set.
        path: The table: CSV, TSV, Parquet or Excel workbook, with or without a header; its first
            two columns hold user ids as the interactions have them.
        on_bad_rows: What to do with a bad row, such as a missing id.
        values: How values are written.

    Returns:
        The data set with `Dataset.friendships`, those that it had included.

    Raises:
        UserError: The table cannot be read, a row is bad, or fewer than half of the users of one of
            both are in the other.

    Example:
        >>> import tempfile
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> path = Path(tempfile.mkdtemp()) / "friends.csv"
        >>> _ = path.write_text("reader-0001,reader-0003\\nreader-0003,reader-0002\\n")
        >>> dataset = join_friends(generate_bookshop(num_items=50, num_users=20), path)
        >>> dataset.friendships.tolist()
        [[0, 2], [1, 2]]
    """
    values = values or ValueRules()
    source = get_single_table(Path(path))
    table, columns = open_table(source), FIRST_COLUMNS
    header = table.list_columns()
    user_ids = dataset.interactions.user_ids
    if len(header) == 1:
        raise UserError(
            f"a table of friends has two columns, a user and a friend; this one has {header[0]!r}",
            where=table.locate(1),
            hint="Write a row for each pair, with a comma or a tab between the two ids.",
        )
    # Without numbers in it, a first pair of users looks like a header.
    if not set(user_ids).isdisjoint(normalize_ids(pl.Series(header[:2]), values.normalize_ids)):
        table = open_table(source, Dialect(has_header=False))
    elif len(set(header[:2])) == 2:
        columns = (header[0], header[1])
    friendships, notes = read_friendships(
        table,
        columns,
        user_ids,
        on_bad_rows=on_bad_rows,
        values=values,
        min_matched_share=MIN_SHARE,
    )
    if not len(friendships):
        raise UserError(
            "no row names two users with interactions",
            where=str(path),
            hint="; ".join(notes) or "Check that it is the table of friends.",
        )
    if len(header) > 2:
        notes += (
            f"of {table.name} only the first two columns are read ({format_names(header[:2])}): "
            "a user and a friend",
        )
    if dataset.friendships is not None:
        friendships = np.unique(np.concatenate([dataset.friendships, friendships]), axis=0)
    return dataclasses.replace(dataset, friendships=friendships, notes=(*dataset.notes, *notes))


def read_friendships(
    table: Table,
    columns: tuple[str, str],
    user_ids: list[str],
    *,
    on_bad_rows: OnBadRows,
    values: ValueRules | None = None,
    min_matched_share: float = 0.0,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads the friendships between users with interactions.

    Args:
        table: The table.
        columns: Its columns of users and of friends, by name or number.
        user_ids: The ids of the users with interactions.
        on_bad_rows: What to do with a bad row.
        values: How values are written.
        min_matched_share: The least share of the users of the table, or of those with interactions
            if they are fewer, that must be both.

    Returns:
        int32 [m, 2], pairs of user indices, the lower first, each pair once, ascending; and notes.

    Raises:
        UserError: The table cannot be read, a row is bad, or the users do not meet.
    """
    values = values or ValueRules()
    column_of_role = dict(zip(("user", "friend"), columns, strict=True))
    for column in columns:
        refuse_fractions(table, {"user": column}, values)
    bad_rows = BadRows(table, on_bad_rows)
    parts = []
    for block in table.read(column_of_role, bad_rows):
        ids = block
        for role, column in column_of_role.items():
            ids = parse_ids_of(ids, role, column, "a user id", values, bad_rows)
        bad_rows.raise_or_skip()
        parts.append(ids.select(*column_of_role))
    rows = pl.concat(parts)
    notes = bad_rows.finish(len(rows))
    notes += _check_users(rows, user_ids, table, min_matched_share)
    num_self = int((rows["user"] == rows["friend"]).sum())
    if num_self:
        notes += (
            f"{_count_rows(num_self)} of {table.name} name{'s' if num_self == 1 else ''} a user "
            "as the own friend: left out",
        )
    pairs_of_ids = rows.unique(maintain_order=True)
    num_repeated = len(rows) - len(pairs_of_ids)
    if num_repeated:
        notes += (
            f"{_count_rows(num_repeated)} of {table.name} repeat"
            f"{'s' if num_repeated == 1 else ''} another: counted once",
        )
    index = pl.DataFrame({"id": user_ids}).with_row_index("number")
    pairs = (
        pairs_of_ids.filter(pl.col("user") != pl.col("friend"))
        .join(index.rename({"id": "user", "number": "first"}), on="user")
        .join(index.rename({"id": "friend", "number": "second"}), on="friend")
        .select("first", "second")
        .to_numpy()
    )
    friendships, num_directions = np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)
    num_one_sided = int((num_directions == 1).sum())
    if num_one_sided:
        notes += (
            f"{num_one_sided:,} of {len(friendships):,} friendships: listed in one direction only "
            f"in {table.name}, counted in both",
        )
    return friendships.astype(np.int32).reshape(-1, 2), notes


def _check_users(
    rows: pl.DataFrame, user_ids: list[str], table: Table, min_matched_share: float
) -> tuple[str, ...]:
    """Counts the rows with a user without interactions.

    Raises:
        UserError: Too few users have interactions.
    """
    users = pl.concat([rows["user"], rows["friend"]]).unique(maintain_order=True)
    known_users = pl.Series(user_ids, dtype=pl.String)
    is_known = users.is_in(known_users.implode())
    num_matched = int(is_known.sum())
    check_overlap(
        users,
        known_users,
        f"{num_matched:,} of {len(users):,} users of the table are among the {len(user_ids):,} "
        "with interactions",
        where=str(table.locate(1)),
        hint="Check that the first two columns hold the user ids of the interactions.",
        min_share=min_matched_share,
    )
    num_unknown = len(users) - num_matched
    if not num_unknown:
        return ()
    num_rows = int((~rows.select(pl.all().is_in(known_users.implode())).min_horizontal()).sum())
    return (
        f"{_count_rows(num_rows)} of {table.name} name{'s' if num_rows == 1 else ''} a user "
        f"without interactions ({num_unknown:,} such user{'' if num_unknown == 1 else 's'}, the "
        f"first is {users.filter(~is_known)[0]!r}): left out",
    )


def _count_rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
