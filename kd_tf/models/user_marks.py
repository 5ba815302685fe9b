"""Says in a model's input whose history it is, for teachers that look users up.

The mark of user u is the number V + 1 + u in the last column. Models take every number outside 1..V
for padding, so that only those which look for the mark see it.
"""

from __future__ import annotations

import numpy as np

from kd_tf.backend import tf


def make_user_marks(users: np.ndarray, num_items: int) -> np.ndarray:
    """Makes the marks of users, int32 [n]; 0 where the index is below 0, for an unknown user.

    Example:
        >>> make_user_marks(np.array([0, 2, -1]), num_items=10)
        array([11, 13,  0], dtype=int32)
    """
    return np.where(users >= 0, num_items + 1 + users, 0).astype(np.int32)


def append_user_marks(inputs: np.ndarray, users: np.ndarray, num_items: int) -> np.ndarray:
    """Appends a column with the marks of the users.

    Args:
        inputs: int32 [..., n, L], padded histories.
        users: [n], user indices; below 0 where the user is unknown.
        num_items: V.

    Returns:
        int32 [..., n, L + 1]; the last column is 0 where the user is unknown.

    Example:
        >>> append_user_marks(np.array([[2, 1], [3, 0]], np.int32), np.array([0, -1]), num_items=3)
        array([[2, 1, 4],
               [3, 0, 0]], dtype=int32)
    """
    marks = make_user_marks(users, num_items)[:, None]
    return np.concatenate([inputs, np.broadcast_to(marks, (*inputs.shape[:-1], 1))], axis=-1)


def read_user_marks(inputs: np.ndarray | tf.Tensor, num_items: int) -> np.ndarray | tf.Tensor:
    """Reads the user indices, int32 [n], from inputs int32 [n, L]; below 0 without a mark.

    Example:
        >>> read_user_marks(np.array([[2, 1, 4], [3, 0, 2]], np.int32), num_items=3).tolist()
        [0, -2]
    """
    return inputs[:, -1] - (num_items + 1)
