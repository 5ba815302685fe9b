"""Reads a table with a label, or with positives alone, for the ranking task, and splits it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Unpack, cast

import numpy as np

from kd_tf.data.formats.bad_rows import BadRows
from kd_tf.data.formats.tables import Table
from kd_tf.data.ranking.canonical_texts import list_missing_texts
from kd_tf.data.ranking.column_types import (
    ENCODED_KINDS,
    FIRST_ROWS,
    ColumnKind,
    ColumnSummary,
    find_separator,
    infer_column,
    summarize_column,
)
from kd_tf.data.ranking.duplicate_columns import mark_duplicates
from kd_tf.data.ranking.encode_table import encode_table
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.data.ranking.fit_schema import FeatureOptions, fit_schema
from kd_tf.data.ranking.join_columns import join_columns, list_joined_names
from kd_tf.data.ranking.label_leaks import check_label_leaks
from kd_tf.data.ranking.labels import LabelRules, read_labels
from kd_tf.data.ranking.negatives import draw_negatives, find_item_columns
from kd_tf.data.ranking.raw_table import RawColumn, RawTable
from kd_tf.data.ranking.read_table import (
    TableSource,
    check_names,
    get_source_name,
    list_columns,
    open_source,
    read_raw_table,
)
from kd_tf.data.ranking.row_splits import PART_NAMES, SplitRules, check_row_leakage, split_rows
from kd_tf.data.ranking.training_values import TrainingValues, collect_training_values
from kd_tf.data.sources.table_options import TableOptions, TableRules, make_rules
from kd_tf.data.splits.published import PUBLISHED, TEST, TRAIN, VALIDATION
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.values.times import MICROSECONDS, NO_TIME, TimeParser
from kd_tf.errors import UserError
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.values import FIRST_SECOND, LAST_SECOND

POSITIVES = "interaction"
"""Name of the label of a table that has positives only."""

_CHUNK = 1 << 17
_USER_NAMES = ("user", "user_id", "userid", "uid")
_ITEM_NAMES = ("item", "item_id", "itemid", "iid")
_TIME_NAMES = ("timestamp", "time", "datetime", "date", "ts")


def read_ranking_split(
    interactions: TableSource | None = None,
    *,
    label: str | None = None,
    split: SplitRules | None = None,
    features: FeatureOptions | None = None,
    train: TableSource | None = None,
    validation: TableSource | None = None,
    test: TableSource | None = None,
    threshold: float | None = None,
    positive: str | None = None,
    negatives: int = 0,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    users: TableSource | None = None,
    user_id: str | None = None,
    items: TableSource | None = None,
    item_id: str | None = None,
    name: str | None = None,
    progress: Callable[[int], None] | None = None,
    **options: Unpack[TableOptions],
) -> RankingSplit:
    """Reads a table, infers its columns, fits features on training rows, and splits and encodes it.

    Args:
        interactions: The table: a path (CSV, TSV and relatives, Parquet, Excel workbook), or a
            DataFrame of pandas or polars; None where `train` and `test` are given.
        label: The column with the label: of two values a click, of more a rating. None where all
            rows are positives, for which `negatives` are drawn.
        split: How rows are split; by default at random, or by files if they are given.
        features: Which columns features are made of, and how.
        train: Training table of a published split, which has `test` too.
        validation: Its validation table; without it, training rows are drawn.
        test: Its test table.
        threshold: Makes a click of a label of numbers: those not below it.
        positive: Makes a click of any label: this value.
        negatives: Number of negatives that are drawn for each row of a table without a label; see
            `draw_negatives`. Columns with one value for each item belong to it.
        user: Column with the users, for metrics per user, splits by user and negatives; by default
            ``user``, ``user_id``, ``userid`` or ``uid``.
        item: Column with the items; by default ``item``, ``item_id``, ``itemid`` or ``iid``.
        time: Column with the times, for temporal splits; by default ``timestamp``, ``time``,
            ``datetime``, ``date`` or ``ts``.
        users: Table with columns of the users, which are joined.
        user_id: Its column with the users; by default called as in the interactions.
        items: Table with columns of the items, which are joined.
        item_id: Its column with the items; by default called as in the interactions.
        name: Name of the data set; by default the file's.
        progress: Gets the number of rows read so far.
        **options: How tables are written and which rows are taken: ``separator``, ``header``,
            ``quote``, ``encoding``, ``skip_rows``, ``null_values``, ``decimal``, ``time_format``,
            ``time_unit``, ``where``, ``on_bad_rows``; ``item_format`` for users and items.

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
    data = read_ranking_data(
        interactions, label=label, features=features, train=train, validation=validation,
        test=test, threshold=threshold, positive=positive, negatives=negatives, user=user,
        item=item, time=time, users=users, user_id=user_id, items=items, item_id=item_id,
        name=name, progress=progress, **options,
    )  # fmt: skip
    return data.split(split)


