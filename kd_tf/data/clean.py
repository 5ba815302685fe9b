"""From raw interactions to those that models learn from: each step named and counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from kd_tf.data.interactions import CleaningStep, Counts, Dataset, Interactions
from kd_tf.errors import UserError

InteractionWeighting = Literal["none", "rating", "log", "count"]
DuplicatePolicy = Literal["last", "max", "mean", "error"]


@dataclass(frozen=True)
class CleaningRules:
    """Which interactions count, and how much.

    Attributes:
        since: Seconds since 1970; older rows go. None keeps all.
        until: Seconds since 1970; rows from this time on go. None keeps all.
        min_rating: Rows rated lower go. None keeps all.
        weights: How much a row counts. ``none``: all the same. ``rating``: its rating. ``log``:
            1 + ln(1 + rating). ``count``: how often the reader has the book, as in loans. The
            first two are the confidences of Hu, Koren and Volinsky, "Collaborative filtering for
            implicit feedback datasets", 2008, without their factor alpha, which a model brings.
        duplicates: What stays of several rows of one reader and one book: the ``last`` by time,
            or in the file; the one with the ``max`` rating; their ``mean`` rating at the last
            time; or ``error``.
        max_user_quantile: Readers with more books than this quantile of all readers go: robots,
            libraries, test accounts. None keeps all.
        min_user_interactions: Readers with fewer books go; at least 2.
        min_item_interactions: Books with fewer readers go from the interactions (they keep their
            place in the catalogue).

    Raises:
        UserError: A value is out of range.
    """

    since: int | None = None
    until: int | None = None
    min_rating: float | None = None
    weights: InteractionWeighting = "none"
    duplicates: DuplicatePolicy = "last"
    max_user_quantile: float | None = None
    min_user_interactions: int = 5
    min_item_interactions: int = 1

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise UserError(f"since ({self.since}) must be before until ({self.until})")
        if self.min_rating is not None and not math.isfinite(self.min_rating):
            raise UserError(f"min_rating must be a finite number, not {self.min_rating}")
        for name, allowed in (("weights", InteractionWeighting), ("duplicates", DuplicatePolicy)):
            if getattr(self, name) not in get_args(allowed):
                raise UserError(
                    f"{name} must be one of {', '.join(get_args(allowed))}, "
                    f"not {getattr(self, name)!r}"
                )
        if self.max_user_quantile is not None and not 0 < self.max_user_quantile < 1:
            raise UserError(
                f"max_user_quantile must be above 0 and below 1, not {self.max_user_quantile}"
            )
        for name, least in (("min_user_interactions", 2), ("min_item_interactions", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} must be {least} or more, not {getattr(self, name)}")


def clean(
    interactions: Interactions, rules: CleaningRules | None = None
) -> tuple[Interactions, list[CleaningStep]]:
    """Keeps what counts, one row for a pair of reader and book.

    Rows go first, by what they say themselves (time, rating), then are merged, then readers and
    books go, which depends on how many rows are left: so a robot is judged by what would be
    learnt from it, and the core at the end is one.

    Args:
        interactions: As a reader of files gave them.
        rules: What counts; the defaults of `CleaningRules` where None.

    Returns:
        What is left, and what each step that is switched on removed, in order.

    Raises:
        UserError: A rule needs a rating or time that is not there, duplicates are errors, or
            nothing is left.
    """
    rules = rules or CleaningRules()
    left = interactions
    steps: list[CleaningStep] = []

    def step(name: str, after: Interactions) -> None:
        nonlocal left
        steps.append(CleaningStep(name, left.count(), after.count()))
        left = after

    if rules.since is not None or rules.until is not None:
        name, rows = _select_time_range(left, rules)
        step(name, left.keep(rows))
    if rules.min_rating is not None:
        rating = _require_ratings(left, f"min_rating is {rules.min_rating}")
        step(f"rating below {rules.min_rating:g}", left.keep(rating >= rules.min_rating))
    if rules.weights == "count":  # before repeats are merged, which are what is counted
        left = replace(left, weight=_compute_weights(left, rules.weights))
    order = _sort_by_pair(left)
    step("exact repeat of a row", left.keep(_mark_first_of_equal_rows(left, order)))
    step(
        f"repeated pair of reader and book ({_DUPLICATE_NOTES[rules.duplicates]})",
        _merge_repeated_pairs(left, rules.duplicates),
    )
    if rules.weights in ("rating", "log"):  # of the ratings that are left
        left = replace(left, weight=_compute_weights(left, rules.weights))
    if rules.max_user_quantile is not None:
        counts = np.bincount(left.user, minlength=left.num_users)
        most = float(np.quantile(counts, rules.max_user_quantile)) if len(counts) else 0.0
        step(
            f"reader with more than {most:g} books (quantile {rules.max_user_quantile:g})",
            left.keep(counts[left.user] <= most),
        )
    rows, rounds = _find_core(left, rules.min_user_interactions, rules.min_item_interactions)
    name = f"reader with fewer than {rules.min_user_interactions} books"
    if rules.min_item_interactions > 1:
        name += (
            f" or book with fewer than {rules.min_item_interactions} readers ({rounds} "
            f"round{'' if rounds == 1 else 's'})"
        )
    step(name, left.keep(rows))
    if not len(left):
        raise UserError(
            "no interactions are left after cleaning: "
            + "; ".join(
                f"{one.name}: {one.before.interactions - one.after.interactions} rows"
                for one in steps
            ),
            hint="Loosen the rule that removes most.",
        )
    return left, steps


def describe_dropped_rows(dataset: Dataset) -> list[CleaningStep]:
    """What the reader of the files left out already, as the first steps of cleaning.

    Whose rows they were is not known: readers and books are counted as after the step.
    """
    after = dataset.interactions.count()
    steps = []
    for reason, rows in reversed(list(dataset.dropped_rows.items())):
        before = Counts(after.interactions + rows, after.users, after.items)
        steps.append(CleaningStep(reason, before, after))
        after = before
    return steps[::-1]


_DUPLICATE_NOTES = {
    "last": "the latest is kept",
    "max": "the best rated is kept",
    "mean": "the mean rating is kept",
    "error": "none is allowed",
}


def _select_time_range(interactions: Interactions, rules: CleaningRules) -> tuple[str, np.ndarray]:
    time = interactions.timestamp
    if time is None:
        raise UserError(
            "since or until is given, but the table has no times",
            hint="Name the column of the time, or leave them out.",
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
    if interactions.rating is None:
        raise UserError(
            f"{reason}, but the table has no ratings",
            hint="Name the rating column, or leave it out.",
        )
    return interactions.rating


def _compute_weights(interactions: Interactions, weights: InteractionWeighting) -> np.ndarray:
    """float32 [n], above 0."""
    if weights == "count":
        _, pair, counts = np.unique(
            _encode_pairs(interactions), return_inverse=True, return_counts=True
        )
        return counts[pair].astype(np.float32)
    rating = _require_ratings(interactions, f"weights is {weights}")
    lowest = rating.min(initial=np.inf)
    if weights == "rating" and lowest <= 0:
        raise UserError(
            f"ratings are weights, but the lowest is {lowest:g}",
            hint="Weights must be above 0: set min_rating, or weights to log.",
        )
    if weights == "log" and lowest < 0:
        raise UserError(
            f"weights are 1 + ln(1 + rating), but the lowest rating is {lowest:g}",
            hint="Set min_rating to 0 or more.",
        )
    return (rating if weights == "rating" else 1 + np.log1p(rating)).astype(np.float32)


def _encode_pairs(interactions: Interactions) -> np.ndarray:
    """int64 [n], one number for each pair of reader and book."""
    return interactions.user.astype(np.int64) * (interactions.num_items + 1) + interactions.item


def _sort_by_pair(interactions: Interactions) -> np.ndarray:
    """The rows pair by pair, then by time, rating and place in the file."""
    order = np.arange(len(interactions))
    # One stable sort a key, the most important one last; integers are sorted by radix.
    for values in (interactions.rating, interactions.timestamp, _encode_pairs(interactions)):
        if values is not None:
            order = order[np.argsort(values[order], kind="stable")]
    return order


def _mark_first_of_equal_rows(interactions: Interactions, order: np.ndarray) -> np.ndarray:
    """bool [n], false for a row that repeats another in every column."""
    same = np.ones(max(len(order) - 1, 0), bool)
    for values in (_encode_pairs(interactions), interactions.rating, interactions.timestamp):
        if values is not None:
            ordered = values[order]
            same &= ordered[1:] == ordered[:-1]
    kept = np.ones(len(order), bool)
    kept[order[1:][same]] = False
    return kept


def _merge_repeated_pairs(interactions: Interactions, policy: DuplicatePolicy) -> Interactions:
    """One row for each pair."""
    pairs = _encode_pairs(interactions)
    order = np.argsort(pairs, kind="stable")
    rank = interactions.rating if policy == "max" else interactions.timestamp
    if rank is not None:
        order = np.argsort(rank, kind="stable")
        order = order[np.argsort(pairs[order], kind="stable")]
    if policy == "max" and interactions.rating is None:
        _require_ratings(interactions, "duplicates is max")
    ordered = pairs[order]
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]
    if policy == "error" and not last.all():
        row = int(order[np.flatnonzero(~last)[0]])
        user = interactions.user_ids[interactions.user[row]]
        raise UserError(
            f"reader {user!r} has book {interactions.item[row]} of the catalogue more than once",
            hint="Correct the table, or set duplicates to last, max or mean.",
        )
    if policy == "mean":
        rating = _require_ratings(interactions, "duplicates is mean")[order].astype(np.float64)
        group = np.cumsum(np.append(True, ordered[1:] != ordered[:-1])[: len(order)]) - 1
        means = np.bincount(group, rating) / np.bincount(group)
        merged = interactions.rating.copy() if interactions.rating is not None else None
        assert merged is not None
        merged[order] = means[group].astype(np.float32)
        interactions = replace(interactions, rating=merged)
    kept = np.zeros(len(order), bool)
    kept[order[last]] = True
    return interactions.keep(kept)


def _find_core(interactions: Interactions, min_user: int, min_item: int) -> tuple[np.ndarray, int]:
    """bool [n], rows of readers and books that have enough of each other; and the rounds."""
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
    kept = np.zeros(len(interactions), bool)
    kept[rows] = True
    return kept, rounds
