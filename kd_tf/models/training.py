"""One way to fit a teacher or a Distiller: schedule, validation, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kd_tf.keras import keras, tf
from kd_tf.progress import Progress


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a model learns.

    Attributes:
        epochs: At most so many passes over the readers.
        batch_size: Readers a step.
        learning_rate: Adam's, at its highest; it warms up over the first twentieth of the steps
            and falls to 0 along a half cosine.
        validate_every: Epochs between two validations.
        patience: Validations without a new best before training stops early.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    validate_every: int = 2
    patience: int = 5


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes:
        epochs: How many were run.
        best_epoch: The epoch whose weights were kept, from 1; 0 is the start.
        best: The validation figure of those weights.
        seconds: Wall time, validation included.
    """

    epochs: int
    best_epoch: int
    best: float
    seconds: float


def train(
    model: keras.Model,
    batches: tf.data.Dataset,
    *,
    steps: int,
    schedule: Schedule,
    validate: Callable[[], float],
    choose_from_epoch: int = 1,
    keep_start: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    label: str,
    progress: Progress,
) -> Training:
    """Fits `model` and leaves it with the weights that validated best.

    Args:
        model: Not compiled yet; its weights exist.
        batches: Endless (`kd_tf.data.batches`).
        steps: Steps an epoch.
        schedule: See there.
        validate: Gives the figure to choose by, higher is better.
        choose_from_epoch: Earlier epochs are never chosen (while pruning is under way the
            weights are not yet those that will be kept).
        keep_start: The weights that the model has may be chosen too: epoch 0.
        callbacks: More callbacks for `fit`.
        label: What the progress bar says.
        progress: Where to report.

    Raises:
        ValueError: `choose_from_epoch` is later than the last epoch.
        FloatingPointError: The loss is no longer finite.
    """
    if choose_from_epoch > schedule.epochs:
        raise ValueError(
            f"choose_from_epoch is {choose_from_epoch}, but there are only {schedule.epochs} epochs"
        )
    started = time.monotonic()
    total = schedule.epochs * steps
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                0.0,
                decay_steps=max(total - total // 20, 1),
                warmup_target=schedule.learning_rate,
                warmup_steps=max(total // 20, 1),
            )
        )
    )
    with progress.task(label, schedule.epochs) as advance:
        best = _KeepBest(validate, schedule, choose_from_epoch, advance)
        if keep_start:
            best.start_from(model)
        model.fit(
            batches,
            epochs=schedule.epochs,
            steps_per_epoch=steps,
            callbacks=[*callbacks, best],
            verbose=0,
        )
    best.restore()
    return Training(best.epochs, best.best_epoch, best.best, time.monotonic() - started)


class _KeepBest(keras.callbacks.Callback):
    def __init__(
        self,
        validate: Callable[[], float],
        schedule: Schedule,
        choose_from_epoch: int,
        advance: Callable[..., None],
    ) -> None:
        super().__init__()
        self.validate, self.schedule, self.advance = validate, schedule, advance
        self.choose_from_epoch = choose_from_epoch
        self.best, self.best_epoch, self.epochs, self.worse = -np.inf, 0, 0, 0
        self._weights: list[np.ndarray] = []

    def start_from(self, model: keras.Model) -> None:
        self.best = self.validate()
        self._weights = model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss} after epoch {epoch + 1}: lower the learning rate"
            )
        self.epochs = epoch + 1
        last = self.epochs == self.schedule.epochs
        if self.epochs >= self.choose_from_epoch and (
            last or self.epochs % self.schedule.validate_every == 0
        ):
            self._judge()
        self.advance(1, f"loss {loss:.3f}, validation {max(self.best, 0):.4f}")

    def _judge(self) -> None:
        value = self.validate()
        if value > self.best:
            self.best, self.best_epoch, self.worse = value, self.epochs, 0
            self._weights = self.model.get_weights()
        else:
            self.worse += 1
            self.model.stop_training = self.worse >= self.schedule.patience

    def restore(self) -> None:
        self.model.set_weights(self._weights)
