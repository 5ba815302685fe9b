"""A validation part for published splits that have none."""

from __future__ import annotations

import dataclasses

import numpy as np

from kd_tf.data.split import HeldOutSet, Split
from kd_tf.errors import UserError

MAX_USERS = 5000
"""More would not choose better, only slower."""


def hold_out_validation(split: Split, *, share: float = 0.1, seed: int = 42) -> Split:
    """Hides a share of the training books, drawn, to choose by; the test stays as it is.

    Of `MOST_READERS` readers with two training books or more, drawn where there are more, the
    share of books is hidden, at least one and never all. The others keep all their books.

    Args:
        split: Without validation readers.
        share: Of a reader's training books.
        seed: Draws readers and books.

    Raises:
        UserError: No reader has two training books.
    """
    random = np.random.default_rng(seed)
    lengths = split.train.lengths
    able = np.flatnonzero(lengths >= 2)
    if not len(able):
        raise UserError(
            "no reader has two training books, so none can be hidden to choose by",
            hint="Give a validation part.",
        )
    chosen = np.sort(random.permutation(able)[:MAX_USERS])
    hidden = np.zeros(len(lengths), np.int64)
    hidden[chosen] = np.clip(np.round(lengths[chosen] * share), 1, lengths[chosen] - 1)
    user = np.repeat(np.arange(len(lengths)), lengths)
    drawn = np.lexsort((random.random(len(user)), user))
    place = np.empty(len(user), np.int64)
    place[drawn] = np.arange(len(user)) - np.repeat(split.train.offsets[:-1], lengths)
    validates = place < hidden[user]
    train = split.train.keep(~validates)
    targets = split.train.keep(validates)
    return dataclasses.replace(
        split,
        train=train,
        validation=HeldOutSet(
            train.take(chosen), targets.take(chosen), split.train_users[chosen].astype(np.int32)
        ),
        notes=(
            *split.notes,
            f"the split has no validation part: {len(targets.items)} training books of "
            f"{len(chosen)} readers choose",
        ),
    )
