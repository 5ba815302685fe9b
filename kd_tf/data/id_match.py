"""Measures how well the ids of two tables meet, and says why they do not."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kd_tf.choices import NormalizeIds
from kd_tf.data.values.ids import explain_mismatch
from kd_tf.errors import UserError

MIN_SHARE = 0.5
"""Least share of the ids with interactions that must be in the item table."""

LOUD_SHARE = 0.95
"""Below this share a note says so, with the reason."""

REASONS: dict[NormalizeIds, str] = {
    "text": "they differ in blanks around them or in upper and lower case",
    "integers": "they are the same numbers in other writing (leading zeros, .0 or quotes)",
    "isbn": "they are the same ISBNs in other writing (10 or 13 digits, hyphens or quotes)",
}
"""For each normalization what it makes equal; "they" are ids."""


@dataclass(frozen=True)
class IdMatch:
    """How many items are in both tables.

    Attributes:
        with_interactions: Items that have interactions.
        in_table: Items of the item table.
        in_both: Items that are both.
        reason: Why others do not meet, and the option that mends it; "" if it is not known.

    Example:
        >>> match = match_ids(["11.0", "12.0", "x"], ["11", "12", "13"])
        >>> match.share, match.reason.split(":")[0]
        (0.0, 'they are the same numbers in other writing (leading zeros, .0 or quotes)')
    """

    with_interactions: int
    in_table: int
    in_both: int
    reason: str = ""

    @property
    def share(self) -> float:
        """Share of the items with interactions that are in the item table."""
        return self.in_both / max(self.with_interactions, 1)

    def describe(self) -> str:
        """Says how many ids of each table are in the other."""
        return (
            f"{self.in_both:,} of {self.with_interactions:,} items with interactions are in the "
            f"item table ({self.share:.0%}); {self.in_both:,} of its {self.in_table:,} items have "
            "interactions"
        )


def match_ids(interaction_ids: list[str], table_ids: list[str]) -> IdMatch:
    """Compares the ids of the interactions with those of the item table.

    Args:
        interaction_ids: Each id once.
        table_ids: Each id once.
    """
    in_table = set(table_ids)
    missing = [name for name in interaction_ids if name not in in_table]
    in_both = len(interaction_ids) - len(missing)
    reason = ""
    if in_both < LOUD_SHARE * len(interaction_ids):
        reason = explain_ids(
            pl.Series(missing, dtype=pl.String), pl.Series(table_ids, dtype=pl.String)
        )
    return IdMatch(len(interaction_ids), len(table_ids), in_both, reason)


def explain_ids(missing_ids: pl.Series, table_ids: pl.Series) -> str:
    """Says why ids are not in a table, and the option that mends it; "" if it is not known."""
    how = explain_mismatch(missing_ids, table_ids)
    return "" if how is None else f"{REASONS[how]}: --normalize-ids {how} makes them equal"


def check_overlap(
    ids: pl.Series,
    other_ids: pl.Series,
    summary: str,
    *,
    where: str,
    hint: str,
    min_share: float = MIN_SHARE,
) -> None:
    """Checks that two lists of ids have enough in common, if one may be a part of the other.

    Args:
        ids: Each id once.
        other_ids: Each id once.
        summary: How many of them are in both, for the message.
        where: The table, for the message.
        hint: What to do if no other writing of the ids explains it.
        min_share: The least share of the shorter list.

    Raises:
        UserError: Fewer ids are in both.

    Example:
        >>> ids, other_ids = pl.Series(["1", "2", "3"]), pl.Series(["3", "2"])
        >>> check_overlap(ids, other_ids, "2 of 3", where="items.csv", hint="")
    """
    is_in_both = ids.is_in(other_ids.implode())
    if is_in_both.sum() >= min_share * min(len(ids), len(other_ids)):
        return
    missing_ids = ids.filter(~is_in_both)
    reason = explain_ids(missing_ids, other_ids)
    raise UserError(
        f"only {summary} (for example {missing_ids[0]!r} against {other_ids[0]!r})",
        where=where,
        hint=f"{reason[0].upper()}{reason[1:]}." if reason else hint,
    )


def check_match(match: IdMatch, min_share: float, examples: tuple[str, str]) -> None:
    """Checks that enough items with interactions are in the item table.

    Args:
        match: The measured match.
        min_share: The least share.
        examples: An id of each table, for the message.

    Raises:
        UserError: There are fewer.
    """
    if match.share < min_share:
        raise UserError(
            f"only {match.describe()} (for example {examples[0]!r} against {examples[1]!r})",
            where="the two tables do not meet",
            hint=f"{match.reason[0].upper()}{match.reason[1:]}."
            if match.reason
            else "Check that both id columns are the right ones. If the item table is meant to "
            "lack most items, lower --set data.min_matched_share.",
        )
