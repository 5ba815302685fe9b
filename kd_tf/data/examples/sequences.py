"""Cuts histories into training examples: an input history and the target items after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.errors import UserError


@dataclass(frozen=True)
class Examples:
    """A fixed set of training examples, arranged in passes.

    Each pass holds one example per user, and possibly synthetic histories after them
    (`kd_tf.data.examples.augmentation`). The examples are fixed, not drawn anew each epoch, so
    that teacher outputs can be computed once and cached.

    Attributes:
        history: int32 [passes, users, L], oldest first, padded with 0 at the end.
        targets: int32 [passes, users, M], target items, padded with 0 at the end.
        users: int32 [users], the user of each example, below 0 for synthetic histories; None where
            unknown.

    Example:
        >>> from kd_tf.data.histories import from_lists
        >>> examples = draw_sequence_examples(
        ...     from_lists([[1, 2, 3, 4], [5, 6]]), num_passes=3, max_length=4, num_targets=2,
        ...     chronological=True, seed=0
        ... )
        >>> examples.num_passes, examples.examples_per_pass
        (3, 2)
        >>> examples.history.shape, examples.targets.shape
        ((3, 2, 4), (3, 2, 2))
    """

    history: np.ndarray
    targets: np.ndarray
    users: np.ndarray | None = None

    @property
    def num_passes(self) -> int:
        """Number of examples of each user."""
        return int(self.history.shape[0])

    @property
    def examples_per_pass(self) -> int:
        """Number of examples in a pass."""
        return int(self.history.shape[1])


def draw_sequence_examples(
    histories: Histories,
    *,
    num_passes: int,
    max_length: int,
    num_targets: int,
    chronological: bool,
    empty_share: float = 0.02,
    seed: int,
) -> Examples:
    """Cuts every history at a random place into input and targets, `num_passes` times.

    Args:
        histories: Histories to cut; those with fewer than two items give no examples.
        num_passes: Number of examples per user.
        max_length: L; longer inputs keep their newest items.
        num_targets: M, the maximum number of target items of an example.
        chronological: True for models to which the order of a history matters: the targets then
            follow the input in time. False shuffles each history first.
        empty_share: Share of the inputs that are emptied, so that a model learns what to
            recommend to an unknown user.
        seed: Seed of all draws.

    Raises:
        UserError: No user has two items.
    """
    random = np.random.default_rng(seed)
    histories = histories.take(np.flatnonzero(histories.lengths >= 2))
    if not len(histories):
        raise UserError(
            "no user has two items to learn from",
            hint="Add more interactions, or loosen the cleaning rules.",
        )
    passes = [
        _draw_pass(histories, max_length, num_targets, chronological, empty_share, random)
        for _ in range(num_passes)
    ]
    return Examples(
        np.stack([history for history, _ in passes]),
        np.stack([targets for _, targets in passes]),
        histories.users,
    )


def draw_user_id_examples(
    histories: Histories, *, num_passes: int, num_targets: int, seed: int
) -> Examples:
    """Draws examples for models that look users up by id; every item of a user is a target.

    Args:
        histories: Histories of the training users, with ``users`` set.
        num_passes: Number of examples per user.
        num_targets: M; of more items each pass samples M.
        seed: Seed of the samples.

    Returns:
        Examples whose ``history`` int32 [passes, users, 1] holds user index + 1.

    Raises:
        ValueError: ``histories.users`` is None.
    """
    if histories.users is None:
        raise ValueError("the histories have no user indices: set `users`")
    histories = histories.take(np.flatnonzero(histories.lengths > 0))
    assert histories.users is not None
    row = np.repeat(np.arange(len(histories)), histories.lengths)
    random = np.random.default_rng(seed)
    start, end = histories.offsets[:-1], histories.offsets[1:]
    targets = [
        _extract_windows(
            histories.items[np.lexsort((random.random(len(row)), row))], start, end, num_targets
        )
        for _ in range(num_passes)
    ]
    inputs = np.tile((histories.users + 1).astype(np.int32)[:, None], (num_passes, 1, 1))
    return Examples(inputs, np.stack(targets))


def _draw_pass(
    histories: Histories,
    max_length: int,
    num_targets: int,
    chronological: bool,
    empty_share: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one example per user: inputs int32 [users, L] and targets int32 [users, M]."""
    lengths = histories.lengths
    items = histories.items
    if not chronological:
        row = np.repeat(np.arange(len(histories)), lengths)
        items = items[np.lexsort((random.random(len(items)), row))]
    # Short inputs are as likely as long ones, because many users of an app have few items.
    num_inputs = 1 + np.floor(random.random(len(histories)) * (lengths - 1)).astype(np.int64)
    num_inputs[random.random(len(histories)) < empty_share] = 0
    start, end = histories.offsets[:-1], histories.offsets[1:]
    first = start + np.maximum(num_inputs - max_length, 0)
    return (
        _extract_windows(items, first, start + num_inputs, max_length),
        _extract_windows(items, start + num_inputs, end, num_targets),
    )


def _extract_windows(
    items: np.ndarray, first: np.ndarray, end: np.ndarray, width: int
) -> np.ndarray:
    """Returns ``items[first:end]`` of each row, cut at `width` and padded with 0.

    Returns:
        int32 [n, width].
    """
    source = first[:, None] + np.arange(width)
    mask = source < end[:, None]
    window = np.zeros(mask.shape, np.int32)
    window[mask] = items[source[mask]]
    return window
