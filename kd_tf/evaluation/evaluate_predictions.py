"""Evaluates the predictions of a model on labelled rows: clicks and ratings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kd_tf.data.ranking.examples import Label, RankingExamples
from kd_tf.evaluation.metrics.calibration import Reliability, compute_reliability
from kd_tf.evaluation.metrics.classification import (
    DEFAULT_THRESHOLD,
    choose_threshold,
    compute_classification_metrics,
)
from kd_tf.evaluation.metrics.click_auc import compute_auc_per_user, compute_click_auc
from kd_tf.evaluation.metrics.log_loss import compute_log_losses
from kd_tf.evaluation.metrics.rating_errors import compute_mae, compute_rmse
from kd_tf.evaluation.prediction_bootstrap import bootstrap_click_metrics, bootstrap_rating_metrics

PredictFn = Callable[[RankingExamples], np.ndarray]
"""``predict(examples)``: float32 [n], 0 to 1, the probability of a click or the scaled rating."""


@dataclass(frozen=True, eq=False)
class PredictionEvaluation:
    """The metrics of one model on labelled rows.

    Attributes:
        num_rows: Number of rows.
        num_users: Number of users of these rows; None where they are not known.
        metrics: By name. Of clicks ``log_loss``, ``accuracy``, ``precision``, ``recall``, ``f1``
            and ``calibration_error``; ``auc`` where there are rows of both labels, and ``gauc``
            where there are users with both. Of ratings ``rmse`` and ``mae``, in their units.
        intervals: 95 % bootstrap intervals of `metrics`, lower and upper bound by name; none of
            ``calibration_error``, and none at all for fewer than two users or rows.
        threshold: Threshold of the metrics that need one; None for ratings.
        reliability: Predicted and observed probabilities by bin; None for ratings.

    Example:
        >>> from kd_tf.runtime.features.layout import FeatureLayout
        >>> examples = RankingExamples(
        ...     FeatureLayout((), ()),
        ...     np.empty((4, 0), np.int32),
        ...     np.empty((4, 0), np.float32),
        ...     np.array([0, 1, 0, 1], np.float32),
        ... )
        >>> predictions = np.array([0.1, 0.7, 0.6, 0.9], np.float32)
        >>> evaluation = evaluate_predictions(
        ...     predictions, examples, Label("clicked", "click"), threshold=0.5
        ... )
        >>> evaluation.metrics["auc"], evaluation.metrics["accuracy"]
        (1.0, 0.75)
    """

    num_rows: int
    num_users: int | None
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    threshold: float | None
    reliability: Reliability | None


def evaluate_predictions(
    predictions: np.ndarray,
    examples: RankingExamples,
    label: Label,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> PredictionEvaluation:
    """Computes all metrics of the predictions of some rows, with bootstrap intervals.

    Args:
        predictions: float [n], 0 to 1, from a `PredictFn`.
        examples: The n rows, at least one.
        label: What is predicted.
        threshold: Chosen on validation rows, see `choose_click_threshold`; not used for ratings.

    Raises:
        ValueError: `predictions` has another length, or a number outside 0 to 1, or there are no
            rows, or a label of a click is neither 0 nor 1.
    """
    check_predictions(predictions, examples, label)
    users = examples.users
    num_users = None if users is None else len(np.unique(users))
    metrics = compute_prediction_metrics(predictions, examples, label, threshold=threshold)
    if label.kind == "rating":
        ratings, predicted_ratings = _read_ratings(predictions, examples, label)
        return PredictionEvaluation(
            num_rows=len(examples),
            num_users=num_users,
            metrics=metrics,
            intervals=bootstrap_rating_metrics(ratings, predicted_ratings, users),
            threshold=None,
            reliability=None,
        )
    return PredictionEvaluation(
        num_rows=len(examples),
        num_users=num_users,
        metrics=metrics,
        intervals=bootstrap_click_metrics(examples.labels, predictions, threshold, users),
        threshold=threshold,
        reliability=compute_reliability(examples.labels, predictions),
    )


def compute_prediction_metrics(
    predictions: np.ndarray,
    examples: RankingExamples,
    label: Label,
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> dict[str, float]:
    """Computes the metrics of `PredictionEvaluation` without intervals."""
    if label.kind == "rating":
        ratings, predicted_ratings = _read_ratings(predictions, examples, label)
        return {
            "rmse": compute_rmse(ratings, predicted_ratings),
            "mae": compute_mae(ratings, predicted_ratings),
        }
    labels, users = examples.labels, examples.users
    metrics = {
        "auc": compute_click_auc(labels, predictions),
        "gauc": float("nan")
        if users is None
        else compute_auc_per_user(labels, predictions, users).mean,
        "log_loss": float(compute_log_losses(labels, predictions).mean()),
        **compute_classification_metrics(labels, predictions, threshold),
        "calibration_error": compute_reliability(labels, predictions).calibration_error,
    }
    return {name: value for name, value in metrics.items() if not np.isnan(value)}


def _read_ratings(
    predictions: np.ndarray, examples: RankingExamples, label: Label
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ratings and predicted ratings in their own units, float64 [n] each."""
    return (
        label.unscale(examples.labels.astype(np.float64)),
        label.unscale(predictions.astype(np.float64)),
    )


def choose_click_threshold(
    predictions: np.ndarray, validation: RankingExamples, label: Label
) -> float:
    """Chooses the threshold with the best F1 on the validation rows; see `choose_threshold`.

    Args:
        predictions: float [n], of the validation rows.
        validation: The n rows.
        label: What is predicted.

    Returns:
        The threshold; `DEFAULT_THRESHOLD` for ratings and without validation rows.
    """
    if label.kind == "rating" or not len(validation):
        return DEFAULT_THRESHOLD
    check_predictions(predictions, validation, label)
    return choose_threshold(validation.labels, predictions)


def check_predictions(predictions: np.ndarray, examples: RankingExamples, label: Label) -> None:
    """Checks that predictions can be compared with the labels of some rows.

    Raises:
        ValueError: See `evaluate_predictions`.
    """
    if predictions.shape != (len(examples),):
        raise ValueError(
            f"{len(examples)} rows need one prediction each, not an array {list(predictions.shape)}"
        )
    if not len(examples):
        raise ValueError("there are no rows to evaluate")
    for name, values in (("prediction", predictions), ("label", examples.labels)):
        is_wrong = ~((values >= 0) & (values <= 1))  # also of NaN
        if is_wrong.any():
            row = int(is_wrong.argmax())
            raise ValueError(f"the {name} of row {row} is {values[row]}, which is not from 0 to 1")
    if label.kind == "click":
        is_wrong = (examples.labels != 0) & (examples.labels != 1)
        if is_wrong.any():
            row = int(is_wrong.argmax())
            raise ValueError(
                f"the label {label.name!r} of row {row} is {examples.labels[row]}, but a click is "
                "0 or 1"
            )
