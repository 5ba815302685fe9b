"""Reads a table with a label, or with positives alone, for the ranking task."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from kd_tf.data.formats.tables import Table
from kd_tf.data.ranking.column_types import (
    ColumnKind,
)
from kd_tf.data.ranking.examples import RankingSplit
from kd_tf.data.ranking.fit_schema import FeatureOptions
from kd_tf.data.ranking.item_values import JoinedItems
from kd_tf.data.ranking.join_columns import join_columns, list_joined_names
from kd_tf.data.ranking.labels import LabelRules, read_labels
from kd_tf.data.ranking.ranking_data import RankingData, list_skipped_rows
from kd_tf.data.ranking.ranking_options import RankingOptions, select_table_options
from kd_tf.data.ranking.raw_table import RawTable
from kd_tf.data.ranking.read_table import (
    TableSource,
    check_names,
    get_source_name,
    list_columns,
    open_source,
    read_raw_table,
)
from kd_tf.data.ranking.row_splits import SplitRules
from kd_tf.data.sources.table_options import TableOptions, TableRules, make_rules
from kd_tf.data.splits.published import TEST, TRAIN, VALIDATION
from kd_tf.errors import UserError
from kd_tf.runtime.features.label import Label

POSITIVES = "interaction"
"""Name of the label of a table that has positives only."""

_USER_NAMES = ("user", "user_id", "userid", "uid")
ITEM_NAMES = ("item", "item_id", "itemid", "iid")
_TIME_NAMES = ("timestamp", "time", "datetime", "date", "ts")

_PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


def read_ranking_split(
    interactions: TableSource | None = None,
    *,
    split: SplitRules | None = None,
    **options: Unpack[RankingOptions],
) -> RankingSplit:
    """Reads a table, infers its columns, fits features on training rows, and splits and encodes it.

    Args:
        interactions: The table: a path (CSV, TSV and relatives, Parquet, Excel workbook), or a
            DataFrame of pandas or polars; None where `train` and `test` are given.
        split: How rows are split; by default at random, or by files if they are given.
        **options: What the columns mean (``label``, ``user``, ``item``, ``time`` and so on, see
            `RankingOptions`), and how tables are written and which rows are taken (`TableOptions`).

    Raises:
        UserError: A file, a column, a row or a setting is wrong; the message says which.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame(
        ...     {
        ...         "device": ["phone", "desktop"] * 50,
        ...         "price": [number % 37 + 0.5 for number in range(100)],
        ...         "clicked": [number % 3 == 0 for number in range(100)],
        ...     }
        ... )
        >>> split = read_ranking_split(table, label="clicked")
        >>> len(split.train), len(split.validation), len(split.test), split.label.kind
        (70, 10, 20, 'click')
        >>> [(column.name, column.kind) for column in split.columns]
        [('device', 'categorical'), ('price', 'numeric'), ('clicked', 'label')]
    """
    return read_ranking_data(interactions, **options).split(split)


def read_ranking_data(
    interactions: TableSource | None = None, **options: Unpack[RankingOptions]
) -> RankingData:
    """Reads a table that is split later, or several times; see `read_ranking_split`.

    Raises:
        UserError: A file, a column, a row or a setting is wrong; the message says which.
    """
    label, threshold = options.get("label"), options.get("threshold")
    negatives, time = options.get("negatives", 0), options.get("time")
    users, items = options.get("users"), options.get("items")
    features = options.get("features") or FeatureOptions()
    kinds = features.kinds
    rules = _make_table_rules(select_table_options(options))
    sources = _list_sources(
        interactions, options.get("train"), options.get("validation"), options.get("test")
    )
    tables = [open_source(source, rules.dialect, part) for part, source in sources.items()]
    all_names = list_columns(tables[0], [label] if label is not None else [])
    user_column = find_column(options.get("user"), all_names, _USER_NAMES)
    item_column = find_column(options.get("item"), all_names, ITEM_NAMES)
    time_column = find_column(time, all_names, _TIME_NAMES)
    where = tables[0].locate(1)
    named_columns = {
        "label": label, "user": options.get("user"), "item": options.get("item"), "time": time,
    }  # fmt: skip
    for what, column in named_columns.items():
        check_names([column] if column is not None else [], all_names, where, what)
    _check_label_setting(label, negatives, where)
    sides = {
        what: _open_side(what, side, id_column, side_id, rules, where)
        for what, side, id_column, side_id in (
            ("user", users, user_column, options.get("user_id")),
            ("item", items, item_column, options.get("item_id")),
        )
        if side is not None
    }
    joined_names = {
        what: list_joined_names(all_names, side.names, side.id, what)
        for what, side in sides.items()
    }
    possible_names = [*all_names, *itertools.chain(*joined_names.values())]
    check_names(features.names, possible_names, where, "a setting of the features")
    keeps_label = _check_label_among_features(label, threshold, features, where)
    roles = {
        label,
        user_column,
        time_column,
        item_column,
    }
    if features.features is None:
        names = [name for name in all_names if kinds.get(name) != "ignore" or name in roles]
    else:
        names = [name for name in all_names if name in {*features.names, *roles}]
    for other_table in tables[1:]:
        other_names = list_columns(other_table, [label] if label is not None else [])
        check_names(names, other_names, other_table.locate(1), "the first table")
    table = read_raw_table(
        tables, names, rules, progress=options.get("progress"),
        kept_texts=[
            *features.categorical, *features.text, *filter(None, (user_column, item_column)),
        ],
    )  # fmt: skip
    list_skipped_rows(table)  # stops at a table without rows
    if negatives:
        table = _require_user_and_item(table, user_column, item_column, where)
    notes: list[str] = []
    labels, label_info = np.ones(len(table), np.float32), Label(POSITIVES, "click")
    if label is not None and not _is_constant_beside_negatives(table, label, negatives):
        table, labels, label_info, label_notes = read_labels(
            table, LabelRules(label, threshold, options.get("positive"))
        )
        notes += label_notes
    notes = [*list_skipped_rows(table), *notes]
    joined_items: JoinedItems | None = None
    for what, side in sides.items():
        side_table = read_raw_table(
            [side.table], side.names, dataclasses.replace(rules, where=()),
            kept_texts=features.text,
        )  # fmt: skip
        notes += list_skipped_rows(side_table)
        table = join_columns(table, side.column, side_table, side.id, what, rules.min_matched_share)
        if what == "item":
            side_names = [name for name in side.names if name != side.id]
            names_in_side = dict(zip(joined_names[what], side_names, strict=True))
            joined_items = JoinedItems(side_table, side.id, names_in_side)
    notes += table.notes
    return RankingData(
        name=options.get("name") or get_source_name(next(iter(sources.values()))),
        table=table,
        labels=labels,
        label=label_info,
        features=features,
        rules=rules,
        user=user_column,
        item=item_column,
        time=time_column,
        roles=_list_roles(user_column, item_column, time),
        negatives=negatives,
        joined_items=joined_items,
        label_column=label,
        keeps_label=keeps_label,
        is_published=len(sources) > 1,
        file_parts=tuple(_PARTS[part] for part in sources) if len(sources) > 1 else (),
        notes=tuple(notes),
    )


def _make_table_rules(options: TableOptions) -> TableRules:
    if options.get("normalize_ids", "none") != "none":
        raise UserError(
            "normalize_ids has no effect on the ranking task",
            hint="Leave it out: 7, 7.0 and '7' are one id.",
        )
    return make_rules(**options)


def _list_sources(
    interactions: TableSource | None,
    train: TableSource | None,
    validation: TableSource | None,
    test: TableSource | None,
) -> dict[str, TableSource]:
    """Returns the tables by their parts, or the only one."""
    if (interactions is None) == (train is None) or (train is None) != (test is None):
        raise UserError(
            "the data is one table (interactions), or train and test",
            hint="Give one of them; validation is optional.",
        )
    if interactions is not None:
        if validation is not None:
            raise UserError("validation needs train and test", hint="Leave it out.")
        return {"interactions": interactions}
    parts = {"train": train, "validation": validation, "test": test}
    return {part: source for part, source in parts.items() if source is not None}


def find_column(name: str | None, names: Sequence[str], usual_names: Sequence[str]) -> str | None:
    """Returns a column that is named, or the one with a usual name."""
    if name is not None:
        return name
    by_name = {column.lower(): column for column in reversed(names)}
    return next((by_name[usual] for usual in usual_names if usual in by_name), None)


def _list_roles(user: str | None, item: str | None, time: str | None) -> dict[str, ColumnKind]:
    """Says what the columns of users, items and times are."""
    roles: dict[str, ColumnKind] = {} if time is None else {time: "date"}
    for column in (user, item):
        if column is not None:
            roles[column] = "categorical"
    return roles


def _check_label_setting(label: str | None, negatives: int, where: str) -> None:
    if negatives < 0:
        raise UserError(f"negatives must be 0 or more, not {negatives}")
    if label is None and not negatives:
        raise UserError(
            "no label is named",
            where=where,
            hint="Name its column (label), or draw negatives for a table of positives (negatives).",
        )


def _is_constant_beside_negatives(table: RawTable, label: str, negatives: int) -> bool:
    """Says whether all rows are positives, for which negatives are drawn."""
    if not negatives:
        return False
    column = table.columns[label].as_codes
    if len(column.texts) == 1:
        return True
    raise UserError(
        f"label {label!r} has {len(column.texts)} values, so it has negatives already",
        where=table.locate(0, label),
        hint="Leave negatives out, or leave the label out where all rows are positives.",
    )


@dataclass(frozen=True)
class _Side:
    """A table of users or items that is to be joined.

    Attributes:
        table: The table.
        names: Its columns.
        id: Its column with the ids.
        column: The column of the interactions with the ids.
    """

    table: Table
    names: list[str]
    id: str
    column: str


def _open_side(
    what: str,
    source: TableSource,
    id_column: str | None,
    side_id: str | None,
    rules: TableRules,
    where: str,
) -> _Side:
    if id_column is None:
        raise UserError(
            f"a table of {what}s needs the column with the {what}s of the interactions",
            where=where,
            hint=f"Name it: {what}.",
        )
    side_id = side_id or id_column
    table = open_source(source, rules.item_dialect, f"{what}s")
    names = list_columns(table, [side_id])
    check_names([side_id], names, table.locate(1), f"{what}_id")
    return _Side(table, names, side_id, id_column)


def _require_user_and_item(
    table: RawTable, user: str | None, item: str | None, where: str
) -> RawTable:
    """Drops rows without a user or an item, for which no negatives can be drawn."""
    if user is None or item is None:
        raise UserError(
            "negatives are items that a user does not have: they need users and items",
            where=where,
            hint="Name their columns: user, item.",
        )
    for name in (user, item):
        is_missing = table.columns[name].is_missing
        texts = [""] * int(is_missing.sum())
        table, _ = table.drop_bad_rows(is_missing, texts, "is missing", name)
    return table


def _check_label_among_features(
    label: str | None, threshold: float | None, features: FeatureOptions, where: str
) -> bool:
    """Says whether the column of the label is a feature too.

    Raises:
        UserError: It is, and the label is the column itself.
    """
    named_features = {*features.names} - {*features.ignore}
    if label is None or label not in named_features:
        return False
    if threshold is None:
        raise UserError(
            f"the label {label!r} is among the features: a model would learn nothing else",
            where=where,
            hint="Leave it out of the features.",
        )
    return True
