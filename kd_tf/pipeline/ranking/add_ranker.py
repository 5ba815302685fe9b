"""Adds a ranking model to the bundle of a recommender: ``kd.add_ranker``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
import polars as pl

from kd_tf.data.formats.files import format_names
from kd_tf.data.ranking.item_values import HISTORY_PREFIXES, list_item_column_names, read_values
from kd_tf.data.ranking.ranking_data import list_skipped_rows
from kd_tf.data.ranking.raw_table import RawColumn
from kd_tf.data.ranking.read_ranking import ITEM_NAMES, find_column
from kd_tf.data.ranking.read_table import (
    TableSource,
    check_names,
    list_columns,
    open_source,
    read_raw_table,
)
from kd_tf.data.sources.table_options import TableOptions, make_rules
from kd_tf.errors import UserError
from kd_tf.pipeline.ranking.choose_sources import choose_sources
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import ITEMS_FILE
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.features.values import make_canonical
from kd_tf.runtime.item_values import ItemValue, ItemValues
from kd_tf.runtime.ranker_bundle import RankerBundle
from kd_tf.runtime.recommender import Recommender
from kd_tf.runtime.row_sources import CONTEXT_SOURCES, RowSources, SourceName
from kd_tf.runtime.write_bundle_ranker import write_bundle_ranker


@dataclass(frozen=True)
class AddedRanker:
    """A bundle with a ranker, and how well the two fit.

    Attributes:
        bundle: The bundle.
        num_covered: Number of its items that the ranker knows values of.
        num_other_items: Number of items of the ranker that the bundle does not have.
    """

    bundle: Bundle
    num_covered: int
    num_other_items: int

    @property
    def sources(self) -> RowSources:
        """Where the ranker's columns are from."""
        assert self.bundle.ranker is not None
        assert self.bundle.ranker.sources is not None
        return self.bundle.ranker.sources

    @property
    def covered_share(self) -> float:
        """Share of the bundle's items that the ranker knows values of."""
        return self.num_covered / len(self.bundle.items)

    def describe(self) -> list[str]:
        """Says in sentences how well the two fit."""
        lines = [
            f"items: {self.num_covered:,} of {len(self.bundle.items):,} "
            f"({self.covered_share:.1%}) are known to the ranker"
            + (
                f"; others of the ranker, not in the bundle: {self.num_other_items:,}"
                if self.num_other_items
                else ""
            )
        ]
        groups: dict[str, tuple[SourceName, ...]] = {
            "of the item": ("item-id", "item"),
            "of the history": ("history",),
            "of the device": CONTEXT_SOURCES,
        }
        for what, sources in groups.items():
            names = self.sources.list_columns(*sources)
            if names:
                lines.append(f"{what}: {', '.join(names)}")
        fixed_values = [
            f"{column.name} = {column.value}"
            for column in self.sources.columns
            if column.source == "fixed"
        ]
        if fixed_values:
            lines.append(f"always the same: {', '.join(fixed_values)}")
        missing = self.sources.list_columns("missing")
        if missing:
            lines.append(
                f"missing on a device: {', '.join(missing)} (of neither item, history nor device)"
            )
        return lines


def add_ranker(
    bundle: str | Path,
    ranker: str | Path,
    *,
    items: TableSource | None = None,
    item_id: str | None = None,
    sources: Mapping[str, str] | None = None,
    values: Mapping[str, ItemValue] | None = None,
    **options: Unpack[TableOptions],
) -> AddedRanker:
    """Writes a ranking model into the bundle of a recommender, which it then re-ranks.

    `Recommender.rerank`, the page and the app sort a shortlist by it. Where each of its columns is
    from is chosen by name: the item's own columns, what a device knows (hour, weekday, time,
    language), and ``history_pages`` for the mean of the column ``pages`` over the newest items of
    the history. All others are missing on a device.

    Args:
        bundle: Folder of the bundle of a recommender, or of its run. It is written anew, in one
            step; a ranker that it has is replaced.
        ranker: Folder of the bundle of a ranking run, or of the run. It stays as it is.
        items: Table with columns of the items, called as in the ranker's table. By default what
            the ranking run wrote is taken: the columns of its table of items, and those that have
            one value for each item.
        item_id: Its column with the items; by default the ranker's column of items, or a usual
            name.
        sources: Column -> ``hour``, ``weekday``, ``time``, ``local-time``, ``language`` or
            ``missing``, instead of what its name says.
        values: Column -> a value that it always has on a device, such as ``{"position": 1}``.
        **options: How the table is written, as for `read_ranking_split`.

    Returns:
        The bundle, and how well the two fit.

    Raises:
        UserError: A folder is no such bundle, the two share no items, nothing of the ranker depends
            on the item, or a setting names no column.

    Example:
        >>> import kd_tf as kd
        >>> kd.add_ranker("runs/demo", "runs/clicks", values={"position": 1})  # doctest: +SKIP
        >>> recommender = kd.Recommender.load("runs/demo")  # doctest: +SKIP
        >>> recommender.rerank(["Dune"], k=5, context={"hour": 21})  # doctest: +SKIP
    """
    opened_bundle, opened_ranker = Bundle.open(bundle), RankerBundle.open(ranker)
    ranker_path = str(opened_ranker.folder)
    if items is None:
        if opened_ranker.items is None:
            raise UserError(
                f"the ranker has no {ITEMS_FILE}: it says nothing of items",
                where=ranker_path,
                hint="Give a table with their columns (--items), or run the ranking task again "
                "with a column of items (--item).",
            )
        all_values = opened_ranker.items
    else:
        item = None if opened_ranker.items is None else opened_ranker.items.item
        all_values = read_item_table(items, opened_ranker.schema, item, item_id, **options)
    item_values = select_items(all_values, opened_bundle.items.list_item_ids())
    for column in opened_ranker.schema.columns:
        # A value that cannot be read must be found here, and not on the phone of somebody.
        column.read(item_values.columns.get(column.name, ()), opened_ranker.schema.missing_texts)
    num_covered = len(item_values.item_ids)
    if not num_covered:
        examples = [ids[0] for ids in (all_values.item_ids, opened_bundle.items.list_item_ids())]
        raise UserError(
            "no item of the ranker is in the bundle: its items are like "
            f"{examples[0]!r}, those of the bundle like {examples[1]!r}",
            where=ranker_path,
            hint="Train both with the same ids of items, or name the column with these ids in the "
            "table of items (--item-id).",
        )
    row_sources = choose_sources(
        opened_ranker.schema, item_values, sources=sources, values=values, where=ranker_path
    )
    if not row_sources.list_columns("item-id", "item"):
        raise UserError(
            "no column of the ranker belongs to the item, so that it would predict the same for "
            "all: " + ", ".join(column.name for column in row_sources.columns),
            where=ranker_path,
            hint="Give a table with the columns of items (--items).",
        )
    written_bundle = write_bundle_ranker(
        opened_bundle, opened_ranker, item_values, row_sources, check=Recommender.from_bundle
    )
    return AddedRanker(written_bundle, num_covered, len(all_values.item_ids) - num_covered)


