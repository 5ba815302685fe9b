"""Metrics of validation rows after every epoch, for Keras callbacks to act on."""

from __future__ import annotations

from typing import Any

import numpy as np

from kd_tf.backend import keras
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import UserError
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.evaluation.metrics.log_loss import compute_log_losses
from kd_tf.evaluation.metrics.rating_errors import compute_rmse
from kd_tf.models.ranking.base import RankingModel


class PredictionMetrics(keras.callbacks.Callback):
    """Adds ``val_auc`` and ``val_log_loss``, or ``val_rmse`` of ratings, to the logs of each epoch.

    `fit` adds it by itself where it gets `validation_data`. It comes first among the callbacks, so
    that EarlyStopping and others see the metrics. ``val_rmse`` is that of ratings scaled to 0..1.

    Args:
        validation: The validation rows, ``split.validation``.
        model: The model that is evaluated; by default the one that is trained. A `Distiller`
            names its student.
    """

    def __init__(self, validation: RankingExamples, model: RankingModel | None = None) -> None:
        super().__init__()
        self._validation, self._evaluated = validation, model

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluates the model and writes the metrics into `logs`, which all callbacks share."""
        if logs is None:
            return
        if not np.isfinite(logs.get("loss", 0.0)):
            raise UserError(
                f"the loss is {logs['loss']} after epoch {epoch + 1}",
                hint="Lower the learning rate or the weight of a distillation loss.",
            )
        model: RankingModel = self._evaluated or self.model
        predictions = model.predict_probabilities(self._validation)
        labels = self._validation.labels
        if model.label_kind == "rating":
            logs["val_rmse"] = compute_rmse(labels, predictions)
        else:
            logs["val_auc"] = compute_click_auc(labels, predictions)
            logs["val_log_loss"] = float(compute_log_losses(labels, predictions).mean())
