"""Linear baselines on one-hot ids: logistic regression of clicks, ridge regression of ratings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from kd_tf.baselines.ranking.base import check_labels
from kd_tf.baselines.ranking.one_hot import encode_one_hot
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.evaluation.metrics.log_loss import compute_log_losses
from kd_tf.evaluation.metrics.rating_errors import compute_rmse
from kd_tf.progress import NullProgress, Progress

INVERSE_REGULARIZATIONS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Values of C of the logistic regression; validation rows choose one."""

RIDGE_PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0)
"""L2 penalties of the ridge regression; validation rows choose one."""

DEFAULT_SETTING = 2
"""Index of the setting that is taken without validation rows."""

MAX_ITERATIONS = 100

GRADIENT_TOLERANCE = 0.03
"""How many rows an id may be wrong by. scikit-learn's tolerance is of the gradient of the mean
loss, in which an id of 10 among a million rows hardly counts: its default of 1e-4 left the weights
of rare users as they were, which cost .02 AUC on goodbooks-10k."""

ROWS_AT_ONCE = 500_000


@dataclass(frozen=True)
class LinearBaseline:
    """Predicts with one weight per id and number; see `fit_logistic_regression`.

    Attributes:
        weights: float32 [number of ids + G].
        bias: Added to the sum.
        is_logistic: Whether the prediction is the sigmoid of the sum, or the sum itself, cut off at
            0 and 1.
        name: Name in result tables.
    """

    weights: np.ndarray
    bias: float
    is_logistic: bool
    name: str

    @property
    def num_parameters(self) -> int:
        """All weights and the bias."""
        return len(self.weights) + 1

    @property
    def num_bytes(self) -> int:
        """Bytes of the weights in memory."""
        return self.weights.nbytes + 4

    def predict(self, examples: RankingExamples) -> np.ndarray:
        """Returns float32 [n], 0 to 1."""
        predictions = np.empty(len(examples), np.float32)
        for start in range(0, len(examples), ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, len(examples)))
            sums = encode_one_hot(examples.take(rows)) @ self.weights + self.bias
            predictions[rows] = expit(sums) if self.is_logistic else np.clip(sums, 0, 1)
        return predictions


def fit_logistic_regression(
    split: RankingSplit, progress: Progress | None = None
) -> LinearBaseline:
    """Trains a logistic regression with L2 regularization, with L-BFGS.

    Of `INVERSE_REGULARIZATIONS` the one with the lowest log loss on validation rows is taken.

    Args:
        split: Clicks. Of the test part nothing is used.
        progress: Reports progress per setting.

    Raises:
        UserError: All training labels are equal.
    """
    name = "logistic-regression"
    # Each setting starts from the weights of the one before, from strong to weak regularization.
    model = LogisticRegression(
        max_iter=MAX_ITERATIONS, warm_start=True, tol=GRADIENT_TOLERANCE / max(len(split.train), 1)
    )

    def fit(matrix: object, labels: np.ndarray, setting: float) -> LinearBaseline:
        model.set_params(C=setting)
        with warnings.catch_warnings():
            # Weights that have not quite converged are as good as those of a stronger
            # regularization, and validation rows judge them as they are.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(matrix, labels > 0.5)
        weights = model.coef_[0].astype(np.float32)
        return LinearBaseline(weights, float(model.intercept_[0]), True, name)

    def compute_error(baseline: LinearBaseline) -> float:
        predictions = baseline.predict(split.validation)
        return float(compute_log_losses(split.validation.labels, predictions).mean())

    return _choose_setting(split, name, INVERSE_REGULARIZATIONS, fit, compute_error, progress)


def fit_ridge_regression(split: RankingSplit, progress: Progress | None = None) -> LinearBaseline:
    """Solves a least-squares regression with L2 penalty, with conjugate gradients.

    Of `RIDGE_PENALTIES` the one with the lowest RMSE on validation rows is taken.

    Args:
        split: Ratings. Of the test part nothing is used.
        progress: Reports progress per setting.

    Raises:
        UserError: All training labels are equal.
    """
    name = "ridge-regression"

    def fit(matrix: object, labels: np.ndarray, setting: float) -> LinearBaseline:
        model = Ridge(alpha=setting, solver="sparse_cg", max_iter=MAX_ITERATIONS, tol=1e-4)
        model.fit(matrix, labels)
        return LinearBaseline(model.coef_.astype(np.float32), float(model.intercept_), False, name)

    def compute_error(baseline: LinearBaseline) -> float:
        return compute_rmse(split.validation.labels, baseline.predict(split.validation))

    return _choose_setting(split, name, RIDGE_PENALTIES, fit, compute_error, progress)


def _choose_setting(
    split: RankingSplit,
    name: str,
    settings: Sequence[float],
    fit: Callable[[object, np.ndarray, float], LinearBaseline],
    compute_error: Callable[[LinearBaseline], float],
    progress: Progress | None,
) -> LinearBaseline:
    """Fits each setting and returns the model with the lowest validation error."""
    check_labels(split)
    matrix, labels = encode_one_hot(split.train), np.asarray(split.train.labels)
    if not len(split.validation):
        settings = [settings[DEFAULT_SETTING]]
    best, lowest_error = None, np.inf
    with (progress or NullProgress()).task(name, len(settings)) as advance:
        for setting in settings:
            baseline = fit(matrix, labels, setting)
            error = compute_error(baseline) if len(settings) > 1 else 0.0
            if best is None or error < lowest_error:
                best, lowest_error = baseline, error
            advance()
    assert best is not None
    return best
