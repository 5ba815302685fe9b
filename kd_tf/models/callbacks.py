"""Ranking metrics of the validation users after every epoch, for Keras callbacks to act on."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras
from kd_tf.data.split import HeldOutSet
from kd_tf.errors import UserError
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn

METRIC = "val_ndcg@10"
"""The name under which Keras callbacks find the metric; higher is better."""


class RankingMetrics(keras.callbacks.Callback):
    """Adds ``val_ndcg@10`` to the logs of every epoch.

    `fit` adds it by itself where it gets `validation_data`. It comes first among the callbacks,
    so that EarlyStopping, ModelCheckpoint, TensorBoard and others see the metric. Unless the
    callback says otherwise, Keras takes a lower value for the better one: give these
    ``mode="max"``.

    Args:
        validation: The validation users, ``split.validation``.
        model: The model that is evaluated; by default the one that is trained. A `Distiller`
            names its student.
        every: Evaluates after every so many epochs, and after the last one. In between, the logs
            hold no value.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> model = kd.models.MLPStudent(split.num_items, max_length=10, embedding_dim=4)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(
        ...     split.train, validation_data=split.validation, epochs=2, verbose=0
        ... )
        >>> len(history.history["val_ndcg@10"])
        2
    """

    def __init__(
        self, validation: HeldOutSet, model: HistoryModel | None = None, *, every: int = 1
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        self._validation, self._evaluated, self._every = validation, model, every

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Compiles the scoring function once for all epochs."""
        model = self._evaluated or self.model
        self._metric = ValidationMetric(self._validation, model.num_items)
        self._score = make_score_fn(model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates the model and writes the metric into `logs`, which all callbacks share."""
        if logs is not None and not np.isfinite(logs.get("loss", 0.0)):
            raise UserError(
                f"the loss is {logs['loss']} after epoch {epoch + 1}",
                hint="Lower the learning rate or the weight of a distillation loss.",
            )
        epochs = self.params.get("epochs", epoch + 1)
        if logs is not None and ((epoch + 1) % self._every == 0 or epoch + 1 == epochs):
            logs[METRIC] = self._metric(self._score)
