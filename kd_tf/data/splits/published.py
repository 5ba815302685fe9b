"""Uses the train, validation and test files that a data set was published with."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import build_histories
from kd_tf.errors import UserError

PUBLISHED = "published"
TRAIN, VALIDATION, TEST = 0, 1, 2
"""Values of `Dataset.split_labels`."""


def split_as_published(
    interactions: Interactions,
    split_labels: np.ndarray,
    *,
    show_validation: bool = False,
    on_repeated: Literal["stop", "keep-train"] = "stop",
) -> Split:
    """Splits interactions as their files do.

    Input histories are the training items alone, in validation as in test, because the metrics of
    matrix factorization and graph models are published that way. In the test the validation items
    are masked (`HeldOutSet.seen_items`). Test users may have no training item.

    Args:
        interactions: The rows of all parts.
        split_labels: int8 [n], `TRAIN`, `VALIDATION` or `TEST`.
        show_validation: True adds the validation items to the test histories instead.
        on_repeated: What to do with a user-item pair in two parts: ``stop`` raises, ``keep-train``
            keeps the pair in the earlier part only, with a note. Within a part a pair counts once.

    Raises:
        UserError: There is no training or test row, or a pair is in two parts.
    """
    mask, notes = _deduplicate_pairs(interactions, split_labels, on_repeated)
    # Without timestamps keep the file order, which is often chronological.
    rows = np.flatnonzero(mask)
    order = rows[np.lexsort((rows, *_get_time_keys(interactions, rows), interactions.user[rows]))]
    parts = split_labels[order]
    for number, name in ((TRAIN, "training"), (TEST, "test")):
        if not (parts == number).any():
            raise UserError(
                f"the split has no {name} rows",
                hint="Check the order of the files.",
            )
    train_rows = order[parts == TRAIN]
    train_users = np.unique(interactions.user[train_rows]).astype(np.int32)

    def hold_out(number: int) -> HeldOutSet:
        targets = order[parts == number]
        users = np.unique(interactions.user[targets]).astype(np.int32)
        inputs = train_rows
        seen_items = None
        if number == TEST and (parts == VALIDATION).any():
            if show_validation:
                inputs = order[parts != TEST]
            else:
                seen_items = build_histories(interactions, order[parts == VALIDATION], users)
        return HeldOutSet(
            build_histories(interactions, inputs, users),
            build_histories(interactions, targets, users),
            users,
            seen_items,
        )

    return Split(
        train=build_histories(interactions, train_rows, train_users),
        train_users=train_users,
        validation=hold_out(VALIDATION),
        test=hold_out(TEST),
        protocol=PUBLISHED,
        seed=0,
        num_items=interactions.num_items,
        chronological=interactions.timestamp is not None,
        notes=notes,
    )


def _get_time_keys(interactions: Interactions, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the timestamps of the rows as the only sort key, or no key without timestamps."""
    return () if interactions.timestamp is None else (interactions.timestamp[rows],)


def _deduplicate_pairs(
    interactions: Interactions, split_labels: np.ndarray, on_repeated: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns a bool mask [n] of the first row of each pair, by part, and notes on the others."""
    pair = interactions.user.astype(np.int64) * (interactions.num_items + 1) + interactions.item
    order = np.lexsort((split_labels, pair))
    is_repeat = np.append(False, pair[order][1:] == pair[order][:-1])
    in_other_part = is_repeat & np.append(
        False, split_labels[order][1:] != split_labels[order][:-1]
    )
    mask = np.ones(len(pair), bool)
    mask[order[is_repeat]] = False
    notes = []
    num_within = int(np.count_nonzero(is_repeat & ~in_other_part))
    if num_within:
        notes.append(f"{num_within} repeated user-item pairs within a part were merged")
    if in_other_part.any():
        row = int(order[in_other_part.argmax()])
        count = int(np.count_nonzero(in_other_part))
        names = ("training", "validation", "test")
        example = (
            f"user {interactions.user_ids[interactions.user[row]]!r} has the same item in the "
            f"{names[split_labels[row]]} part and in an earlier part"
        )
        if on_repeated == "stop":
            raise UserError(
                f"the split leaks: {example}, as do {count - 1} other pairs",
                hint="Remove such pairs from the later file, or keep them only in the earlier "
                "part with --on-bad-rows skip.",
            )
        notes.append(f"kept {count} pairs in the earlier part only; the first: {example}")
    return mask, tuple(notes)