def read_ranking_data(
    interactions: TableSource | None = None,
    *,
    label: str | None = None,
    features: FeatureOptions | None = None,
    train: TableSource | None = None,
    validation: TableSource | None = None,
    test: TableSource | None = None,
    threshold: float | None = None,
    positive: str | None = None,
    negatives: int = 0,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    users: TableSource | None = None,
    user_id: str | None = None,
    items: TableSource | None = None,
    item_id: str | None = None,
    name: str | None = None,
    progress: Callable[[int], None] | None = None,
    **options: Unpack[TableOptions],
) -> RankingData:
    """Reads a table that is split later, or several times; see `read_ranking_split`.

    Raises:
        UserError: A file, a column, a row or a setting is wrong; the message says which.
    """
    features = features or FeatureOptions()
    kinds = features.kinds
    rules = _make_table_rules(options)
    sources = _list_sources(interactions, train, validation, test)
    tables = [open_source(source, rules.dialect, part) for part, source in sources.items()]
    all_names = list_columns(tables[0], [label] if label is not None else [])
    user_column = _find_column(user, all_names, _USER_NAMES)
    item_column = _find_column(item, all_names, _ITEM_NAMES)
    time_column = _find_column(time, all_names, _TIME_NAMES)
    where = tables[0].locate(1)
    named_columns = {"label": label, "user": user, "item": item, "time": time}
    for what, column in named_columns.items():
        check_names([column] if column is not None else [], all_names, where, what)
    _check_label_setting(label, negatives, where)
    sides = {
        what: _open_side(what, side, id_column, side_id, rules, where)
        for what, side, id_column, side_id in (
            ("user", users, user_column, user_id),
            ("item", items, item_column, item_id),
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
        item_column if negatives or items is not None else None,
    }
    if features.features is None:
        names = [name for name in all_names if kinds.get(name) != "ignore" or name in roles]
    else:
        names = [name for name in all_names if name in {*features.names, *roles}]
    for other_table in tables[1:]:
        other_names = list_columns(other_table, [label] if label is not None else [])
        check_names(names, other_names, other_table.locate(1), "the first table")
    table = read_raw_table(
        tables, names, rules, progress=progress,
        categories=[*features.categorical, *filter(None, (user_column, item_column))],
    )  # fmt: skip
    _list_skipped_rows(table)  # stops at a table without rows
    if negatives:
        table = _require_user_and_item(table, user_column, item_column, where)
    notes: list[str] = []
    labels, label_info = np.ones(len(table), np.float32), Label(POSITIVES, "click")
    if label is not None and not _is_constant_beside_negatives(table, label, negatives):
        table, labels, label_info, label_notes = read_labels(
            table, LabelRules(label, threshold, positive)
        )
        notes += label_notes
    notes = [*_list_skipped_rows(table), *notes]
    for what, side in sides.items():
        side_table = read_raw_table([side.table], side.names, dataclasses.replace(rules, where=()))
        notes += _list_skipped_rows(side_table)
        table = join_columns(table, side.column, side_table, side.id, what, rules.min_matched_share)
    notes += table.notes
    return RankingData(
        name=name or get_source_name(next(iter(sources.values()))),
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
        item_columns=joined_names.get("item", ()),
        label_column=label,
        keeps_label=keeps_label,
        is_published=len(sources) > 1,
        file_parts=tuple(_PARTS[part] for part in sources) if len(sources) > 1 else (),
        notes=tuple(notes),
    )


_PARTS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True, eq=False)
class RankingData:
    """A table for the ranking task, read but not yet split; `split` encodes it.

    Attributes:
        name: Name of the data set.
        table: The table.
        labels: float32 [n], the label of each row, 0 to 1.
        label: What is predicted.
        features: Which columns features are made of, and how.
        rules: How values are written.
        user: Column with the users, or None.
        item: Column with the items, or None.
        time: Column with the times, or None.
        roles: What these columns are, unless the caller says otherwise.
        negatives: Number of negatives that are drawn for each row.
        item_columns: Columns of the items that were joined.
        label_column: Column of the label; None where all rows are positives.
        keeps_label: Whether the column of the label is a feature too: the caller named it, and a
            threshold makes the label of it.
        is_published: Whether the files are the parts of a split.
        file_parts: The part of each file of a published split.
        notes: Notes for the user.
    """

    name: str
    table: RawTable
    labels: np.ndarray
    label: Label
    features: FeatureOptions
    rules: TableRules
    user: str | None = None
    item: str | None = None
    time: str | None = None
    roles: Mapping[str, ColumnKind] = field(default_factory=dict)
    negatives: int = 0
    item_columns: tuple[str, ...] = ()
    label_column: str | None = None
    keeps_label: bool = False
    is_published: bool = False
    file_parts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def split_folds(self, rules: SplitRules) -> Iterator[RankingSplit]:
        """Yields the split of every fold; features are fitted anew for each.

        Raises:
            UserError: As for `split`.
        """
        for fold in rules.folds:
            yield self.split(dataclasses.replace(rules, fold=fold))

    def split(self, rules: SplitRules | None = None) -> RankingSplit:
        """Splits and encodes the table.

        Args:
            rules: How rows are split; by default at random, or by files if they are a split.

        Raises:
            UserError: A part would have no rows, training has one class, a column gives the label
                away, a value is not of its column's kind, or nothing is left to learn from.
        """
        rules = rules or SplitRules()
        if self.is_published:
            rules = dataclasses.replace(rules, protocol=PUBLISHED, num_folds=None)
        elif rules.protocol == PUBLISHED:
            raise UserError(
                "the protocol published needs files of a split",
                hint="Give train and test, or choose another protocol.",
            )
        # Rows that are skipped here are counted for this split alone.
        files = tuple(
            dataclasses.replace(
                file, bad_rows=BadRows(file.bad_rows.source, self.rules.on_bad_rows)
            )
            for file in self.table.files
        )
        table, labels = dataclasses.replace(self.table, files=files), self.labels
        notes = list(self.notes)
        times: np.ndarray | None = None
        if rules.protocol == TEMPORAL and self.time is not None:
            distinct_times, reading = self._parse_column(table, self.time)
            row_times = distinct_times[table.columns[self.time].as_codes.codes]
            is_bad = (row_times == _BAD_TIME) | (row_times == NO_TIME)
            table, labels, times = _drop(table, labels, is_bad, self.time, "is no time", row_times)
            notes += [reading] if reading else []
        users = self._number_users(table)
        parts = split_rows(
            len(table), rules, users=users, times=times, file_parts=self._list_file_parts(table)
        )
        check_row_leakage(parts, rules, users=users, times=times)
        summaries = self._summarize_columns(table, np.flatnonzero(parts == TRAIN))
        times_by_column = {
            summary.name: self._parse_column(table, summary.name)
            for summary in summaries
            if summary.kind == "date"
        }
        notes += [reading for _, reading in times_by_column.values() if reading not in ("", *notes)]
        table = dataclasses.replace(
            table,
            columns={
                name: column.as_codes if name in times_by_column else column
                for name, column in table.columns.items()
            },
        )
        for summary in summaries:
            distinct_times = times_by_column.get(summary.name, (np.empty(0), ""))[0]
            is_bad, reason = _find_bad_values(table.columns[summary.name], summary, distinct_times)
            table, labels, parts = _drop(table, labels, is_bad, summary.name, reason, parts)
        notes += _list_skipped_rows(table)
        users = self._number_users(table)
        if self.negatives:
            table, labels, parts, users = self._add_negatives(
                table, parts, cast("np.ndarray", users), rules.seed, notes
            )
        _check_classes(labels, parts, self.label, notes)
        encoded_columns = {
            summary.name: table.columns[summary.name]
            for summary in summaries
            if summary.kind in ENCODED_KINDS
        }
        encoded_columns.pop(self.label_column or "", None)
        notes += check_label_leaks(encoded_columns, labels, self.label.name)
        seconds_by_column = {
            name: _to_seconds(distinct_times)
            for name, (distinct_times, _) in times_by_column.items()
        }
        schema, fit_notes = fit_schema(
            table.columns, summaries, np.flatnonzero(parts == TRAIN), seconds_by_column,
            label=self.label, missing=list_missing_texts(self.rules.values.null_values),
            options=self.features,
        )  # fmt: skip
        rows = {name: np.flatnonzero(parts == part) for part, name in PART_NAMES.items()}
        encoded_parts = encode_table(schema, table.columns, seconds_by_column, rows)

        def make_examples(part: str) -> RankingExamples:
            ids, numbers = encoded_parts.pop(part)
            return RankingExamples(
                schema.layout, ids, numbers, labels[rows[part]],
                None if users is None else users[rows[part]],
            )  # fmt: skip

        return RankingSplit(
            self.name, rules.protocol, rules.seed, self.label,
            train=make_examples(PART_NAMES[TRAIN]),
            validation=make_examples(PART_NAMES[VALIDATION]),
            test=make_examples(PART_NAMES[TEST]),
            schema=schema,
            columns=tuple(summaries),
            notes=(*notes, *_describe_columns(summaries), *fit_notes),
        )  # fmt: skip

    def _list_file_parts(self, table: RawTable) -> np.ndarray | None:
        if not self.is_published:
            return None
        sizes = [file.end - file.begin for file in table.files]
        return np.repeat(np.array(self.file_parts, np.int8), sizes)

    def _number_users(self, table: RawTable) -> np.ndarray | None:
        """Returns the user of each row, int32 [n], -1 where it is missing."""
        if self.user is None:
            return None
        return table.columns[self.user].as_codes.codes

    def _parse_column(self, table: RawTable, name: str) -> tuple[np.ndarray, str]:
        """Parses the distinct texts of a column of times: int64 [d + 1], 0 where one is none."""
        texts = table.columns[name].as_codes.texts
        parser = TimeParser(self.rules.values.times, table.locate(0, name))
        if parser.needs_survey(texts):
            parser.survey(texts)
            parser.decide_order()
        # A parser needs 300 bytes for each text.
        chunks = [
            parser.parse(texts.slice(begin, _CHUNK)).fill_null(_BAD_TIME).to_numpy()
            for begin in range(0, len(texts), _CHUNK)
        ]
        reading = (
            f"{name} is {parser.reading}; an app gives ISO 8601 or Unix seconds"
            if parser.reading
            else ""
        )
        return np.concatenate([*chunks, np.array([NO_TIME])]), reading

    def _summarize_columns(self, table: RawTable, rows: np.ndarray) -> list[ColumnSummary]:
        """Says what each column is, by the training rows."""
        kinds = self.features.kinds
        summaries = []
        for name, column in table.columns.items():
            if name == self.label_column and not self.keeps_label:
                values = collect_training_values(column, rows)
                summaries.append(summarize_column(values, "label", self.label.kind))
                continue
            chosen = self.features.features
            is_named = name in kinds or name in (chosen or ())
            if kinds.get(name) == "ignore" or (chosen is not None and not is_named):
                values = collect_training_values(column, rows)
                summaries.append(summarize_column(values, "ignored", "not among the features"))
                continue
            summary = self._summarize(column, rows, kinds.get(name))
            if is_named and summary.kind in ("constant", "missing"):
                raise UserError(
                    f"column {name!r} is no feature: {summary.reason}",
                    where=table.locate(0, name),
                    hint="Leave it out of the settings.",
                )
            summaries.append(summary)
        needed_columns = {*self.features.names, *self.roles}
        return mark_duplicates(summaries, table.columns, rows, needed_columns)

    def _summarize(self, column: RawColumn, rows: np.ndarray, kind: str | None) -> ColumnSummary:
        """Says what a column is, by its kind if that is known."""
        values = collect_training_values(column, rows)
        if kind is not None:
            return _summarize_named(values, cast("ColumnKind", kind), "named")
        if column.name in self.roles:
            role = next(
                name for name in ("user", "item", "time") if getattr(self, name) == column.name
            )
            return _summarize_named(values, self.roles[column.name], f"the column {role}")
        first_rows = rows[~column.is_missing[rows]][:FIRST_ROWS]
        first_values = collect_training_values(column, first_rows)
        return infer_column(values, first_values, self.rules.values.times)

    def _add_negatives(
        self,
        table: RawTable,
        parts: np.ndarray,
        users: np.ndarray,
        seed: int,
        notes: list[str],
    ) -> tuple[RawTable, np.ndarray, np.ndarray, np.ndarray]:
        """Adds rows of items that users do not have."""
        assert self.user is not None
        assert self.item is not None
        items = table.columns[self.item].as_codes.codes
        assert items is not None
        rows, negatives = draw_negatives(users, items, parts, self.negatives, seed)
        row_of_item = np.zeros(int(items.max()) + 1, np.int64)
        row_of_item[items[::-1]] = np.arange(len(items))[::-1]
        names = {*find_item_columns(table.columns, self.user, self.item), *self.item_columns}
        names.discard(self.label_column or "")
        positives = np.arange(len(table))
        all_rows = np.concatenate([positives, rows])
        item_rows = np.concatenate([positives, row_of_item[negatives]])
        columns = {
            name: column.take(item_rows if name in names else all_rows)
            for name, column in table.columns.items()
        }
        notes.append(
            f"{len(rows):,} negatives were drawn for {len(table):,} positives; of the item are the "
            f"columns {', '.join(name for name in columns if name in names)}"
        )
        missing = len(table) * self.negatives - len(rows)
        if missing:
            notes.append(f"{missing:,} negatives are missing: some users have all items")
        labels = np.concatenate([np.ones(len(table)), np.zeros(len(rows))]).astype(np.float32)
        table = dataclasses.replace(
            table, columns=columns, lines=table.lines[all_rows], files=table.files
        )
        return table, labels, parts[all_rows], users[all_rows]


