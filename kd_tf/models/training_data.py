"""Inputs for models with a closed-form fit."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.data.split import HeldOutSet, TrainingSet, to_training_set
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.progress import NullProgress, Progress


@dataclass(frozen=True)
class TrainingData:
    """A training set and the metric that selects hyperparameters on the validation users.

    Attributes:
        train: The histories to fit.
        max_length: L of the models.
        validation_metric: Evaluates a score function on the validation users; hyperparameters are
            selected by it.
        progress: Reports progress.
    """

    train: TrainingSet
    max_length: int
    validation_metric: ValidationMetric
    progress: Progress

    @classmethod
    def create(
        cls,
        train: Histories,
        num_items: int,
        max_length: int,
        validation_data: HeldOutSet | ValidationMetric | None = None,
        progress: Progress | None = None,
    ) -> TrainingData:
        """Collects what `fit` got, with defaults for what it did not get.

        Args:
            train: ``split.train``, or any histories.
            num_items: V of the model.
            max_length: L of the model.
            validation_data: ``split.validation``, or a metric on it. Without it, nothing is
                selected and models take their default hyperparameters.
            progress: Reports progress; by default nothing is reported.
        """
        return cls(
            to_training_set(train, num_items),
            max_length,
            to_validation_metric(validation_data, num_items),
            progress or NullProgress(),
        )

    @property
    def catalog(self) -> Catalog:
        """The V items; without metadata where the training set has no catalog."""
        if self.train.catalog is not None:
            return self.train.catalog
        ids = [str(item) for item in range(1, self.train.num_items + 1)]
        return Catalog(pl.DataFrame({"item_id": ids}))


def to_validation_metric(
    validation_data: HeldOutSet | ValidationMetric | None, num_items: int
) -> ValidationMetric:
    """Returns the metric on held-out users; on no users at all for None."""
    if isinstance(validation_data, ValidationMetric):
        return validation_data
    return ValidationMetric(validation_data or HeldOutSet.empty(), num_items)
