"""From raw interactions to those that models learn from: each step named and counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.errors import UserError


@dataclass(frozen=True)
class CleaningStep:
    """What one step took away.

    Attributes:
        name: What the step does.
        interactions: How many rows it removed.
        users: How many readers it removed.
    """

    name: str
    interactions: int
    users: int


def clean(
    interactions: Interactions,
    *,
    min_rating: float | None = None,
    min_user_interactions: int = 5,
) -> tuple[Interactions, list[CleaningStep]]:
    """Keeps ratings that mean "liked", one row for a pair, and readers with enough books.

    Args:
        interactions: As a reader gave them.
        min_rating: Rows rated lower go; None keeps all, and a table without ratings must
            have None here.
        min_user_interactions: Readers with fewer books go, at least 2.

    Returns:
        What is left, and what each step removed, in order.

    Raises:
        UserError: A threshold without ratings, or nothing is left.
    """
    if min_user_interactions < 2:
        raise UserError(f"min_user_interactions must be 2 or more, not {min_user_interactions}")
    steps = []

    def step(name: str, rows: np.ndarray) -> None:
        nonlocal interactions
        before, interactions = interactions, interactions.keep(rows)
        steps.append(
            CleaningStep(
                name,
                len(before) - len(interactions),
                before.users - interactions.users,
            )
        )

    if min_rating is not None:
        if interactions.rating is None:
            raise UserError(
                f"min_rating is {min_rating}, but the table has no ratings",
                hint="Name the rating column, or leave min_rating out.",
            )
        step(f"rating below {min_rating:g}", interactions.rating >= min_rating)
    step("repeated pair of reader and book (the latest is kept)", _latest_of_each(interactions))
    counts = np.bincount(interactions.user, minlength=interactions.users)
    step(
        f"reader with fewer than {min_user_interactions} books",
        counts[interactions.user] >= min_user_interactions,
    )
    if not len(interactions):
        raise UserError(
            "no interactions are left after cleaning: "
            + "; ".join(f"{s.name}: {s.interactions} rows" for s in steps),
            hint="Lower min_rating or min_user_interactions.",
        )
    return interactions, steps


def _latest_of_each(interactions: Interactions) -> np.ndarray:
    """True for the row of each (reader, book) that is newest, or last in the file."""
    rows = np.arange(len(interactions))
    time = rows if interactions.timestamp is None else interactions.timestamp
    order = np.lexsort((rows, time, interactions.item, interactions.user))
    user, item = interactions.user[order], interactions.item[order]
    last = np.append((user[1:] != user[:-1]) | (item[1:] != item[:-1]), True)
    keep = np.zeros(len(interactions), bool)
    keep[order[last[: len(order)]]] = True
    return keep
