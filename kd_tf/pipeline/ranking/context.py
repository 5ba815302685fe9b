"""What all stages of a run of the ranking task share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
from kd_tf.evaluation.prediction_validation import PredictionValidation
from kd_tf.layers.feature_embedding import describe_layout
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.stages.cache import Cache, hash_arrays
from kd_tf.progress import Progress


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

    def evaluate_on_test(self, predict: PredictFn) -> tuple[np.ndarray, PredictionEvaluation]:
        """Predicts the test rows and computes all metrics, at a threshold from validation rows."""
        split = self.split
        threshold = choose_click_threshold(predict, split.validation, split.label)
        predictions = predict(split.test)
        evaluation = evaluate_predictions(predictions, split.test, split.label, threshold=threshold)
        return predictions, evaluation


def _hash_examples(examples: RankingExamples) -> str:
    return hash_arrays(examples.categorical, examples.numeric, examples.labels)
