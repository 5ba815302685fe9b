"""What all stages of a run of the ranking task share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import __version__
from kd_tf.config import RankingConfig
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
from kd_tf.layers.feature_embedding import describe_layout
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.stages.cache import Cache, hash_arrays
from kd_tf.progress import Progress


@dataclass(frozen=True, eq=False)
class RankerEvaluation:
    """What a model or file predicts, and how good that is.

    Attributes:
        predictions: float32 [n], of the test rows.
        test: Metrics on the test rows.
        validation_score: AUC of clicks or 1 - RMSE of scaled ratings on validation rows.
    """

    predictions: np.ndarray
    test: PredictionEvaluation
    validation_score: float
    slices: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class RankingContext:
    """The settings, the rows and the cache of one run; see `RankingContext.create`.

    Attributes:
        settings: All settings of the run.
        folder: The run's folder.
        progress: Where to report.
        split: Training, validation and test rows.
        validation_metric: AUC of clicks or 1 - RMSE of scaled ratings on validation rows.
        cache: The finished stages in `folder`.
    """

    settings: RankingConfig
    folder: Path
    progress: Progress
    split: RankingSplit
    validation_metric: PredictionValidation
    cache: Cache

    @classmethod
    def create(
        cls, settings: RankingConfig, folder: Path, progress: Progress, split: RankingSplit
    ) -> RankingContext:
        """Prepares what the stages share."""
        key = {
            # Other features may have rows of the same ids: a column has another name.
            "layout": describe_layout(split.train.layout),
            "train": _hash_examples(split.train),
            "validation": _hash_examples(split.validation),
            "texts": [_hash_texts(examples) for examples in (split.train, split.validation)],
            "label": split.label.kind,
            "seed": settings.seed,
            "kd_tf": __version__,
        }
        return cls(
            settings,
            folder,
            progress,
            split,
            PredictionValidation(split.validation, split.label),
            Cache(folder, key, progress),
        )

    @property
    def metric(self) -> str:
        """Name of the validation score, for messages."""
        return "AUC" if self.split.label.kind == "click" else "score (1 - scaled RMSE)"

    def make_validation_fn(self, model: RankingModel) -> Callable[[], float]:
        """Returns a function that computes the validation score of a model."""
        return lambda: self.validation_metric(model.predict_probabilities)

    def with_settings(self, settings: RankingConfig) -> RankingContext:
        """Returns a context of other settings on the same rows."""
        shared_key = {**self.cache.shared_key, "seed": settings.seed}
        return replace(
            self, settings=settings, cache=Cache(self.cache.folder, shared_key, self.progress)
        )

    def evaluate_on_test(self, predict: PredictFn) -> RankerEvaluation:
        """Predicts the test rows and computes all metrics, at a threshold from validation rows."""
        split, validation = self.split, self.validation_metric.examples
        threshold, validation_score = DEFAULT_THRESHOLD, 0.0
        if len(validation):
            predictions = predict(validation)
            threshold = choose_click_threshold(predictions, validation, split.label)
            validation_score = self.validation_metric.evaluate_predictions(predictions)
        predictions = predict(split.test)
        test = evaluate_predictions(predictions, split.test, split.label, threshold=threshold)
        slices = evaluate_cold_items(predictions, split, threshold)
        return RankerEvaluation(predictions, test, validation_score, slices)


def _hash_examples(examples: RankingExamples) -> str:
    return hash_arrays(examples.categorical, examples.numeric, examples.labels)


def _hash_texts(examples: RankingExamples) -> str | None:
    return None if examples.texts is None else examples.texts.compute_fingerprint()
