"""What every baseline offers: scores, a name and a size."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kd_tf.data.histories import Histories


class Baseline(Protocol):
    """A model without a neural network, to tell what a neural one must beat."""

    @property
    def name(self) -> str:
        """How tables call it."""

    @property
    def num_parameters(self) -> int:
        """How many numbers it learnt from the training histories and keeps."""

    @property
    def num_bytes(self) -> int:
        """What these numbers, with the indices that find them, take in memory."""

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], as `kd_tf.evaluate.evaluation.Scorer` promises.

        -inf for a book about which the model knows nothing, given this history, and for the
        padding in column 0. Books of the history have scores like others.

        Raises:
            ValueError: A history holds an id outside 1..V.
        """
