"""The metric of predictions on validation rows by which training keeps weights and stops."""

from __future__ import annotations

import numpy as np

from kd_tf.data.ranking.examples import Label, RankingExamples
from kd_tf.evaluation.evaluate_predictions import PredictFn, check_predictions
from kd_tf.evaluation.metrics.click_auc import compute_click_auc
from kd_tf.evaluation.metrics.log_loss import compute_log_losses
from kd_tf.evaluation.metrics.rating_errors import compute_rmse

MAX_ROWS = 200_000
"""Maximum number of validation rows; more make selection slower, not better."""


class PredictionValidation:
    """AUC of clicks, or 1 - RMSE of scaled ratings, on validation rows: 0 to 1, higher is better.

    Where all labels are equal, so that clicks have no AUC, it is exp(-log loss): the geometric mean
    of the probabilities of what happened.

    Args:
        validation: The validation rows.
        label: What is predicted.
        max_rows: Maximum number of rows. More are sampled at random, the same ones every time.

    Attributes:
        examples: The selected rows.

    Example:
        >>> from kd_tf.runtime.features.layout import FeatureLayout
        >>> validation = RankingExamples(
        ...     FeatureLayout((), ("price",)),
        ...     np.empty((3, 0), np.int32),
        ...     np.array([[0.1], [0.3], [0.2]], np.float32),
        ...     np.array([0, 1, 1], np.float32),
        ... )
        >>> validate = PredictionValidation(validation, Label("clicked", "click"))
        >>> validate(lambda examples: examples.numeric[:, 0]), len(validate)
        (1.0, 3)
    """

    def __init__(
        self, validation: RankingExamples, label: Label, *, max_rows: int = MAX_ROWS
    ) -> None:
        if len(validation) > max_rows:
            rows = np.random.default_rng(0).permutation(len(validation))[:max_rows]
            validation = validation.take(np.sort(rows))
        self.examples, self._label = validation, label

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.examples)

    def __call__(self, predict: PredictFn) -> float:
        """Computes the metric of a prediction function; 0 without rows."""
        return self.evaluate_predictions(predict(self.examples)) if len(self) else 0.0

    def evaluate_predictions(self, predictions: np.ndarray) -> float:
        """Computes the metric of precomputed predictions of `examples`, float [n].

        Raises:
            ValueError: Predictions are no numbers from 0 to 1, or there are no rows.
        """
        check_predictions(predictions, self.examples, self._label)
        labels = self.examples.labels
        if self._label.kind == "rating":
            return 1 - compute_rmse(labels, predictions)
        auc = compute_click_auc(labels, predictions)
        if np.isnan(auc):
            return float(np.exp(-compute_log_losses(labels, predictions).mean()))
        return auc
