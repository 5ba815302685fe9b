"""What `fit` does with histories: draws examples, batches them, and validates every epoch."""

from __future__ import annotations

from kd_tf.backend import keras
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.data.split import HeldOutSet, TrainingSet
from kd_tf.models.base import HistoryModel
from kd_tf.models.callbacks import RankingMetrics

BATCH_SIZE = 32
"""Default number of users per step, that of Keras."""

NUM_ORDERED_TARGETS = 4
"""Target items per example where histories are in the order of reading: the next few."""

NUM_UNORDERED_TARGETS = 16
"""Target items per example elsewhere."""


NUM_PASSES = 8
"""Default number of different examples per user."""


def choose_num_targets(chronological: bool) -> int:
    """Returns the default number of target items per example."""
    return NUM_ORDERED_TARGETS if chronological else NUM_UNORDERED_TARGETS


def draw_examples(
    model: HistoryModel,
    train: TrainingSet,
    num_passes: int | None,
    num_targets: int | None,
    seed: int | None,
) -> Examples:
    """Draws the examples that a model trains on, in the form that its `call` takes.

    Args:
        model: The model.
        train: The training histories.
        num_passes: Number of examples per user; None takes the default.
        num_targets: Number of target items per example; None takes the default.
        seed: Random seed; None takes that of the split.

    Raises:
        UserError: No user has two items.
    """
    return model.draw_examples(
        train,
        num_passes=num_passes or NUM_PASSES,
        num_targets=num_targets or choose_num_targets(train.chronological),
        seed=train.seed if seed is None else seed,
    )


def make_batches(
    examples: Examples, train: TrainingSet, batch_size: int | None, seed: int | None
) -> Batches:
    """Puts examples into batches with default size and order."""
    return Batches(
        examples.history,
        {"targets": examples.targets},
        batch_size=batch_size or BATCH_SIZE,
        seed=train.seed if seed is None else seed,
    )


def make_validation_callback(
    validation: HeldOutSet | None, model: HistoryModel
) -> keras.callbacks.Callback | None:
    """Makes the callback that logs ranking metrics of validation users; None without any.

    Args:
        validation: The validation users, or None.
        model: The model that is evaluated: the trained one, or a Distiller's student.
    """
    if validation is None or not len(validation.histories):
        return None
    return RankingMetrics(validation, model)
