"""Chooses the rows that set the ranges of an int8 file's activations."""

from __future__ import annotations

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel
from kd_tf.tflite.ranking.edge_rows import make_edge_rows

NUM_ROWS = 512
"""Rows that are drawn at random."""

NUM_EXTREME_ROWS = 16
"""Rows with the largest and with the smallest logits, each."""

MAX_CANDIDATES = 100_000
"""Rows among which extreme ones are looked for."""


def choose_calibration_rows(student: RankingModel, train: RankingExamples) -> RankingExamples:
    """Chooses calibration rows: usual ones and the most extreme ones.

    What exceeds the activations of these rows is cut off, so that a row which is like no other
    would get a wrong answer, the more so where features are multiplied. So the rows of the largest
    and smallest logits and numbers are among them, and rows that real data seldom has
    (`make_edge_rows`).

    Args:
        student: The trained student.
        train: Training rows, at least one.

    Returns:
        The rows, without users, items and texts.
    """
    candidate_rows = _draw_rows(len(train), MAX_CANDIDATES)
    candidates = train.take(candidate_rows).select_features(student.layout)
    order = np.argsort(student.predict_logits(candidates), kind="stable")
    places = [
        _draw_rows(len(candidates), NUM_ROWS),
        order[:NUM_EXTREME_ROWS],
        order[-NUM_EXTREME_ROWS:],
        candidates.numeric.argmin(axis=0),
        candidates.numeric.argmax(axis=0),
    ]
    usual_rows = candidates.take(np.unique(np.concatenate(places)))
    edge_rows = make_edge_rows(student.layout, usual_rows)
    return usual_rows.append(edge_rows)


def _draw_rows(num_rows: int, count: int) -> np.ndarray:
    """Draws rows at random, in the order of the table; all if there are no more."""
    if num_rows <= count:
        return np.arange(num_rows)
    return np.sort(np.random.default_rng(0).choice(num_rows, count, replace=False))
