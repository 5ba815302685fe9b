"""What `fit` does with rows: batches them, and validates every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kd_tf.backend import keras
from kd_tf.data.examples.batches import Batches
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.callbacks import PredictionMetrics
from kd_tf.models.trainable import run_fit

BATCH_SIZE = 512
"""Default number of rows per step."""


def make_batches(
    model: RankingModel, examples: RankingExamples, batch_size: int | None, seed: int
) -> Batches:
    """Puts rows into batches of a model's inputs and the labels."""
    # Batches have passes over different examples; rows are the same in every pass.
    return Batches(
        {name: array[None] for name, array in model.to_inputs(examples).items()},
        {"targets": examples.labels[None]},
        batch_size=batch_size or BATCH_SIZE,
        seed=seed,
    )


def fit_batches(
    fit: Callable[..., keras.callbacks.History],
    batches: Batches,
    *,
    validated_model: RankingModel,
    validation_data: RankingExamples | None,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] | None,
    **kwargs: Any,
) -> keras.callbacks.History:
    """Runs Keras' `fit` on batches, with metrics of the validation rows after every epoch.

    Args:
        fit: `keras.Model.fit` of the model that is trained.
        batches: Training data.
        validated_model: The model that is evaluated: the trained one, or a Distiller's student.
        validation_data: The validation rows; None evaluates nothing.
        epochs: Number of epochs.
        callbacks: As in `run_fit`.
        **kwargs: Further arguments of `keras.Model.fit`.
    """
    validation = (
        PredictionMetrics(validation_data, validated_model)
        if validation_data is not None and len(validation_data)
        else None
    )
    return run_fit(fit, batches, validation, epochs=epochs, callbacks=callbacks, **kwargs)
