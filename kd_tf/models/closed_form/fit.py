"""`fit` of models that are solved instead of trained."""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras
from kd_tf.data.histories import Histories
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.callbacks import METRIC
from kd_tf.models.training_data import TrainingData
from kd_tf.progress import Progress


class ClosedFormFit(HistoryModel):
    """Gives a model a `fit` that solves it in one calculation.

    A subclass implements `solve`.
    """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        progress: Progress | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Solves the model on ``split.train``; hyperparameters are selected on validation users.

        Args:
            x: ``split.train``. Anything else is trained on as in `keras.Model.fit`.
            y: Labels, if `x` is an array.
            validation_data: ``split.validation``; without it the default settings are used.
            progress: Reports progress.
            **kwargs: What only training needs (`epochs`, `batch_size`, `callbacks`, `verbose`):
                accepted, so that one program can fit models of both kinds.

        Returns:
            A history of one epoch, with ``val_ndcg@10`` if there are validation users.

        Raises:
            TypeError: An argument is not one of those.
            UserError: The data do not suit the model, or do not fit into memory.
        """
        if not isinstance(x, Histories):
            return super().fit(x, y, validation_data=validation_data, **kwargs)
        unknown = sorted(set(kwargs) - {"epochs", "batch_size", "callbacks", "verbose", "seed"})
        if unknown:
            raise TypeError(f"fit got an unknown argument {unknown[0]!r}")
        data = TrainingData.create(x, self.num_items, self.max_length, validation_data, progress)
        if not self.built:
            self.create_weights()
        self.solve(data)
        # Functions that Keras traced before hold the old settings.
        self.predict_function = self.test_function = None
        return make_history(self, data.validation_metric)

    def solve(self, data: TrainingData) -> None:
        """Computes the model's weights.

        Args:
            data: The training histories and the validation metric.
        """
        raise NotImplementedError


def make_history(
    model: HistoryModel, validation_metric: ValidationMetric
) -> keras.callbacks.History:
    """Returns what Keras' `fit` returns, for a model that was fitted at once.

    The history has one epoch; its only metric is ``val_ndcg@10``, if there are validation users.
    """
    history = keras.callbacks.History()
    history.set_model(model)
    history.on_train_begin()
    has_users = len(validation_metric) > 0
    history.on_epoch_end(0, {METRIC: validation_metric(make_score_fn(model))} if has_users else {})
    return history
