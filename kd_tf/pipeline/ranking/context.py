"""What all stages of a run of the ranking task share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kd_tf import __version__
from kd_tf.compress.select_features import score_features, select_features
from kd_tf.config import RankingConfig
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.evaluation.evaluate_predictions import PredictFn
from kd_tf.evaluation.prediction_validation import PredictionValidation
from kd_tf.layers.feature_embedding import describe_layout
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.ranking.evaluate_ranker import RankerEvaluation, evaluate_ranker
from kd_tf.pipeline.stages.cache import Cache, hash_arrays
from kd_tf.progress import Progress
from kd_tf.runtime.features.crossed import CrossFeature
from kd_tf.runtime.features.layout import FeatureLayout


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

    @cached_property
    def teacher_layout(self) -> FeatureLayout:
        """All features but the crosses that are for the student alone."""
        settings, layout, schema = self.settings, self.split.train.layout, self.split.schema
        crosses = {*settings.student.crosses} - {*settings.features.crosses}
        names = {
            feature.name
            for feature in (() if schema is None else schema.categorical)
            if isinstance(feature, CrossFeature) and feature.columns in crosses
        }
        return FeatureLayout(
            tuple(feature for feature in layout.categorical if feature.name not in names),
            layout.numeric,
        )

    @cached_property
    def student_layout(self) -> FeatureLayout:
        """The features that the student keeps, selected on training rows."""
        settings, train = self.settings.student.features, self.split.train
        if settings.select == "all":
            return train.layout
        scores = score_features(train, settings.select, self.settings.seed)
        layout = select_features(train.layout, scores, settings.max_features)
        names = [*(feature.name for feature in layout.categorical), *layout.numeric]
        names.sort(key=lambda name: -scores[name])
        self.progress.info(
            f"student: {len(names)} of {len(scores)} features, by {settings.select}: "
            + ", ".join(f"{name} {scores[name]:.4f}" for name in names)
        )
        return layout

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
        return evaluate_ranker(predict, self.split, self.validation_metric)


def _hash_examples(examples: RankingExamples) -> str:
    return hash_arrays(examples.categorical, examples.numeric, examples.labels)


def _hash_texts(examples: RankingExamples) -> str | None:
    return None if examples.texts is None else examples.texts.compute_fingerprint()
