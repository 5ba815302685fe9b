"""Cleans raw interactions and counts what each step removed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Counts, Interactions
from kd_tf.errors import UserError

InteractionWeighting = Literal["none", "rating", "log", "count"]
DuplicatePolicy = Literal["last", "max", "mean", "error"]

DEFAULT_MIN_USER_INTERACTIONS = 5
"""Default of `CleaningRules.min_user_interactions`, where it leaves enough users."""

MIN_USERS_LEFT = 20
"""The default is lowered where it would leave fewer users: they are too few to lose one."""


@dataclass(frozen=True)
class CleaningRules:
    """Rules that select and weight interactions.

    Attributes:
        since: Seconds since 1970; removes older rows. None keeps all.
        until: Seconds since 1970; removes rows from this time on. None keeps all.
        min_rating: Removes rows with a lower rating, or with none. None keeps all.
        weights: The weight of a row. ``none``: 1. ``rating``: its rating. ``log``:
            1 + ln(1 + rating). ``count``: how often the user has the item, as in loans. ``rating``
            and ``log`` are the confidences of Hu, Koren and Volinsky, "Collaborative filtering for
            implicit feedback datasets", 2008, without their factor alpha, which models have. A row
            without a rating has the mean weight of the others.
        duplicates: Which row of a repeated user-item pair stays: the ``last`` by time, or in the
            file without times, with the last rating that is known; the one with the ``max``
            rating; the last one with their ``mean`` rating; or ``error``, which raises.
        max_user_quantile: Removes users with more items than this quantile of all users: robots,
            libraries, test accounts. None keeps all.
        min_user_interactions: Removes users with fewer items; at least 2. None takes
            `DEFAULT_MIN_USER_INTERACTIONS`, or less where that would leave fewer than
            `MIN_USERS_LEFT` users: a family has few readers, and needs all of them.
        min_item_interactions: Removes the interactions of items with fewer users. The items keep
            their place in the catalog.

    Raises:
        UserError: A value is out of range.

    Example:
        >>> CleaningRules(min_rating=4, duplicates="max").duplicates
        'max'
        >>> CleaningRules(min_user_interactions=1)
        Traceback (most recent call last):
        ...
        kd_tf.errors.UserError: min_user_interactions must be 2 or more, not 1
    """

    since: int | None = None
    until: int | None = None
    min_rating: float | None = None
    weights: InteractionWeighting = "none"
    duplicates: DuplicatePolicy = "last"
    max_user_quantile: float | None = None
    min_user_interactions: int | None = None
    min_item_interactions: int = 1

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UserError(f"since ({self.since}) must be before until ({self.until})")
        if self.min_rating is not None and not math.isfinite(self.min_rating):
            raise UserError(f"min_rating must be a finite number, not {self.min_rating}")
        for name, choices in (("weights", InteractionWeighting), ("duplicates", DuplicatePolicy)):
            if getattr(self, name) not in get_args(choices):
                raise UserError(
                    f"{name} must be one of {', '.join(get_args(choices))}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.max_user_quantile is not None and not 0 < self.max_user_quantile < 1:
            raise UserError(
                f"max_user_quantile must be above 0 and below 1, not {self.max_user_quantile}"
            )
        for name, minimum in (("min_user_interactions", 2), ("min_item_interactions", 1)):
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise UserError(f"{name} must be {minimum} or more, not {value}")


@dataclass(frozen=True)
class CleaningStep:
    """The effect of one cleaning step.

    Attributes:
        name: What the step removes.
        before: Counts before the step.
        after: Counts after the step.
        note: What the user should know of the step, or None.
    """

    name: str
    before: Counts
    after: Counts
    note: str | None = None


def clean(
    interactions: Interactions, rules: CleaningRules | None = None
) -> tuple[Interactions, list[CleaningStep]]:
    """Cleans interactions and merges them to one row per user-item pair.

    The order of the steps: the time range, then duplicates, then the lowest rating, then users and
    items with too many or too few rows. So the rating that counts is the one that the rule on
    duplicates chooses among all of a user's ratings of an item, a user's activity is measured on
    the rows that a model would train on, and the final k-core is a true core.

    Args:
        interactions: Raw interactions, as a data source returns them.
        rules: The rules; None for the defaults of `CleaningRules`.

    Returns:
        The remaining interactions, and the active steps in order, with the counts before and
        after each.

    Raises:
        UserError: A rule needs ratings or timestamps that are missing, duplicates are not
            allowed, or no interaction remains.
    """
    rules = rules or CleaningRules()
    remaining = interactions
    steps: list[CleaningStep] = []

    def step(name: str, after: Interactions, note: str | None = None) -> None:
        nonlocal remaining
        steps.append(CleaningStep(name, remaining.count(), after.count(), note))
        remaining = after

    if rules.since is not None or rules.until is not None:
        name, rows = _select_time_range(remaining, rules)
        step(name, remaining.keep(rows))
    if rules.weights == "count":  # before the rows that it counts are merged
        remaining = replace(remaining, weight=_compute_weights(remaining, rules.weights))
    order = _sort_by_pair(remaining)
    step("exact repeat of a row", remaining.keep(_mark_first_of_equal_rows(remaining, order)))
    step(
        f"repeated user-item pair ({_DUPLICATE_NOTES[rules.duplicates]})",
        _merge_repeated_pairs(remaining, rules.duplicates),
    )
    if rules.min_rating is not None:
        rating = _require_ratings(remaining, f"min_rating is {rules.min_rating}")
        # Of a user's ratings of an item, the merge has chosen the one that counts.
        step(f"rating below {rules.min_rating:g}", remaining.keep(~(rating < rules.min_rating)))
        rating = _require_ratings(remaining, f"min_rating is {rules.min_rating}")
        if np.isnan(rating).any():
            step("no rating", remaining.keep(~np.isnan(rating)))
    if rules.weights in ("rating", "log"):  # after the merge has chosen the ratings
        remaining = replace(remaining, weight=_compute_weights(remaining, rules.weights))
    if rules.max_user_quantile is not None:
        counts = np.bincount(remaining.user, minlength=remaining.num_users)
        limit = float(np.quantile(counts, rules.max_user_quantile)) if len(counts) else 0.0
        step(
            f"user with more than {limit:g} items (quantile {rules.max_user_quantile:g})",
            remaining.keep(counts[remaining.user] <= limit),
        )
    min_user_interactions, note = rules.min_user_interactions, None
    if min_user_interactions is None:
        min_user_interactions, note = _choose_min_user_interactions(
            remaining, rules.min_item_interactions
        )
    rows, rounds = _find_core(remaining, min_user_interactions, rules.min_item_interactions)
    name = f"user with fewer than {min_user_interactions} items"
    if rules.min_item_interactions > 1:
        name += (
            f" or item with fewer than {rules.min_item_interactions} users ({rounds} "
            f"round{'' if rounds == 1 else 's'})"
        )
    before_core = remaining
    step(name, remaining.keep(rows), note)
    if not len(remaining):
        raise UserError(
            "no interactions remain after cleaning: "
            + "; ".join(
                f"{step.name}: {num_rows} row{'' if num_rows == 1 else 's'}"
                for step in steps
                if (num_rows := step.before.interactions - step.after.interactions)
            ),
            hint=_explain_empty_core(before_core, rules),
        )
    return remaining, steps


def describe_dropped_rows(dataset: Dataset) -> list[CleaningStep]:
    """Returns the rows that a data source dropped, as the first cleaning steps.

    Their users and items are unknown: both are counted as after the step.
    """
    after = dataset.interactions.count()
    steps = []
    for reason, rows in reversed(list(dataset.dropped_rows.items())):
        before = Counts(after.interactions + rows, after.users, after.items)
        steps.append(CleaningStep(reason, before, after))
        after = before
    return steps[::-1]


_DUPLICATE_NOTES = {
    "last": "keep the latest",
    "max": "keep the best rated",
    "mean": "keep the mean rating",
    "error": "not allowed",
}


def _select_time_range(interactions: Interactions, rules: CleaningRules) -> tuple[str, np.ndarray]:
    """Returns the name of the step and a bool mask [n] of the rows within the time range."""
    time = interactions.timestamp
    if time is None:
        raise UserError(
            "since or until is set, but the table has no timestamps",
            hint="Name the timestamp column, or remove since and until.",
        )
    rows = np.ones(len(time), bool)
    name = []
    if rules.since is not None:
        rows &= time >= rules.since
        name.append(f"before {rules.since}")
    if rules.until is not None:
        rows &= time < rules.until
        name.append(f"from {rules.until} on")
    return f"time {' or '.join(name)}", rows


def _require_ratings(interactions: Interactions, reason: str) -> np.ndarray:
    """Returns the ratings, or raises UserError with the reason why they are needed."""
    if interactions.rating is None:
        raise UserError(
            f"{reason}, but the table has no ratings",
            hint="Name the rating column, or remove this setting.",
        )
    return interactions.rating


def _compute_weights(interactions: Interactions, weights: InteractionWeighting) -> np.ndarray:
    """Computes the weight of each row, float32 [n], above 0."""
    if weights == "count":
        _, pair, counts = np.unique(
            _encode_pairs(interactions), return_inverse=True, return_counts=True
        )
        return counts[pair].astype(np.float32)
    rating = _require_ratings(interactions, f"weights is {weights}")
    lowest = np.nanmin(rating, initial=np.inf)
    if weights == "rating" and lowest <= 0:
        raise UserError(
            f"weights is rating, but the lowest rating is {lowest:g}",
            hint="Weights must be above 0. Set min_rating, or set weights to log.",
        )
    if weights == "log" and lowest < 0:
        raise UserError(
            f"weights is log, 1 + ln(1 + rating), but the lowest rating is {lowest:g}",
            hint="Set min_rating to 0 or more.",
        )
    values = rating if weights == "rating" else 1 + np.log1p(rating)
    return np.where(np.isnan(values), np.nanmean(values), values).astype(np.float32)


def _encode_pairs(interactions: Interactions) -> np.ndarray:
    """Returns a unique number for each user-item pair, int64 [n]."""
    user = interactions.user.astype(np.int64)
    return np.asarray(user * (interactions.num_items + 1) + interactions.item)


def _sort_by_pair(interactions: Interactions) -> np.ndarray:
    """Returns row indices sorted by pair, then by time, rating and place in the file."""
    order = np.arange(len(interactions))
    # One stable sort per key, the most important key last: NumPy sorts integers by radix.
    for values in (interactions.rating, interactions.timestamp, _encode_pairs(interactions)):
        if values is not None:
            order = order[np.argsort(values[order], kind="stable")]
    return order


def _mark_first_of_equal_rows(interactions: Interactions, order: np.ndarray) -> np.ndarray:
    """Returns a bool mask [n], false for a row that repeats another in every column."""
    same = np.ones(max(len(order) - 1, 0), bool)
    for values in (_encode_pairs(interactions), interactions.rating, interactions.timestamp):
        if values is not None:
            ordered_values = values[order]
            same &= (ordered_values[1:] == ordered_values[:-1]) | (
                np.isnan(ordered_values[1:]) & np.isnan(ordered_values[:-1])
            )
    mask = np.ones(len(order), bool)
    mask[order[1:][same]] = False
    return mask


def _merge_repeated_pairs(interactions: Interactions, policy: DuplicatePolicy) -> Interactions:
    """Merges repeated user-item pairs to one row each."""
    pairs = _encode_pairs(interactions)
    order = np.argsort(pairs, kind="stable")
    rank = interactions.timestamp
    if policy == "max":
        # A row without a rating is not the best rated one.
        rank = np.nan_to_num(_require_ratings(interactions, "duplicates is max"), nan=-np.inf)
    if rank is not None:
        order = np.argsort(rank, kind="stable")
        order = order[np.argsort(pairs[order], kind="stable")]
    ordered_pairs = pairs[order]
    last = np.append(ordered_pairs[1:] != ordered_pairs[:-1], True)[: len(order)]
    if policy == "error" and not last.all():
        row = int(order[np.flatnonzero(~last)[0]])
        user = interactions.user_ids[interactions.user[row]]
        raise UserError(
            f"user {user!r} has catalog item {interactions.item[row]} more than once",
            hint="Fix the table, or set duplicates to last, max or mean.",
        )
    if interactions.rating is not None and len(order):
        ratings = interactions.rating[order].astype(np.float64)
        is_first = np.append(True, ordered_pairs[1:] != ordered_pairs[:-1])
        group = np.cumsum(is_first) - 1
        is_known = ~np.isnan(ratings)
        if policy == "mean":
            with np.errstate(invalid="ignore"):  # none of a pair's ratings may be known
                counts = np.bincount(group, is_known)
                ratings = (np.bincount(group, np.nan_to_num(ratings)) / counts)[group]
        elif policy == "last" and not is_known.all():
            # The place of the last known rating so far, within the pair.
            last_known = np.maximum.accumulate(np.where(is_known, np.arange(len(order)), -1))
            is_same_pair = (last_known >= 0) & (group[last_known] == group)
            ratings = np.where(is_same_pair, ratings[last_known], np.nan)
        merged_ratings = interactions.rating.copy()
        merged_ratings[order] = ratings.astype(np.float32)
        interactions = replace(interactions, rating=merged_ratings)
    elif policy == "mean":
        _require_ratings(interactions, "duplicates is mean")
    mask = np.zeros(len(order), bool)
    mask[order[last]] = True
    return interactions.keep(mask)


def _choose_min_user_interactions(
    interactions: Interactions, min_item: int
) -> tuple[int, str | None]:
    """Chooses the default of the minimum: the largest that leaves `MIN_USERS_LEFT` users.

    Returns:
        The minimum, at least 2, and a note if it is lower than usual and keeps more users.
    """

    def count_users(minimum: int) -> int:
        rows, _ = _find_core(interactions, minimum, min_item)
        return len(np.unique(interactions.user[rows]))

    minimum = DEFAULT_MIN_USER_INTERACTIONS
    num_users = num_users_of_default = count_users(minimum)
    while num_users < MIN_USERS_LEFT and minimum > 2:
        minimum -= 1
        num_users = count_users(minimum)
    if not num_users:
        return minimum, None
    if num_users == num_users_of_default:
        return DEFAULT_MIN_USER_INTERACTIONS, None
    return minimum, (
        f"users with {minimum} items or more are kept: only {num_users_of_default} of these "
        f"{num_users} have {DEFAULT_MIN_USER_INTERACTIONS}, the usual minimum "
        "(cleaning.min_user_interactions)"
    )


def _explain_empty_core(interactions: Interactions, rules: CleaningRules) -> str:
    """Says what to do where the last step, the k-core, or an earlier one removed all rows."""
    most = int(np.bincount(interactions.user).max(initial=0))
    if most == 1:
        return (
            "No user has two items, so nothing shows which items go together. Add more "
            "interactions."
        )
    minimum = rules.min_user_interactions
    if minimum is not None and 2 <= most < minimum:
        return (
            f"No user has more than {most} items: set cleaning.min_user_interactions to {most} or "
            "less, or leave it out."
        )
    return "Loosen the rule that removed most rows."


def _find_core(interactions: Interactions, min_user: int, min_item: int) -> tuple[np.ndarray, int]:
    """Finds the rows of the k-core: users and items that have enough of each other.

    Returns:
        A bool mask [n] of the rows, and the number of rounds it took.
    """
    rows = np.arange(len(interactions))
    rounds = 0
    while True:
        rounds += 1
        user, item = interactions.user[rows], interactions.item[rows]
        enough = np.bincount(user)[user] >= min_user if len(rows) else np.zeros(0, bool)
        if min_item > 1 and len(rows):
            enough &= np.bincount(item)[item] >= min_item
        if enough.all() or (min_item == 1 and rounds > 1):
            break
        rows = rows[enough]
    mask = np.zeros(len(interactions), bool)
    mask[rows] = True
    return mask, rounds
