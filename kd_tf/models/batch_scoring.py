"""A Keras model as a scorer that the evaluation room can judge."""

from __future__ import annotations

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.evaluate.evaluation import ScoreFn
from kd_tf.models.base import HistoryModel

MAX_SCORES_IN_MEMORY = 8_000_000
"""How many scores are held at a time: 32 MB of float32."""


def compute_scores(model: HistoryModel, histories: np.ndarray) -> np.ndarray:
    """float32 [n, V + 1] scores of int32 [n, L] padded histories, without dropout."""
    forward = _build_forward(model)
    rows = get_scoring_batch_size(model)
    return np.concatenate(
        [
            forward(tf.constant(histories[start : start + rows])).numpy()
            for start in range(0, len(histories), rows)
        ]
    )


def make_score_fn(model: HistoryModel) -> ScoreFn:
    """The model as `kd_tf.evaluate` takes it: it sees the newest L books of a history."""
    forward = _build_forward(model)

    def score(histories: Histories) -> np.ndarray:
        found = model.numpy_scores(histories.keep_newest(model.max_length))
        if found is not None:
            return found
        padded = model.to_inputs(histories)
        rows = get_scoring_batch_size(model)
        parts = [
            forward(tf.constant(padded[start : start + rows])).numpy()
            for start in range(0, len(padded), rows)
        ]
        return np.concatenate(parts)

    return score


def get_scoring_batch_size(model: HistoryModel, *, in_numpy: bool = False) -> int:
    """How many histories are scored together: by `call`, or by `HistoryModel.numpy_scores`."""
    vectors = 1 if in_numpy else model.peak_score_rows
    return max(MAX_SCORES_IN_MEMORY // ((model.num_items + 1) * vectors), 1)


def _build_forward(model: HistoryModel) -> tf.types.experimental.PolymorphicFunction:
    signature = [tf.TensorSpec([None, model.max_length], tf.int32)]
    return tf.function(lambda history: model(history, training=False), input_signature=signature)
