"""Finds which columns of a table of positives belong to the item: a drawn item brings its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kd_tf.data.ranking.raw_table import RawColumn

ITEM_SHARE = 0.5
"""A column belongs to the item if two rows of an item agree by at least so much more than chance,
and by more than two rows of a user."""

DOUBTFUL_SHARE = 0.1
"""A column that stays with the user's row although it agrees by so much within items is noted."""

_LEAST_DIFFERENCES = 20
"""Fewer pairs that chance would make differ say nothing."""

_MAX_PAIRS = 200_000

_LEAST_REPEATS = 2


@dataclass(frozen=True)
class ItemColumns:
    """The columns of a table of positives, by what they belong to.

    Attributes:
        constant: Columns with one value for each item; the item itself is the first.
        changing: Columns that belong to the item, but change between its rows, such as a price.
        doubtful: Columns that stay with the row, and how much they agree within items: 0 as by
            chance, 1 always.
    """

    constant: tuple[str, ...]
    changing: tuple[str, ...]
    doubtful: Mapping[str, float]


def find_item_columns(
    columns: Mapping[str, RawColumn], user: str, item: str, rows: np.ndarray, seed: int
) -> ItemColumns:
    """Finds the columns that belong to the item.

    A drawn item beside the price of another one would be recognised by it. Where items occur twice
    or more on average, a column with one value for each item belongs to it. So does a column whose
    values agree in pairs of rows of an item: the share of equal values above chance, or the
    correlation of the ranks of numbers, is at least `ITEM_SHARE`, and above that within users.
    A column of the situation, such as the hour, agrees by little within items.

    Args:
        columns: The columns.
        user: Name of the column with the users.
        item: Name of the column with the items.
        rows: int64 [n], the rows that decide: those of training.
        seed: Seed that pairs rows.
    """
    user_codes, item_codes = (_get_codes(columns[name])[rows] for name in (user, item))
    random = np.random.default_rng(seed)
    item_pairs = _draw_pairs(item_codes, user_codes, random)
    user_pairs = _draw_pairs(user_codes, item_codes, random)
    num_items = len(np.unique(item_codes))
    constant, changing, doubtful = [item], [], {}
    for name, column in columns.items():
        if name in (user, item):
            continue
        codes = _get_codes(column)[rows]
        if len(rows) >= _LEAST_REPEATS * num_items and _has_single_values(
            item_codes, codes, num_items
        ):
            constant.append(name)
            continue
        numbers = column.read_numbers()[rows]
        share, error = _measure_agreement(codes, numbers, item_pairs)
        share_of_users, _ = _measure_agreement(codes, numbers, user_pairs)
        if share < share_of_users:
            continue
        if share >= ITEM_SHARE:
            changing.append(name)
        elif share - 2 * error > DOUBTFUL_SHARE:
            doubtful[name] = share
    return ItemColumns(tuple(constant), tuple(changing), doubtful)


def find_constant_columns(columns: Mapping[str, RawColumn], item: str) -> tuple[str, ...]:
    """Finds the columns that have one value for each item in all rows; the item is the first.

    Where items occur less than twice on average, any column would: then only the item is taken.
    Rows without an item say nothing.

    Args:
        columns: The columns that may belong to it, and its own.
        item: The column with the items.
    """
    item_column = columns[item].as_codes
    is_missing = item_column.is_missing
    row_of_item = find_first_rows(item_column)
    if len(item_column) < _LEAST_REPEATS * (row_of_item >= 0).sum():
        return (item,)
    first_rows = row_of_item[item_column.codes]
    names = []
    for name, column in columns.items():
        values = column.codes if column.codes is not None else column.numbers
        assert values is not None
        item_values = values[first_rows]
        is_equal = (values == item_values) | ((values != values) & (item_values != item_values))
        if name != item and (is_equal | is_missing).all():
            names.append(name)
    return (item, *names)


def find_first_rows(column: RawColumn) -> np.ndarray:
    """Finds the first row of each code of a column: int64 [d + 1], that of missing values last.

    A code that no row has is -1.

    Example:
        >>> import polars as pl
        >>> texts = pl.Series(["a", "b", "c"])
        >>> find_first_rows(RawColumn("item", np.array([2, 0, 2, -1]), texts)).tolist()
        [1, -1, 0, 3]
    """
    assert column.codes is not None
    first_rows = np.full(len(column.texts) + 1, -1, np.int64)
    # Of several rows the last one is written.
    first_rows[column.codes[::-1]] = np.arange(len(column.codes))[::-1]
    return first_rows


def _get_codes(column: RawColumn) -> np.ndarray:
    codes = column.as_codes.codes
    assert codes is not None
    return codes


