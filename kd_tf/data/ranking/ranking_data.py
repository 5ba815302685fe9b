"""A table for the ranking task, read but not yet split; splits and encodes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from kd_tf.data.formats.bad_rows import BadRows
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
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit, take_rows
from kd_tf.data.ranking.fit_schema import FeatureOptions, fit_schema
from kd_tf.data.ranking.item_columns import ItemColumns, choose_item_rows, find_item_columns
from kd_tf.data.ranking.item_values import JoinedItems, collect_item_values
from kd_tf.data.ranking.label_leaks import check_label_leaks
from kd_tf.data.ranking.negatives import draw_negatives
from kd_tf.data.ranking.raw_table import RawColumn, RawTable
from kd_tf.data.ranking.row_splits import PART_NAMES, SplitRules, check_row_leakage, split_rows
from kd_tf.data.ranking.text_columns import join_texts, list_text_columns
from kd_tf.data.ranking.training_values import TrainingValues, collect_training_values
from kd_tf.data.sources.table_options import TableRules
from kd_tf.data.splits.published import PUBLISHED, TEST, TRAIN, VALIDATION
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.values.times import MICROSECONDS, NO_TIME, TimeParser
from kd_tf.errors import UserError
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.values import FIRST_SECOND, LAST_SECOND

_CHUNK = 1 << 17

_BAD_TIME = NO_TIME + 1
"""Stands for a text that is no time, among times."""


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
        joined_items: The table of items that was joined, or None.
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
    joined_items: JoinedItems | None = None
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
            if rules.num_folds is not None:
                raise UserError(
                    "a published split has no folds",
                    hint="Give one table (interactions), or leave num_folds out.",
                )
            rules = dataclasses.replace(rules, protocol=PUBLISHED)
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
        users = _number_values(table, self.user)
        items = _number_values(table, self.item)
        parts = split_rows(
            len(table), rules, users=users, items=items, times=times,
            file_parts=self._list_file_parts(table),
        )  # fmt: skip
        check_row_leakage(parts, rules, users=users, items=items, times=times)
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
        notes += list_skipped_rows(table)
        users = _number_values(table, self.user)
        item_columns = self._find_item_columns(table, np.flatnonzero(parts == TRAIN), rules.seed)
        if self.negatives:
            assert item_columns is not None
            table, labels, parts, users = self._add_negatives(
                table, parts, item_columns, cast("np.ndarray", users),
                self._get_times(table, times_by_column), rules.seed, notes,
            )  # fmt: skip
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
        items = _number_values(table, self.item)
        text_columns = list_text_columns(summaries, table.columns, self.features.text)
        texts, text_ids = None, None
        if text_columns:
            texts, text_ids = join_texts([table.columns[name] for name in text_columns])

        def make_examples(part: str) -> RankingExamples:
            ids, numbers = encoded_parts.pop(part)
            return RankingExamples(
                schema.layout, ids, numbers, labels[rows[part]],
                users=take_rows(users, rows[part]), items=take_rows(items, rows[part]),
                text_ids=take_rows(text_ids, rows[part]),
            )  # fmt: skip

        return RankingSplit(
            self.name, rules.protocol, rules.seed, self.label,
            train=make_examples(PART_NAMES[TRAIN]),
            validation=make_examples(PART_NAMES[VALIDATION]),
            test=make_examples(PART_NAMES[TEST]),
            schema=schema,
            columns=tuple(summaries),
            user=self.user,
            item=self.item,
            item_columns=() if item_columns is None else self._name_item_columns(item_columns),
            item_values=collect_item_values(
                table, schema, seconds_by_column, item=self.item,
                others=(self.user, self.label_column), side=self.joined_items,
            ),
            notes=(*notes, *_describe_columns(summaries), *fit_notes),
            texts=texts,
        )  # fmt: skip

    def _list_file_parts(self, table: RawTable) -> np.ndarray | None:
        if not self.is_published:
            return None
        sizes = [file.end - file.begin for file in table.files]
        return np.repeat(np.array(self.file_parts, np.int8), sizes)

    def _parse_column(self, table: RawTable, name: str) -> tuple[np.ndarray, str]:
        """Parses the distinct texts of a column of times: int64 [d + 1], Unix microseconds.

        `_BAD_TIME` where a text is none, `NO_TIME` where it is unknown and, at the end, missing.
        """
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

    def _get_times(
        self, table: RawTable, times_by_column: Mapping[str, tuple[np.ndarray, str]]
    ) -> np.ndarray | None:
        """Returns the time of each row, int64 [n], or None where no column has it."""
        if self.time is None or self.time not in times_by_column:
            return None
        distinct_times, _ = times_by_column[self.time]
        return np.asarray(distinct_times[table.columns[self.time].as_codes.codes])

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

    def _find_item_columns(
        self, table: RawTable, rows: np.ndarray, seed: int
    ) -> ItemColumns | None:
        """Finds what belongs to the item; None where a table has no users or no items."""
        if self.user not in table.columns or self.item not in table.columns:
            return None  # Columns that nothing needs are not read.
        return find_item_columns(table.columns, self.user, self.item, rows, seed)

    def _name_item_columns(self, item_columns: ItemColumns) -> tuple[str, ...]:
        """Returns the columns that belong to the item, the joined ones included."""
        joined_names = () if self.joined_items is None else self.joined_items.names
        names = dict.fromkeys((*item_columns.constant, *item_columns.changing, *joined_names))
        return tuple(name for name in names if name not in (self.label_column, self.time))

    def _add_negatives(
        self,
        table: RawTable,
        parts: np.ndarray,
        item_columns: ItemColumns,
        users: np.ndarray,
        times: np.ndarray | None,
        seed: int,
        notes: list[str],
    ) -> tuple[RawTable, np.ndarray, np.ndarray, np.ndarray]:
        """Adds rows of items that users do not have.

        Args:
            table: The positives.
            parts: int8 [n], the part of each.
            item_columns: What belongs to the item.
            users: int32 [n], the user of each.
            times: int64 [n], the time of each, or None.
            seed: Seed that draws the items.
            notes: Gets notes on them.
        """
        assert self.item is not None
        items = table.columns[self.item].as_codes.codes
        assert items is not None
        rows, negatives = draw_negatives(users, items, parts, self.negatives, seed)
        names = set(self._name_item_columns(item_columns))
        positives = np.arange(len(table))
        item_rows = np.empty(len(rows), np.int64)
        random = np.random.default_rng(seed)
        # Training sees what training rows have; in test an item has its value of that time.
        for is_drawn, candidates in (
            (parts[rows] == TRAIN, np.flatnonzero(parts == TRAIN)),
            (parts[rows] != TRAIN, positives),
        ):
            item_rows[is_drawn] = choose_item_rows(
                items, times, candidates, negatives[is_drawn],
                None if times is None else times[rows[is_drawn]], random,
            )  # fmt: skip
        all_rows = np.concatenate([positives, rows])
        all_item_rows = np.concatenate([positives, item_rows])
        columns = {
            name: column.take(all_item_rows if name in names else all_rows)
            for name, column in table.columns.items()
        }
        changing = [name for name in item_columns.changing if name in names]
        notes += _describe_negatives(len(rows), len(table), columns, names, changing)
        notes += [
            f"column {name} stays with the row of the user, although rows of an item agree in it "
            f"by {share:.0%} more than chance: if it belongs to the item, or is known only "
            "afterwards, drawn items are recognised by it: leave it out (ignore)"
            for name, share in item_columns.doubtful.items()
            if name not in names and name != self.time
        ]
        missing = len(table) * self.negatives - len(rows)
        if missing:
            notes.append(f"{missing:,} negatives are missing: some users have all items")
        labels = np.concatenate([np.ones(len(table)), np.zeros(len(rows))]).astype(np.float32)
        table = dataclasses.replace(
            table, columns=columns, lines=table.lines[all_rows], files=table.files
        )
        return table, labels, parts[all_rows], users[all_rows]


def _describe_negatives(
    num_negatives: int,
    num_positives: int,
    names: Collection[str],
    item_names: Collection[str],
    changing_names: Sequence[str],
) -> list[str]:
    """Returns notes on which columns of a negative are of the drawn item, and which of the row."""
    of_item = ", ".join(name for name in names if name in item_names)
    of_row = ", ".join(name for name in names if name not in item_names)
    notes = [
        f"{num_negatives:,} negatives were drawn for {num_positives:,} positives; of the "
        f"drawn item are the columns {of_item}, of the row beside which it was drawn "
        f"{of_row}: these must be known before the user chooses"
    ]
    if changing_names:
        notes.append(
            f"{', '.join(changing_names)} changes between rows of an item: a drawn item has the "
            "value of its row that is nearest in time"
        )
    return notes


def _number_values(table: RawTable, column: str | None) -> np.ndarray | None:
    """Returns the user or item of each row, int32 [n], -1 where it is missing."""
    return None if column is None else table.columns[column].as_codes.codes


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
        "text": "has sentences, which only the teacher text reads", "duplicate": "says nothing new",
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
        if not len(part_labels):
            raise UserError(
                f"all {name} rows are bad",
                where=f'label "{label.name}"',
                hint="See docs/reference/features.md for how columns are read.",
            )
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


def list_skipped_rows(table: RawTable) -> list[str]:
    """Returns notes on rows that were skipped.

    Raises:
        UserError: A file has no rows.
    """
    return [note for file in table.files for note in file.bad_rows.finish(file.end - file.begin)]
