"""Training examples: part of a history, and the books that should follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.errors import UserError


@dataclass(frozen=True)
class Examples:
    """A fixed set of examples in passes: each pass holds one example of every reader, and
    perhaps histories that nobody has (`kd_tf.data.examples.augmentation`).

    Fixed and not drawn anew in each epoch, so that a teacher's answers can be cached once.

    Attributes:
        history: int32 [passes, readers, L], oldest first, padded with 0 at the end.
        targets: int32 [passes, readers, M], books to be found, padded with 0 at the end.
    """

    history: np.ndarray
    targets: np.ndarray

    @property
    def num_passes(self) -> int:
        """How many examples each reader has."""
        return self.history.shape[0]

    @property
    def examples_per_pass(self) -> int:
        """How many examples a pass holds."""
        return self.history.shape[1]


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
    """Cuts every history `passes` times at a random place.

    Args:
        histories: Those with fewer than two books give no examples.
        passes: How many examples each reader gives.
        history_length: L; longer inputs keep their newest books.
        targets: M, at most so many books to find an example.
        ordered: True where the order of a history means something: then the targets follow
            the input in time. False shuffles first.
        empty_share: This share of the inputs is emptied, so that a model learns what to
            recommend to somebody of whom it knows nothing.
        seed: Draws everything.

    Raises:
        UserError: No reader has two books.
    """
    random = np.random.default_rng(seed)
    histories = histories.take(np.flatnonzero(histories.lengths >= 2))
    if not len(histories):
        raise UserError(
            "no reader has two books to learn from",
            hint="Bring more interactions, or clean less of them away.",
        )
    drawn = [
        _draw_pass(histories, max_length, num_targets, chronological, empty_share, random)
        for _ in range(num_passes)
    ]
    return Examples(np.stack([d[0] for d in drawn]), np.stack([d[1] for d in drawn]))


def draw_user_id_examples(
    histories: Histories, *, num_passes: int, num_targets: int, seed: int
) -> Examples:
    """Examples for models that know readers by number: every book that a reader read is a target.

    Args:
        histories: Of the training readers, with their numbers.
        passes: How many examples each reader gives.
        targets: M; of more books each pass draws some.
        seed: Draws them.

    Returns:
        ``history`` int32 [passes, readers, 1] are the readers' numbers plus 1.

    Raises:
        ValueError: The histories do not say whose they are.
    """
    if histories.users is None:
        raise ValueError("the histories do not say whose they are")
    histories = histories.take(np.flatnonzero(histories.lengths > 0))
    assert histories.users is not None
    row = np.repeat(np.arange(len(histories)), histories.lengths)
    random = np.random.default_rng(seed)
    start, end = histories.offsets[:-1], histories.offsets[1:]
    drawn = [
        _extract_windows(
            histories.items[np.lexsort((random.random(len(row)), row))], start, end, num_targets
        )
        for _ in range(num_passes)
    ]
    numbers = np.tile((histories.users + 1).astype(np.int32)[:, None], (num_passes, 1, 1))
    return Examples(numbers, np.stack(drawn))


def _draw_pass(
    histories: Histories,
    max_length: int,
    num_targets: int,
    chronological: bool,
    empty_share: float,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    lengths = histories.lengths
    items = histories.items
    if not chronological:
        row = np.repeat(np.arange(len(histories)), lengths)
        items = items[np.lexsort((random.random(len(items)), row))]
    # Short inputs are as likely as long ones: people open an app with few books on the shelf.
    shown = 1 + np.floor(random.random(len(histories)) * (lengths - 1)).astype(np.int64)
    shown[random.random(len(histories)) < empty_share] = 0
    start, end = histories.offsets[:-1], histories.offsets[1:]
    first = start + np.maximum(shown - max_length, 0)
    return (
        _extract_windows(items, first, start + shown, max_length),
        _extract_windows(items, start + shown, end, num_targets),
    )


def _extract_windows(
    items: np.ndarray, first: np.ndarray, end: np.ndarray, width: int
) -> np.ndarray:
    """int32 [n, width]: ``items[first:end]`` of each row, cut at `width`, padded with 0."""
    source = first[:, None] + np.arange(width)
    filled = source < end[:, None]
    window = np.zeros(filled.shape, np.int32)
    window[filled] = items[source[filled]]
    return window
