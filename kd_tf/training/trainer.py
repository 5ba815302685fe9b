"""One way to fit a teacher or a Distiller: schedule, validation, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.errors import UserError
from kd_tf.progress import Progress
from kd_tf.training.resume import ResumeFolder, Snapshot


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
class TrainingResult:
    """How a training went.

    Attributes:
        epochs: How many were run.
        best_epoch: The epoch whose weights were kept, from 1; 0 is the start.
        best: The validation figure of those weights.
        seconds: Wall time, validation included.
    """

    epochs: int
    best_epoch: int
    best_score: float
    seconds: float


class DivergedError(UserError):
    """The loss is no longer a number; the model has the best weights from before."""


class BatchSource(Protocol):
    """Batches of a training (`kd_tf.data.examples.batches.Batches`)."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps an epoch."""

    def stream(self, first_step: int = 0) -> tf.data.Dataset:
        """Endless batches from step `first` on."""


def train(
    model: keras.Model,
    batches: BatchSource,
    *,
    schedule: Schedule,
    validate: Callable[[], float],
    start_from_epoch: int = 1,
    include_initial_weights: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume_folder: ResumeFolder | None = None,
    label: str,
    progress: Progress,
) -> TrainingResult:
    """Fits `model` and leaves it with the weights that validated best.

    Args:
        model: Not compiled yet; its weights exist.
        batches: What it learns from.
        schedule: See there.
        validate: Gives the figure to choose by, higher is better.
        choose_from_epoch: Earlier epochs are never chosen (while pruning is under way the
            weights are not yet those that will be kept).
        keep_start: The weights that the model has may be chosen too: epoch 0.
        callbacks: Keras callbacks that act at the begin and end of steps and epochs.
        unfinished: Where the training is kept on its way. If one of the same key was killed
            there, this one goes on, and ends with the same weights as if nothing had happened.
        label: What the progress bar says.
        progress: Where to report.

    Raises:
        ValueError: `choose_from_epoch` is later than the last epoch.
        DivergedError: The loss is no longer finite. The model is left with the weights that
            validated best until then, or that it began with.
    """
    if start_from_epoch > schedule.epochs:
        raise ValueError(
            f"choose_from_epoch is {start_from_epoch}, but there are only {schedule.epochs} epochs"
        )
    total = schedule.epochs * batches.steps_per_epoch
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
    learning = getattr(model, "trainable_variables", model.trainable_variables)
    model.optimizer.build(learning)
    variables = [*model.variables, *model.optimizer.variables, rng.get_state()]
    judge = _EarlyStopping(model, validate, schedule, start_from_epoch)
    done = 0
    found = resume_folder.read() if resume_folder else None
    if found is not None:
        found.restore(variables)
        judge.resume(found)
        done = found.step
        progress.info(f"{label}: goes on after {done:,} of {total:,} steps")
    elif include_initial_weights:
        judge.validate(0)

    def snapshot() -> Snapshot:
        numbers = [variable.numpy() for variable in variables]
        return Snapshot(done, numbers, judge.best_weights, judge.get_state())

    steps = iter(batches.stream(done))
    step = model.make_train_function()
    called = keras.callbacks.CallbackList([*callbacks], model=model)
    called.on_train_begin()
    first, within = divmod(done, batches.steps_per_epoch)
    with progress.task(label, schedule.epochs) as advance:
        advance(first)
        for epoch in range(first, schedule.epochs):
            called.on_epoch_begin(epoch)
            if not within:
                model.reset_metrics()
            logs: dict[str, tf.Tensor] = {}
            for number in range(within, batches.steps_per_epoch):
                called.on_train_batch_begin(number)
                logs = step(steps)
                called.on_train_batch_end(number, logs)
                done += 1
                if not np.isfinite(float(logs["loss"])):
                    judge.restore_best_weights()
                    raise DivergedError(
                        f"{label}: the loss is {float(logs['loss'])} in step {number + 1} of epoch "
                        f"{epoch + 1}, so the training stopped",
                        hint=(
                            f"The weights of epoch {judge.best_epoch}, the best before, are kept. "
                            if judge.best_epoch
                            else "The weights that it began with are kept. "
                        )
                        + "Lower the learning rate, or the weight of a method.",
                    )
                if resume_folder and number + 1 < batches.steps_per_epoch:
                    resume_folder.write_if_due(snapshot)
            within = 0
            called.on_epoch_end(epoch)
            judge.end_epoch(epoch + 1)
            advance(1, f"loss {float(logs['loss']):.3f}, validation {max(judge.best_score, 0):.4f}")
            if judge.should_stop:
                break
            if resume_folder:
                resume_folder.write_if_due(snapshot)
    called.on_train_end()
    judge.restore_best_weights()
    if resume_folder:
        resume_folder.discard()
    return TrainingResult(judge.epochs, judge.best_epoch, judge.best_score, judge.seconds)


class _EarlyStopping:
    """Validates after epochs, keeps the best weights, and says when it is time to stop."""

    def __init__(
        self,
        model: keras.Model,
        validate: Callable[[], float],
        schedule: Schedule,
        start_from_epoch: int,
    ) -> None:
        self._model, self._validate, self._schedule = model, validate, schedule
        self._start_from_epoch = start_from_epoch
        self._start_time = time.monotonic()
        self.best_score, self.best_epoch, self.epochs, self.validations_without_gain = (
            -np.inf,
            0,
            0,
            0,
        )
        self.best_weights: list[np.ndarray] = model.get_weights()

    @property
    def should_stop(self) -> bool:
        return self.validations_without_gain >= self._schedule.patience

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start_time

    def end_epoch(self, epochs: int) -> None:
        self.epochs = epochs
        due = epochs % self._schedule.validate_every == 0 or epochs == self._schedule.epochs
        if epochs >= self._start_from_epoch and due:
            self.validate(epochs)

    def validate(self, epoch: int) -> None:
        value = self._validate()
        if value > self.best_score:
            self.best_score, self.best_epoch, self.validations_without_gain = value, epoch, 0
            self.best_weights = self._model.get_weights()
        else:
            self.validations_without_gain += 1

    def restore_best_weights(self) -> None:
        self._model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, float | None]:
        return {
            "best": self.best_score if np.isfinite(self.best_score) else None,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "worse": self.validations_without_gain,
            "seconds": self.seconds,
        }

    def resume(self, snapshot: Snapshot) -> None:
        best = snapshot.validation_state["best"]
        self.best_score = -np.inf if best is None else float(best)
        self.best_epoch = int(snapshot.validation_state["best_epoch"])
        self.epochs, self.validations_without_gain = (
            int(snapshot.validation_state["epochs"]),
            int(snapshot.validation_state["worse"]),
        )
        self._start_time = time.monotonic() - float(snapshot.validation_state["seconds"])
        self.best_weights = snapshot.best_weights
