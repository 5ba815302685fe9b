"""A split that its publisher made."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import build_histories
from kd_tf.errors import UserError

PUBLISHED = "given"
TRAIN, VALIDATION, TEST = 0, 1, 2
"""What the numbers in `Dataset.part` mean."""


def split_as_published(
    interactions: Interactions,
    split_labels: np.ndarray,
    *,
    show_validation: bool = False,
    on_repeated: Literal["stop", "keep-train"] = "stop",
) -> Split:
    """The split as its files have it.

    What a model is shown of a reader, at the test as at the validation, are the training books
    alone, for so the figures of matrix factorisation and graph models are published. The
    validation books are not asked about at the test (`HeldOut.also_read`). Test readers may be
    without any training book.

    Args:
        interactions: The rows of all parts.
        part: int8 [n], `TRAIN`, `VALIDATION` or `TEST`.
        show_validation: True shows the validation books in the histories of the test.
        on_repeated: What a pair of reader and book in two parts does: ends the run, or stays in
            the earlier part only, with a note. Within a part a pair counts once.

    Raises:
        UserError: There is no training or test row, or a pair stands in two parts.
    """
    kept, notes = _deduplicate_pairs(interactions, split_labels, on_repeated)
    # Without timestamps the order is that of the files: publishers often keep the time in it.
    rows = np.flatnonzero(kept)
    order = rows[np.lexsort((rows, *_get_time_keys(interactions, rows), interactions.user[rows]))]
    parts = split_labels[order]
    for number, name in ((TRAIN, "training"), (TEST, "test")):
        if not (parts == number).any():
            raise UserError(f"the split has no {name} rows", hint="Check which file is which.")
    train_rows = order[parts == TRAIN]
    train_users = np.unique(interactions.user[train_rows]).astype(np.int32)

    def held_out(number: int) -> HeldOutSet:
        targets = order[parts == number]
        users = np.unique(interactions.user[targets]).astype(np.int32)
        shown = train_rows
        also_read = None
        if number == TEST and (parts == VALIDATION).any():
            if show_validation:
                shown = order[parts != TEST]
            else:
                also_read = build_histories(interactions, order[parts == VALIDATION], users)
        return HeldOutSet(
            build_histories(interactions, shown, users),
            build_histories(interactions, targets, users),
            users,
            also_read,
        )

    return Split(
        train=build_histories(interactions, train_rows, train_users),
        train_users=train_users,
        validation=held_out(VALIDATION),
        test=held_out(TEST),
        protocol=PUBLISHED,
        seed=0,
        num_items=interactions.num_items,
        notes=notes,
    )


def _get_time_keys(interactions: Interactions, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    return () if interactions.timestamp is None else (interactions.timestamp[rows],)


def _deduplicate_pairs(
    interactions: Interactions, split_labels: np.ndarray, on_repeated: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """bool [n]: the row is the first of its pair, parts in order; and notes on the others."""
    pair = interactions.user.astype(np.int64) * (interactions.num_items + 1) + interactions.item
    order = np.lexsort((split_labels, pair))
    again = np.append(False, pair[order][1:] == pair[order][:-1])
    elsewhere = again & np.append(False, split_labels[order][1:] != split_labels[order][:-1])
    kept = np.ones(len(pair), bool)
    kept[order[again]] = False
    notes = []
    within = int(np.count_nonzero(again & ~elsewhere))
    if within:
        notes.append(f"{within} pairs of reader and book are repeated within a part: kept once")
    if elsewhere.any():
        row = int(order[elsewhere.argmax()])
        count = int(np.count_nonzero(elsewhere))
        names = ("training", "validation", "test")
        said = (
            f"reader {interactions.user_ids[interactions.user[row]]!r} has the same book in the "
            f"{names[split_labels[row]]} part and in an earlier one"
        )
        if on_repeated == "stop":
            raise UserError(
                f"the split leaks: {said}, and so do {count - 1} other pairs",
                hint="Take such pairs out of the later file, or let them stay in the earlier part "
                "only: --on-bad-rows skip.",
            )
        notes.append(f"{count} pairs stay in the earlier part only; the first: {said}")
    return kept, tuple(notes)
