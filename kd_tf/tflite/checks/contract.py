"""What every answer of a .tflite must keep, whatever its form: contract version 1."""

from __future__ import annotations

import numpy as np

from kd_tf.errors import ParityError


def check_answers(
    signature: str, ids: np.ndarray, scores: np.ndarray, inputs: np.ndarray, num_items: int
) -> None:
    """K books of 1..V, none twice, none that was put in, zeros only where no book is left.

    Books of equal scores stand in the order of their ids, so that every runtime that adds up the
    same numbers gives the same list.

    Args:
        signature: Which one was called, for the message.
        ids: int32 [n, K], the answers.
        scores: float32 [n, K], their scores: finite, best first.
        asked: int32 [n, L], the histories (or books, L = 1) that were put in; an id outside 1..V
            means nothing.
        books: V.

    Raises:
        ParityError: An answer breaks the contract; the message shows the first that does.
    """
    given = ids > 0
    level = (scores[:, 1:] == scores[:, :-1]) & given[:, 1:]
    known = np.sort(np.where(is_item(inputs, num_items), inputs, 0), axis=1)
    put_in = (known > 0).sum(axis=1) - _mark_repeats(known).sum(axis=1)
    due = np.minimum(ids.shape[1], num_items - put_in)
    own = given[:, :, np.newaxis] & (ids[:, :, np.newaxis] == inputs[:, np.newaxis, :])
    falls = (scores[:, 1:] <= scores[:, :-1]) | ~given[:, 1:]
    faults = {
        f"an id outside 0..{num_items}": ((ids < 0) | (ids > num_items)).any(axis=1),
        "a 0 before the end": (~given[:, :-1] & given[:, 1:]).any(axis=1),
        "a book twice": _mark_repeats(np.sort(ids, axis=1)).any(axis=1),
        "a book that was put in": own.any(axis=(1, 2)),
        "another number of books than can be given": given.sum(axis=1) != due,
        "a score that is not finite": ~np.isfinite(scores).all(axis=1),
        "scores that are not best first": ~falls.all(axis=1),
        "books of one score that are not in the order of their ids": (
            level & (ids[:, 1:] < ids[:, :-1])
        ).any(axis=1),
    }
    for fault, rows in faults.items():
        if rows.any():
            row = int(rows.argmax())
            raise ParityError(
                f"{signature} gives {fault} for {inputs[row].tolist()}: "
                f"ids {ids[row].tolist()}, scores {scores[row].tolist()}"
            )


def is_item(ids: np.ndarray, num_items: int) -> np.ndarray:
    """bool, which of `ids` are books: 1..V. All others count as padding."""
    return (ids >= 1) & (ids <= num_items)


def _mark_repeats(ordered: np.ndarray) -> np.ndarray:
    """bool [n, k - 1]: where a sorted row has the same id above 0 a second time."""
    return (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
