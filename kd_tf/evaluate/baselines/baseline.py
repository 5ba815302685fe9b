"""What every baseline offers: a ranker with a name and a size."""

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
    def parameters(self) -> int:
        """How many numbers it learnt from the training histories and keeps."""

    @property
    def bytes(self) -> int:
        """What these numbers, with the indices that find them, take in memory."""

    def rank(self, histories: Histories, k: int) -> np.ndarray:
        """int32 [n, k], as `kd_tf.evaluate.protocol.Ranker` promises."""
