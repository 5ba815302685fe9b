"""What a model that is solved and not trained looks at."""

from __future__ import annotations

from dataclasses import dataclass

from kd_tf.data.catalog import Catalog
from kd_tf.data.split import Split
from kd_tf.evaluate.validation import ValidationMetric
from kd_tf.progress import Progress


@dataclass(frozen=True)
class TrainingData:
    """A divided data set and how to choose on it.

    Attributes:
        split: Its training part is learnt from; its test part is not looked at.
        catalog: V books.
        history_length: L of the models that are made.
        choose: How good a scorer is for the validation readers; settings are chosen by it.
        progress: Where to report.
    """

    split: Split
    catalog: Catalog
    max_length: int
    validation_metric: ValidationMetric
    progress: Progress