_BAD_TIME = NO_TIME + 1
"""Stands for a text that is no time, among times."""


def _find_bad_values(
    column: RawColumn, summary: ColumnSummary, distinct_times: np.ndarray
) -> tuple[np.ndarray, str]:
    """Finds the rows whose value is not of the column's kind: bool [n], and what they are."""
    if summary.kind == "date":
        reason = "is no time that has one meaning: time_format, time_unit, or name the column "
        return distinct_times[column.codes] == _BAD_TIME, f"{reason}as categorical ({summary.name})"
    if summary.kind != "numeric" or column.codes is None:
        return np.zeros(len(column), np.bool_), ""
    is_number = np.isfinite(column.text_numbers)
    is_bad_text = ~is_number & ~column.texts.is_in(list(summary.missing)).to_numpy()
    others = (
        "the column is named as one of numbers"
        if summary.reason == "named"
        else f"others of the column are: if they are categories, name the column as categorical "
        f"({summary.name})"
    )
    reason = f"is no finite number, and {others}; if it means nothing: null_values"
    return np.append(is_bad_text, np.False_)[column.codes], reason


def _to_seconds(times: np.ndarray) -> np.ndarray:
    """Returns microseconds as Unix seconds, float64, NaN where there is no time."""
    seconds = np.floor(times / MICROSECONDS)
    is_time = (seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND)
    return np.where(is_time, seconds, np.nan)


