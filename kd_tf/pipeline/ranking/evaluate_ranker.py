"""Evaluates a model or file of the ranking task on the test rows of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.evaluation.evaluate_predictions import (
    PredictFn,
    PredictionEvaluation,
    choose_click_threshold,
    evaluate_predictions,
)
from kd_tf.evaluation.metrics.classification import DEFAULT_THRESHOLD
from kd_tf.evaluation.prediction_slices import evaluate_cold_items
from kd_tf.evaluation.prediction_validation import PredictionValidation
from kd_tf.runtime.features.layout import FeatureLayout
from kd_tf.runtime.prediction_model import PredictionModel


@dataclass(frozen=True, eq=False)
class RankerEvaluation:
    """What a model or file predicts, and how good that is.

    Attributes:
        predictions: float32 [n], of the test rows.
        test: Metrics on the test rows.
        validation_score: AUC of clicks or 1 - RMSE of scaled ratings on validation rows.
        slices: By name of the slice of test rows, such as those of items that training does not
            have, the number of rows and their metrics.
    """

    predictions: np.ndarray
    test: PredictionEvaluation
    validation_score: float
    slices: dict[str, dict[str, Any]]


def evaluate_ranker(
    predict: PredictFn, split: RankingSplit, validation_metric: PredictionValidation
) -> RankerEvaluation:
    """Predicts validation rows, which choose the threshold of a click, and then the test rows.

    Args:
        predict: Predicts encoded rows.
        split: Its test rows are measured.
        validation_metric: Metric on the validation rows of the split.
    """
    validation = validation_metric.examples
    threshold, validation_score = DEFAULT_THRESHOLD, 0.0
    if len(validation):
        predictions = predict(validation)
        threshold = choose_click_threshold(predictions, validation, split.label)
        validation_score = validation_metric.evaluate_predictions(predictions)
    predictions = predict(split.test)
    test = evaluate_predictions(predictions, split.test, split.label, threshold=threshold)
    slices = evaluate_cold_items(predictions, split, threshold)
    return RankerEvaluation(predictions, test, validation_score, slices)


def make_file_predict_fn(model: PredictionModel, layout: FeatureLayout) -> PredictFn:
    """Returns a function that predicts encoded rows by running a .tflite file.

    Args:
        model: The file.
        layout: The features that it takes, which may be fewer than those of the rows.
    """

    def predict(examples: RankingExamples) -> np.ndarray:
        rows = examples.select_features(layout)
        return model.predict_all(rows.categorical, rows.numeric)

    return predict
