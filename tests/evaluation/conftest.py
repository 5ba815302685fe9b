"""Rows with labels, for tests that need no features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.runtime.features.layout import FeatureLayout

MakeExamples = Callable[..., RankingExamples]


@pytest.fixture(scope="session")
def make_examples() -> MakeExamples:
    """``make_examples(labels, users=None)``."""

    def build(labels: np.ndarray, users: np.ndarray | None = None) -> RankingExamples:
        n = len(labels)
        return RankingExamples(
            FeatureLayout((), ()),
            np.empty((n, 0), np.int32),
            np.empty((n, 0), np.float32),
            np.asarray(labels, np.float32),
            users if users is None else np.asarray(users, np.int32),
        )

    return build