def _has_single_values(item_codes: np.ndarray, codes: np.ndarray, num_items: int) -> bool:
    """Says whether a column has one value for each item; a missing one is a value."""
    pairs = np.unique(item_codes.astype(np.int64) * (int(codes.max()) + 2) + codes + 1)
    return len(pairs) == num_items


def _draw_pairs(codes: np.ndarray, others: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pairs rows at random that have the same code, and different other ones: int64 [2, m]."""
    order = np.lexsort((random.random(len(codes)), codes))
    pairs = np.stack([order[:-1], order[1:]])
    first, second = pairs
    pairs = pairs[:, (codes[first] == codes[second]) & (others[first] != others[second])]
    if pairs.shape[1] > _MAX_PAIRS:
        pairs = pairs[:, random.choice(pairs.shape[1], _MAX_PAIRS, replace=False)]
    return pairs


def _measure_agreement(
    codes: np.ndarray, numbers: np.ndarray, pairs: np.ndarray
) -> tuple[float, float]:
    """Measures how much the values of pairs agree: 0 as by chance, 1 always.

    Returns:
        The agreement and its standard error; 0 and 0 where there are too few pairs.
    """
    shares = np.bincount(codes + 1) / len(codes)
    difference_by_chance = 1 - float(np.square(shares).sum())
    num_differences = difference_by_chance * pairs.shape[1]
    if num_differences < _LEAST_DIFFERENCES:
        return 0.0, 0.0
    first, second = pairs
    equal_share = float((codes[first] == codes[second]).mean())
    agreement = 1 - (1 - equal_share) / difference_by_chance
    has_numbers = np.isfinite(numbers[first]) & np.isfinite(numbers[second])
    if has_numbers.sum() >= _LEAST_DIFFERENCES:
        # Each pair both ways: which of its rows is the first is chance.
        values = numbers[np.concatenate([first[has_numbers], second[has_numbers]])]
        ranks = stats.rankdata(values)
        if values.min() < values.max():
            correlation = np.corrcoef(ranks, np.roll(ranks, len(ranks) // 2))[0, 1]
            agreement = max(agreement, float(correlation))
    return agreement, num_differences**-0.5


def choose_item_rows(
    items: np.ndarray,
    times: np.ndarray | None,
    candidates: np.ndarray,
    drawn_items: np.ndarray,
    drawn_times: np.ndarray | None,
    random: np.random.Generator,
) -> np.ndarray:
    """Chooses the row of each drawn item that its values are taken from.

    Args:
        items: int32 [n], the item of each row.
        times: int64 [n], the time of each row; None where it is not known.
        candidates: int64 [k], the rows to choose from; they have every drawn item.
        drawn_items: int32 [m].
        drawn_times: int64 [m], the time of the row beside which an item was drawn, or None.
        random: Chooses the row where times are not known.

    Returns:
        int64 [m]: the row of the item that is nearest in time, or one at random.

    Example:
        >>> items, times = np.array([0, 0, 1]), np.array([10, 20, 15])
        >>> choose_item_rows(
        ...     items, times, np.arange(3), np.array([0, 0]), np.array([11, 99]),
        ...     np.random.default_rng(0),
        ... ).tolist()
        [0, 1]
    """
    candidate_times = np.zeros(len(candidates), np.int64) if times is None else times[candidates]
    order = np.lexsort((candidate_times, items[candidates]))
    ordered_rows, ordered_items = candidates[order], items[candidates][order]
    begins = np.searchsorted(ordered_items, drawn_items, "left")
    ends = np.searchsorted(ordered_items, drawn_items, "right")
    if times is None or drawn_times is None:
        return np.asarray(ordered_rows[begins + random.integers(ends - begins)])
    # Times as ranks, so that item and time make one number to search for.
    distinct_times = np.unique(np.concatenate([candidate_times, drawn_times]))
    size = len(distinct_times)
    keys = ordered_items.astype(np.int64) * size + np.searchsorted(
        distinct_times, candidate_times[order]
    )
    drawn_keys = drawn_items.astype(np.int64) * size + np.searchsorted(distinct_times, drawn_times)
    later = np.clip(np.searchsorted(keys, drawn_keys), begins, ends - 1)
    earlier = np.maximum(later - 1, begins)
    ordered_times = candidate_times[order].astype(np.float64)
    is_earlier_nearer = np.abs(ordered_times[earlier] - drawn_times) < np.abs(
        ordered_times[later] - drawn_times
    )
    return np.asarray(ordered_rows[np.where(is_earlier_nearer, earlier, later)])
