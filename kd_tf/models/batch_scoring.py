"""Batched scoring with a Keras model, in the form that `kd_tf.evaluation` takes."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.evaluation.evaluate import ScoreFn
from kd_tf.models.base import HistoryModel

MAX_SCORES_IN_MEMORY = 8_000_000
"""Scores computed per batch at most: 32 MB of float32."""


def compute_scores(model: HistoryModel, histories: np.ndarray) -> np.ndarray:
    """Computes the scores of padded histories in batches, without dropout.

    Args:
        model: The model.
        histories: int32 [n, L], padded with 0.

    Returns:
        float32 [n, V + 1].
    """
    forward = _build_forward(model, histories.shape[1])
    rows = get_scoring_batch_size(model)
    return np.concatenate(
        [
            forward(tf.constant(histories[start : start + rows])).numpy()
            for start in range(0, len(histories), rows)
        ]
    )


def make_score_fn(model: HistoryModel) -> ScoreFn:
    """Returns a function from `Histories` to scores [n, V + 1], as `kd_tf.evaluation` takes it.

    The model sees the newest L items of each history.
    """
    # Compiled once for each width: histories with users are one wider where the model needs them.
    build_forward = cache(partial(_build_forward, model))

    def score(histories: Histories) -> np.ndarray:
        scores = model.numpy_scores(histories.keep_newest(model.max_length))
        if scores is not None:
            return scores
        inputs = model.to_inputs(histories)
        forward = build_forward(inputs.shape[1])
        rows = get_scoring_batch_size(model)
        parts = [
            forward(tf.constant(inputs[start : start + rows])).numpy()
            for start in range(0, len(inputs), rows)
        ]
        return np.concatenate(parts)

    return score


def get_scoring_batch_size(model: HistoryModel, *, in_numpy: bool = False) -> int:
    """Returns how many histories to score in one batch.

    Args:
        model: The model.
        in_numpy: True for `HistoryModel.numpy_scores`, False for `call`.
    """
    vectors = 1 if in_numpy else model.peak_score_rows
    return max(MAX_SCORES_IN_MEMORY // ((model.num_items + 1) * vectors), 1)


def _build_forward(model: HistoryModel, width: int) -> tf.types.experimental.PolymorphicFunction:
    """Compiles the forward pass of a model for inputs of a width and batches of any size."""
    signature = [tf.TensorSpec([None, width], tf.int32)]
    return tf.function(lambda history: model(history, training=False), input_signature=signature)
