"""Inputs for models with a closed-form fit."""

from __future__ import annotations

from dataclasses import dataclass

from kd_tf.data.catalog import Catalog
from kd_tf.data.split import Split
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.progress import Progress


@dataclass(frozen=True)
class TrainingData:
    """A split data set and the metric that selects hyperparameters on it.

    Attributes:
        split: The training part is fitted; the test part is never used.
        catalog: The V items.
        max_length: L of the models.
        validation_metric: Evaluates a score function on the validation users; hyperparameters are
            selected by it.
        progress: Reports progress.
    """

    split: Split
    catalog: Catalog
    max_length: int
    validation_metric: ValidationMetric
    progress: Progress
