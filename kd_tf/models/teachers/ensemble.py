"""Several teachers as one, weighed by the readers who choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kd_tf.evaluate.protocol import Scorer
from kd_tf.keras import keras
from kd_tf.models.base import HistoryModel
from kd_tf.models.blend import BlendModel, fit_blend
from kd_tf.models.learning_data import LearningData
from kd_tf.models.ranking import scorer

FITTING_SCORES = 60_000_000
"""Scores that are held while weights are fitted: 240 MB a member."""


@keras.saving.register_keras_serializable(package="kd_tf")
class EnsembleTeacher(BlendModel):
    """Teachers of different kinds know different things; their sum ranks better than the best.

    A member's weight may grow or fall with the length of the history: how far it can be trusted
    differs from reader to reader.
    """

    @classmethod
    def weighed(cls, members: Sequence[HistoryModel], data: LearningData) -> EnsembleTeacher:
        """Fits the weights; members that are no help stay with a weight of 0.

        Args:
            members: Trained or solved, of one history length.
            data: Its validation readers weigh the members.
        """
        scores, lengths, judge = _collected([scorer(one) for one in members], data)
        if not len(lengths):
            return cls(parts=members)
        with data.progress.task("weighing the teachers", 1) as advance:
            weights, powers, reached = fit_blend(scores, lengths, judge)
            advance(1, f"validation {reached:.4f}")
        return cls(parts=members, weights=weights, powers=powers)


def _collected(scorers: Sequence[Scorer], data: LearningData):  # type: ignore[no-untyped-def]
    """Every member's scores of some choosing readers, and how to judge a sum of them."""
    readers = max(FITTING_SCORES // (data.split.books + 1), 50)
    choose = data.choose.first(readers)
    scores = [
        np.concatenate(
            [score(choose.histories.take(rows)) for rows in choose.batches()]
            or [np.empty((0, data.split.books + 1), np.float32)]
        )
        for score in scorers
    ]
    return scores, choose.histories.lengths, choose.of_scores
