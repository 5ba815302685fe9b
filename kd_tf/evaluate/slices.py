"""Parts of the readers and of the held-out books that a mean over all would hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet

COLD_USER_MAX_ITEMS = 4
"""A reader with at most so many books in the history shown is a cold one."""

COLD_ITEM_MIN_USERS = 5
"""A book with fewer training readers than this is a cold one."""


@dataclass(frozen=True)
class Slice:
    """Some readers, and some of their held-out books.

    Attributes:
        name: For tables.
        rows: int64 [m], the readers' rows in the held-out part, ascending.
        targets: The held-out books of those readers that belong to the slice, at least one each.
    """

    name: str
    rows: np.ndarray
    targets: Histories


def slice_held_out(held_out: HeldOutSet, popularity: np.ndarray) -> list[Slice]:
    """Divides readers by how much is known of them, and held-out books by how many read them.

    - ``cold-readers``: 0 to 4 books in the history shown; ``warm-readers``: more.
    - ``cold-books``: held-out books with fewer than 5 training readers.
    - ``head-books``, ``middle-books``, ``tail-books``: books in the order of their training
      readers (equal ones by id) are parted where a third and two thirds of all training
      interactions are reached; never-read books are in the tail. A book on the border belongs to
      the part that it begins in.

    In slices of books a reader counts with the held-out books of that part alone, and not at all
    without one: the others are neither hits nor misses there, but keep their places in the list.

    Args:
        held_out: The readers.
        popularity: int64 [V + 1], training readers of each book.

    Returns:
        Those that are not empty, in this order.
    """
    lengths = held_out.histories.lengths
    parts = [
        ("cold-readers", lengths <= COLD_USER_MAX_ITEMS, None),
        ("warm-readers", lengths > COLD_USER_MAX_ITEMS, None),
        ("cold-books", None, popularity < COLD_ITEM_MIN_USERS),
        *zip(
            ("head-books", "middle-books", "tail-books"),
            (None,) * 3,
            _split_into_thirds(popularity),
            strict=True,
        ),
    ]
    found = []
    for name, users, items in parts:
        kept = np.ones(len(held_out.targets.items), bool)
        if users is not None:
            kept = np.repeat(users, held_out.targets.lengths)
        if items is not None:
            kept = items[held_out.targets.items]
        user = np.repeat(np.arange(len(lengths)), held_out.targets.lengths)[kept]
        rows, counts = np.unique(user, return_counts=True)
        if len(rows):
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            found.append(Slice(name, rows, Histories(held_out.targets.items[kept], offsets)))
    return found


def _split_into_thirds(popularity: np.ndarray) -> list[np.ndarray]:
    """Three masks bool [V + 1] that part the books; index 0 is in none."""
    order = np.argsort(-popularity[1:], kind="stable") + 1
    counts = popularity[order]
    before = np.cumsum(counts) - counts
    total = max(int(counts.sum()), 1)
    part = np.minimum(3 * before // total, 2)
    part[counts == 0] = 2
    masks = []
    for third in range(3):
        mask = np.zeros(len(popularity), bool)
        mask[order[part == third]] = True
        masks.append(mask)
    return masks
