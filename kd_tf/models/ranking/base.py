"""The base class of models of the ranking task: features in, one probability out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kd_tf.backend import keras, tf
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.layers.feature_embedding import describe_layout, read_layout
from kd_tf.models.base import check_fit_input
from kd_tf.models.trainable import TrainableModel, run_fit
from kd_tf.runtime.features.layout import FeatureLayout

PREDICTION_BATCH_SIZE = 8192
"""Rows that `predict_probabilities` takes at once."""

LABEL_KINDS = ("click", "rating")


class RankingModel(TrainableModel):
    """Base of all models that predict a label from the features of a row.

    A subclass implements `call`. The prediction is the sigmoid of its logit: the probability of a
    click, or a rating on a scale from 0 to 1 (`kd_tf.data.ranking.examples.Label`). A model is
    stateless and looks at each row alone.

    Args:
        layout: The features of the rows.
        label_kind: ``click`` (the loss is cross-entropy) or ``rating`` (squared error).

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> class Constant(RankingModel):
        ...     def call(self, inputs, training=False):
        ...         return 0.0 * inputs["numeric"][:, 0]
        >>> model = Constant(FeatureLayout((), ("price",)))
        >>> model.predict_probabilities({"numeric": np.zeros([2, 1], np.float32)})
        array([0.5, 0.5], dtype=float32)
    """

    def __init__(
        self,
        layout: FeatureLayout | dict[str, Any],
        *,
        label_kind: str = "click",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if label_kind not in LABEL_KINDS:
            raise ValueError(f"label_kind must be {' or '.join(LABEL_KINDS)}, not {label_kind!r}")
        # Behind a function: Keras would track the tuples of a layout as parts of the model.
        features = read_layout(layout)
        if not features.num_places and not features.num_numeric:
            raise ValueError("a model needs at least one feature")
        self._get_layout: Callable[[], FeatureLayout] = lambda: features
        self.label_kind = label_kind

    @property
    def layout(self) -> FeatureLayout:
        """The features of the rows."""
        return self._get_layout()

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Computes the logit of each row.

        Args:
            inputs: ``categorical`` int32 [B, F] and ``numeric`` float32 [B, G]; only one of them
                where a layout has no other features. Ids that no feature has count as missing.
            training: True enables dropout.

        Returns:
            float32 [B].
        """
        raise NotImplementedError

    def to_inputs(self, examples: RankingExamples) -> dict[str, np.ndarray]:
        """Returns the arrays of rows that `call` takes, by name.

        Rows may have more features than the model, which takes its own by their names.

        Raises:
            ValueError: The rows lack one of them.
        """
        examples = examples.select_features(self.layout)
        inputs = {}
        if self.layout.num_places:
            inputs["categorical"] = examples.categorical
        if self.layout.num_numeric:
            inputs["numeric"] = examples.numeric
        return inputs

    def to_outputs(self, inputs: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Returns the logits in single precision, float32 [B]."""
        return tf.cast(logits, tf.float32)

    def supervised_loss(
        self, inputs: dict[str, tf.Tensor], targets: tf.Tensor, outputs: tf.Tensor
    ) -> tf.Tensor:
        """Computes the loss on the labels.

        Args:
            inputs: The features.
            targets: float32 [B], 0 to 1.
            outputs: The logits, float32 [B].

        Returns:
            float32 [B]: cross-entropy for clicks, squared error of the sigmoid for ratings.
        """
        if self.label_kind == "rating":
            return tf.square(tf.sigmoid(outputs) - targets)
        return tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)

    def predict_probabilities(
        self,
        rows: RankingExamples | dict[str, np.ndarray],
        batch_size: int = PREDICTION_BATCH_SIZE,
    ) -> np.ndarray:
        """Predicts the label of rows, 0 to 1: float32 [n]."""
        logits = self.predict_logits(rows, batch_size)
        # Stable for large negative logits too.
        probabilities: np.ndarray = np.exp(-np.logaddexp(0.0, -logits))
        return probabilities.astype(np.float32)

    def predict_logits(
        self,
        rows: RankingExamples | dict[str, np.ndarray],
        batch_size: int = PREDICTION_BATCH_SIZE,
    ) -> np.ndarray:
        """Computes the logits of rows: float32 [n]."""
        inputs = self.to_inputs(rows) if isinstance(rows, RankingExamples) else rows
        num_rows = len(next(iter(inputs.values())))
        logits = np.empty(num_rows, np.float32)
        for begin in range(0, num_rows, batch_size):
            batch = {
                name: tf.convert_to_tensor(np.ascontiguousarray(array[begin : begin + batch_size]))
                for name, array in inputs.items()
            }
            logits[begin : begin + batch_size] = self._compute_logits(batch).numpy()
        return logits

    @tf.function(reduce_retracing=True)
    def _compute_logits(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.cast(self(inputs, training=False), tf.float32)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        validation_data: Any = None,
        epochs: int = 1,
        batch_size: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the model on ``split.train``; everything else that Keras takes works too.

        Args:
            x: Training rows, usually ``split.train``; or inputs as in `keras.Model.fit`: a dataset
                of (features by name, {"targets": float32 [B]}), or arrays with `y`.
            y: Labels, if `x` is an array.
            validation_data: ``split.validation``: every epoch then logs the metrics of these rows,
                such as ``val_auc``, for example for ``EarlyStopping("val_auc", mode="max")``.
            epochs: Number of epochs.
            batch_size: Rows per step, 512 by default.
            callbacks: Keras callbacks.
            seed: Shuffles the rows.
            **kwargs: Further arguments of `keras.Model.fit`, such as `verbose`.

        Returns:
            Losses and metrics by epoch.
        """
        check_fit_input(self, x)
        if not isinstance(x, RankingExamples):
            return super().fit(
                x,
                y,
                validation_data=validation_data,
                epochs=epochs,
                batch_size=batch_size,
                callbacks=callbacks,
                **kwargs,
            )
        # Validation stands on this class: imported when it is needed.
        from kd_tf.models.ranking import fitting

        self.prepare_fit(x)
        return run_fit(
            super().fit,
            fitting.make_batches(self, x, batch_size, seed),
            fitting.make_validation_callback(validation_data, self),
            epochs=epochs,
            callbacks=callbacks,
            **kwargs,
        )

    def prepare_fit(self, train: RankingExamples) -> None:
        """Looks at the training rows before the first step: the bias starts at the mean label."""
        if not self.built:
            self.create_weights()

    def representation(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Computes the vector of each row that the last layer reads: float32 [B, d].

        Raises:
            ValueError: The model has none.
        """
        raise ValueError(f"{type(self).__name__} has no hidden layer")

    def make_empty_inputs(self) -> dict[str, tf.Tensor]:
        """Returns one row without any value."""
        inputs = {}
        if self.layout.num_places:
            inputs["categorical"] = tf.zeros([1, self.layout.num_places], tf.int32)
        if self.layout.num_numeric:
            inputs["numeric"] = tf.zeros([1, self.layout.num_numeric])
        return inputs

    def create_weights(self) -> None:
        """Creates all weights, so that the model can be pruned, loaded or counted before `fit`."""
        self(self.make_empty_inputs())

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, enough to rebuild the model without its weights."""
        return {
            "name": self.name,
            "layout": describe_layout(self.layout),
            "label_kind": self.label_kind,
        }


def collect_inputs(
    models: Sequence[RankingModel], examples: RankingExamples
) -> dict[str, np.ndarray]:
    """Returns the arrays of rows that any of several models takes, by name.

    Example:
        >>> from kd_tf.models.ranking.students import LogisticRegressionStudent
        >>> layout = FeatureLayout((), ("price",))
        >>> rows = RankingExamples(layout, np.empty([1, 0], np.int32), np.ones([1, 1]), np.ones(1))
        >>> list(collect_inputs([LogisticRegressionStudent(layout)], rows))
        ['numeric']
    """
    return {name: array for model in models for name, array in model.to_inputs(examples).items()}
