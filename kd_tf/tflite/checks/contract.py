"""Checks that the answers of a .tflite file keep contract version 1, in every quantization."""

from __future__ import annotations

import numpy as np

from kd_tf.errors import ParityError


def check_answers(
    signature: str, ids: np.ndarray, scores: np.ndarray, inputs: np.ndarray, num_items: int
) -> None:
    """Checks that lists of recommendations keep the contract.

    A list has K items of 1..V, without repetitions and without items of the input. It ends with
    zeros only if no other items remain. Scores are finite and sorted, best first. Items with equal
    scores are sorted by id, so that all runtimes that compute the same scores give the same list.

    Args:
        signature: Name of the signature, for the error message.
        ids: int32 [n, K], the lists.
        scores: float32 [n, K], their scores.
        inputs: int32 [n, L], the histories, or the items of ``similar`` with L = 1. Ids outside
            1..V are ignored.
        num_items: V.

    Raises:
        ParityError: A list breaks the contract; the message shows the first one.

    Example:
        >>> ids, scores = np.array([[3, 1]]), np.array([[0.9, 0.2]], np.float32)
        >>> check_answers("recommend", ids, scores, np.array([[2, 0]]), num_items=5)
        >>> check_answers("recommend", ids, scores, np.array([[3, 0]]), num_items=5)
        Traceback (most recent call last):
        ...
        kd_tf.errors.ParityError: recommend returns an item of the input for the input [3, 0]: ...
    """
    is_filled = ids > 0
    is_tied = (scores[:, 1:] == scores[:, :-1]) & is_filled[:, 1:]
    input_items = np.sort(np.where(is_item(inputs, num_items), inputs, 0), axis=1)
    num_inputs = (input_items > 0).sum(axis=1) - _mark_repeats(input_items).sum(axis=1)
    expected_length = np.minimum(ids.shape[1], num_items - num_inputs)
    is_input = is_filled[:, :, np.newaxis] & (ids[:, :, np.newaxis] == inputs[:, np.newaxis, :])
    is_sorted = (scores[:, 1:] <= scores[:, :-1]) | ~is_filled[:, 1:]
    faults = {
        f"an id outside 0..{num_items}": ((ids < 0) | (ids > num_items)).any(axis=1),
        "a 0 before the end": (~is_filled[:, :-1] & is_filled[:, 1:]).any(axis=1),
        "an item twice": _mark_repeats(np.sort(ids, axis=1)).any(axis=1),
        "an item of the input": is_input.any(axis=(1, 2)),
        "a wrong number of items": is_filled.sum(axis=1) != expected_length,
        "a score that is not finite": ~np.isfinite(scores).all(axis=1),
        "scores that are not in descending order": ~is_sorted.all(axis=1),
        "items with equal scores that are not sorted by id": (
            is_tied & (ids[:, 1:] < ids[:, :-1])
        ).any(axis=1),
    }
    for fault, rows in faults.items():
        if rows.any():
            row = int(rows.argmax())
            raise ParityError(
                f"{signature} returns {fault} for the input {inputs[row].tolist()}: "
                f"ids {ids[row].tolist()}, scores {scores[row].tolist()}"
            )


def is_item(ids: np.ndarray, num_items: int) -> np.ndarray:
    """Returns a mask of the ids that are items, 1..V; all others count as padding.

    Args:
        ids: Integers of any shape.
        num_items: V.

    Returns:
        bool, with the shape of `ids`.

    Example:
        >>> is_item(np.array([3, 0, 9]), num_items=5).tolist()
        [True, False, False]
    """
    return (ids >= 1) & (ids <= num_items)


def _mark_repeats(ordered_ids: np.ndarray) -> np.ndarray:
    """Marks where a sorted row repeats an id above 0: bool [n, k - 1]."""
    return np.asarray((ordered_ids[:, 1:] == ordered_ids[:, :-1]) & (ordered_ids[:, 1:] > 0))
