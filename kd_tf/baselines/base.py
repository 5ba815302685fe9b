"""The interface of all baselines: scores, a name and a size."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kd_tf.data.histories import Histories


class Baseline(Protocol):
    """A model without a neural network that a student or teacher should beat."""

    @property
    def name(self) -> str:
        """Name in result tables."""

    @property
    def num_parameters(self) -> int:
        """Number of values learned from the training histories and stored."""

    @property
    def num_bytes(self) -> int:
        """Bytes that these values and their indices take in memory."""

    def score(self, histories: Histories) -> np.ndarray:
        """Scores the whole catalog for each history, as a `kd_tf.evaluation.evaluate.ScoreFn`.

        Args:
            histories: n histories with ids 1..V.

        Returns:
            float32 [n, V + 1]: -inf for the padding in column 0 and for items that the model knows
            nothing about, given the history. Items of the history are scored like any other.

        Raises:
            ValueError: A history holds an id outside 1..V.
        """
