"""A Keras model as a scorer that the evaluation room can judge."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.evaluate.protocol import Scorer
from kd_tf.keras import tf
from kd_tf.models.base import HistoryModel

SCORES_AT_ONCE = 8_000_000
"""How many scores are held at a time: 32 MB of float32."""


def scores(model: HistoryModel, histories: np.ndarray) -> np.ndarray:
    """float32 [n, V + 1] scores of int32 [n, L] padded histories, without dropout."""
    forward = _forward(model)
    rows = rows_at_once(model)
    return np.concatenate(
        [
            forward(tf.constant(histories[start : start + rows])).numpy()
            for start in range(0, len(histories), rows)
        ]
    )


def scorer(model: HistoryModel) -> Scorer:
    """The model as `kd_tf.evaluate` takes it: it sees the newest L books of a history."""
    forward = _forward(model)

    def score(histories: Histories) -> np.ndarray:
        found = model.numpy_scores(histories.newest(model.history_length))
        if found is not None:
            return found
        padded = model.rows_of(histories)
        rows = rows_at_once(model)
        parts = [
            forward(tf.constant(padded[start : start + rows])).numpy()
            for start in range(0, len(padded), rows)
        ]
        return np.concatenate(parts)

    return score


def rows_at_once(model: HistoryModel, *, in_numpy: bool = False) -> int:
    """How many histories are scored together: by `call`, or by `HistoryModel.numpy_scores`."""
    vectors = 1 if in_numpy else model.vectors_at_once
    return max(SCORES_AT_ONCE // ((model.books + 1) * vectors), 1)


def _forward(model: HistoryModel) -> tf.types.experimental.PolymorphicFunction:
    signature = [tf.TensorSpec([None, model.history_length], tf.int32)]
    return tf.function(lambda history: model(history, training=False), input_signature=signature)
