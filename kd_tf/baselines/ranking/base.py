"""The interface of all baselines of the ranking task: predictions, a name and a size."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.errors import UserError


class PredictionBaseline(Protocol):
    """A model without a neural network that a student or teacher should beat."""

    @property
    def name(self) -> str:
        """Name in result tables."""

    @property
    def num_parameters(self) -> int:
        """Number of values learned from the training rows and stored."""

    @property
    def num_bytes(self) -> int:
        """Bytes that these values take in memory."""

    def predict(self, examples: RankingExamples) -> np.ndarray:
        """Predicts rows, as a `kd_tf.evaluation.evaluate_predictions.PredictFn`.

        Args:
            examples: n rows of the layout that the baseline was fitted to.

        Returns:
            float32 [n], 0 to 1.
        """


def check_labels(split: RankingSplit) -> None:
    """Checks that there is something to learn.

    Raises:
        UserError: There are no training rows, or all of them have the same label.
    """
    labels = split.train.labels
    if not len(labels):
        raise UserError("there are no training rows")
    if labels.min() == labels.max():
        value = float(split.label.unscale(labels[:1])[0])
        raise UserError(
            f"all training rows have {split.label.name} = {value:g}: there is nothing to learn",
            hint="Give rows with other labels too, or split the rows in another way.",
        )