def _drop(
    table: RawTable,
    labels: np.ndarray,
    is_bad: np.ndarray,
    name: str,
    reason: str,
    values: np.ndarray,
) -> tuple[RawTable, np.ndarray, np.ndarray]:
    """Drops bad rows of a table, of its labels, and of other values."""
    if not is_bad.any():
        return table, labels, values
    column = table.columns[name].as_codes
    assert column.codes is not None
    codes = column.codes[is_bad]
    texts = ["" if code < 0 else column.texts[int(code)] for code in codes.tolist()]
    table, mask = table.drop_bad_rows(is_bad, texts, reason, name)
    return table, labels[mask], values[mask]


def _summarize_named(values: TrainingValues, kind: ColumnKind, reason: str) -> ColumnSummary:
    """Returns the summary of a column whose kind was named."""
    if kind == "text":
        return summarize_column(values, kind, reason)
    if not values.num_present:
        return summarize_column(values, "missing", "no training row has a value")
    if len(values) == 1 and not values.num_missing and not values.is_long_text:
        return summarize_column(values, "constant", f"always {values.texts[0]!r}")
    separator = (find_separator(values) or "|") if kind == "multi" else ""
    return summarize_column(values, kind, reason, separator)


def _describe_columns(summaries: Sequence[ColumnSummary]) -> list[str]:
    """Returns notes on columns that give no features for what they have."""
    words = {
        "constant": "is constant", "missing": "is empty", "identifier": "identifies rows",
        "text": "has sentences, of which no features are made", "duplicate": "says nothing new",
    }  # fmt: skip
    return [
        f"column {summary.name} is left out: it {words[summary.kind]} ({summary.reason})"
        for summary in summaries
        if summary.kind in words
    ] + [
        f"column {summary.name}: {', '.join(map(repr, summary.missing))} taken for a missing value"
        for summary in summaries
        if summary.missing
    ]


def _check_classes(labels: np.ndarray, parts: np.ndarray, label: Label, notes: list[str]) -> None:
    for part, name in PART_NAMES.items():
        part_labels = labels[parts == part]
        if part_labels.min() < part_labels.max():
            continue
        if part == TRAIN:
            raise UserError(
                f"all {len(part_labels):,} training rows have the same label "
                f"({float(label.unscale(part_labels[:1])[0]):g})",
                where=f'label "{label.name}"',
                hint="Split in another way, or give more rows.",
            )
        notes.append(f"all {len(part_labels):,} {name} rows have the same label")


def _make_table_rules(options: Mapping[str, object]) -> TableRules:
    if options.get("normalize_ids", "none") != "none":
        raise UserError(
            "normalize_ids has no effect on the ranking task",
            hint="Leave it out: 7, 7.0 and '7' are one id.",
        )
    return make_rules(**cast("TableOptions", options))


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


def _find_column(name: str | None, names: Sequence[str], usual_names: Sequence[str]) -> str | None:
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


def _list_skipped_rows(table: RawTable) -> list[str]:
    """Returns notes on rows that were skipped.

    Raises:
        UserError: A file has no rows.
    """
    return [note for file in table.files for note in file.bad_rows.finish(file.end - file.begin)]


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
