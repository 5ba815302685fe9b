"""The prior baseline: the mean training label for every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples, RankingSplit


@dataclass(frozen=True)
class Prior:
    """Predicts the same for every row; see `fit`.

    Attributes:
        mean_label: The prediction, 0 to 1.
        name: Name in result tables.
    """

    mean_label: float
    name: str = "prior"
    num_parameters: int = 1
    num_bytes: int = 4

    def predict(self, examples: RankingExamples) -> np.ndarray:
        """Returns float32 [n], all equal."""
        return np.full(len(examples), self.mean_label, np.float32)


def fit(split: RankingSplit) -> Prior:
    """Averages the labels of the training rows; 0.5 without any."""
    labels = split.train.labels
    return Prior(float(labels.mean(dtype=np.float64)) if len(labels) else 0.5)
