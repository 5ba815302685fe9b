"""Describes ids that look as if they were not what they should be, for notes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import polars as pl

from kd_tf.choices import NormalizeIds
from kd_tf.data.dataset import Dataset
from kd_tf.data.id_match import REASONS
from kd_tf.data.values.garbled import describe_garbled
from kd_tf.data.values.ids import normalize_ids

_MIN_USERS = 10
"""Fewest users of which one may stand out."""

_LARGE_SHARE = 0.1
_LARGE_FACTOR = 10
"""A user stands out with this share of the interactions and so many times the usual number."""

_LIST = r"^\s*[\[({].*[,;|].*[\])}]\s*$|^[^;|]+(?:[;|][^;|]+)+$"
_LONG_NUMBER = r"^[0-9]{16,}$"
_ROUNDED_NUMBER = r"^[0-9]{15}0+$"


def describe_suspicious_ids(
    dataset: Dataset, user_column: str, normalization: NormalizeIds
) -> tuple[str, ...]:
    """Returns notes on ids of a table that were taken as written, and perhaps should not be.

    Args:
        dataset: The data set.
        user_column: Name or number of the column of its users.
        normalization: How its ids were normalized; writings are compared if they were not.
    """
    data = dataset.interactions
    notes: tuple[str, ...] = ()
    for kind, ids in (("user", data.user_ids), ("item", dataset.catalog.item_ids)):
        texts = pl.Series(ids, dtype=pl.String)
        if normalization == "none":
            notes += _describe_similar(texts, kind)
        notes += _describe_lists(texts, kind) + _describe_rounded(texts, kind)
        notes += describe_garbled(texts, f"{kind} ids")
    return notes + _describe_frequent_user(data.user, data.user_ids, user_column)


def _describe_similar(ids: pl.Series, kind: str) -> tuple[str, ...]:
    """Returns a note if ids differ only in how they are written."""
    best = 0
    for how in get_args(NormalizeIds):
        if how == "none":
            continue
        normalized_ids = normalize_ids(ids, how)
        repeats = len(ids) - normalized_ids.n_unique()
        if repeats > best:
            best, best_how, best_ids = repeats, how, normalized_ids
    if not best:
        return ()
    second = int((~best_ids.is_first_distinct()).arg_max() or 0)
    first = int((best_ids == best_ids[second]).arg_max() or 0)
    return (
        f"{best} of {len(ids)} {kind} ids may be the same as others ({ids[second]!r} and "
        f"{ids[first]!r}): {REASONS[best_how]}; --normalize-ids {best_how} makes them equal",
    )


def _describe_lists(ids: pl.Series, kind: str) -> tuple[str, ...]:
    """Returns a note if most ids are lists."""
    is_list = ids.str.contains(_LIST)
    if is_list.mean() < 0.5:  # type: ignore[operator]
        return ()
    return (
        f"{int(is_list.sum())} of {len(ids)} {kind} ids look like lists (the first is "
        f"{ids.filter(is_list)[0]!r}): a row holds one {kind}, so split them before",
    )


def _describe_rounded(ids: pl.Series, kind: str) -> tuple[str, ...]:
    """Returns a note if all long numbers end in zeros, as spreadsheets write them."""
    long_ids = ids.filter(ids.str.contains(_LONG_NUMBER))
    if len(long_ids) < 2 or not long_ids.str.contains(_ROUNDED_NUMBER).all():
        return ()
    return (
        f"all {len(long_ids)} {kind} ids of more than 15 digits end in zeros (the first is "
        f"{long_ids[0]!r}): a spreadsheet has rounded them, and different ones may have become "
        "equal; write the column as text",
    )


def _describe_frequent_user(users: np.ndarray, user_ids: list[str], column: str) -> tuple[str, ...]:
    """Returns a note if one user has far more interactions than others, as 'unknown' has."""
    counts = np.bincount(users, minlength=len(user_ids))
    largest = int(counts.max())
    if (
        len(counts) < _MIN_USERS
        or largest < _LARGE_SHARE * len(users)
        or largest < _LARGE_FACTOR * np.median(counts)
    ):
        return ()
    name = user_ids[int(counts.argmax())]
    return (
        f"user {name!r} has {largest} of {len(users)} interactions: if that stands for unknown "
        f"users, leave them out with --where '{column}!={name}'",
    )
