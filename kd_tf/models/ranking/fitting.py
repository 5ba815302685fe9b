"""What `fit` does with rows: batches them, and validates every epoch."""

from __future__ import annotations

from collections.abc import Sequence

from kd_tf.backend import keras
from kd_tf.data.examples.batches import Batches
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel, collect_inputs
from kd_tf.models.ranking.callbacks import PredictionMetrics

BATCH_SIZE = 512
"""Default number of rows per step."""


def make_batches(
    model: RankingModel,
    examples: RankingExamples,
    batch_size: int | None,
    seed: int,
    teachers: Sequence[RankingModel] = (),
) -> Batches:
    """Puts rows into batches of what a model takes, and the labels.

    Args:
        model: The model that is trained.
        examples: The rows.
        batch_size: Rows per step; `BATCH_SIZE` by default.
        seed: Shuffles the rows.
        teachers: Those with the features of the model find in a batch what they take too.
    """
    readers = [model, *(teacher for teacher in teachers if teacher.layout == model.layout)]
    # Batches have passes over different examples; rows are the same in every pass.
    return Batches(
        {name: array[None] for name, array in collect_inputs(readers, examples).items()},
        {"targets": examples.labels[None]},
        batch_size=batch_size or BATCH_SIZE,
        seed=seed,
    )


def make_validation_callback(
    validation: RankingExamples | None, model: RankingModel
) -> keras.callbacks.Callback | None:
    """Makes the callback that logs the metrics of validation rows; None without such rows.

    Args:
        validation: The validation rows, or None.
        model: The model that is evaluated: the trained one, or a Distiller's student.
    """
    if validation is None or not len(validation):
        return None
    return PredictionMetrics(validation, model)