def select_items(items: ItemValues, item_ids: list[str]) -> ItemValues:
    """Returns the values of the items of a catalog, under the ids as the catalog writes them.

    Example:
        >>> select_items(ItemValues(None, ("7", "8"), {"pages": (10, 20)}), ["9", "7.0"])
        ItemValues(item=None, item_ids=('7.0',), columns={'pages': (10,)})
    """
    place_of_id = {
        item_id: items.places[canonical_id]
        for item_id in item_ids
        if (canonical_id := make_canonical(item_id, frozenset()) or "") in items.places
    }
    return ItemValues(
        items.item,
        tuple(place_of_id),
        {
            name: tuple(values[place] for place in place_of_id.values())
            for name, values in items.columns.items()
        },
    )


def read_item_table(
    source: TableSource,
    schema: FeatureSchema,
    item: str | None,
    item_id: str | None,
    **options: Unpack[TableOptions],
) -> ItemValues:
    """Reads the columns of items that a ranker takes.

    Args:
        source: The table.
        schema: The columns of the ranker.
        item: The ranker's column of items; None if it is not known.
        item_id: The table's column of items; None for one called like `item`, or a usual name.
        **options: How the table is written.

    Raises:
        UserError: The table has none of the columns, or an item twice.
    """
    rules = make_rules(**options)
    table = open_source(source, rules.dialect, "items")
    names = list_columns(table, [item_id] if item_id is not None else [])
    where = table.locate(1)
    schema_names = [column.name for column in schema.columns]
    if item is None:
        item = find_column(None, schema_names, ITEM_NAMES)
    id_column = item_id or (item if item in names else find_column(None, names, ITEM_NAMES))
    if id_column is None:
        raise UserError(
            f"no column has the ids of the items; the columns are {format_names(names)}",
            where=where,
            hint="Name it: item_id.",
        )
    check_names([id_column], names, where, "item_id")
    types = {column.name: column.type for column in schema.columns}
    value_names = [name for name in list_item_column_names(types, names) if name != id_column]
    if not value_names and item not in types:
        raise UserError(
            "the table of items has no column of the ranker; its columns are "
            f"{format_names(names)}, those of the ranker {format_names(schema_names)}",
            where=where,
            hint=f"Call them alike. {HISTORY_PREFIXES[0]}pages of the ranker needs pages.",
        )
    raw_table = read_raw_table([table], [id_column, *value_names], rules, kept_texts=[id_column])
    list_skipped_rows(raw_table)
    item_ids = raw_table.columns[id_column].as_codes
    assert item_ids.codes is not None
    codes, rows, counts = np.unique(item_ids.codes, return_index=True, return_counts=True)
    is_present = codes >= 0
    if (counts[is_present] > 1).any():
        code = int(codes[is_present][counts[is_present] > 1][0])
        raise UserError(
            f"the item {item_ids.texts[code]!r} stands in two rows of the table of items",
            where=where,
            hint="Keep one row for each item.",
        )
    rows = rows[is_present]
    missing = {text for column in schema.columns for text in column.missing}
    for name in value_names:
        if types.get(name) in ("number", None):
            _check_numbers(raw_table.columns[name], missing | schema.missing_texts, where)
    return ItemValues(
        item if item in types else None,
        tuple(item_ids.texts.gather(codes[is_present]).to_list()),
        {
            name: tuple(read_values(raw_table.columns[name].take(rows), types.get(name)))
            for name in value_names
        },
    )


def _check_numbers(column: RawColumn, missing: Collection[str], where: str) -> None:
    """Checks that all texts of a column are numbers, or mean missing."""
    if column.codes is None:
        return
    is_text = ~np.isfinite(column.text_numbers)
    texts = [text for text in column.texts.filter(pl.Series(is_text)) if text not in missing]
    if texts:
        raise UserError(
            f"column {column.name!r} must have numbers, not {texts[0]!r}",
            where=where,
            hint="Leave the cell empty where the number is unknown.",
        )
