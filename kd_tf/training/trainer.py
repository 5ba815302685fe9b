"""The training loop of teachers and Distillers: schedule, validation, early stopping, resume."""

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
    """Length and learning rate of a training.

    Attributes:
        epochs: Maximum number of passes over the users.
        batch_size: Users per step.
        learning_rate: Peak learning rate of Adam. It warms up linearly over the first 5 % of the
            steps and then decays to 0 along a half cosine.
        validate_every: Epochs between two validations.
        patience: Validations without improvement before training stops early.

    Example:
        >>> Schedule(epochs=20, batch_size=256, learning_rate=1e-3).patience
        5
    """

    epochs: int
    batch_size: int
    learning_rate: float
    validate_every: int = 2
    patience: int = 5


@dataclass(frozen=True)
class TrainingResult:
    """Summary of a finished training.

    Attributes:
        epochs: Number of epochs that were run.
        best_epoch: The epoch whose weights were kept, from 1; 0 means the initial weights.
        best_score: The validation score of those weights.
        seconds: Wall time in seconds, including validation.
    """

    epochs: int
    best_epoch: int
    best_score: float
    seconds: float


class DivergedError(UserError):
    """The loss is no longer finite; the model has the best weights from before."""


class BatchSource(Protocol):
    """A source of training batches, such as `kd_tf.data.examples.batches.Batches`."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch."""

    def stream(self, first_step: int = 0) -> tf.data.Dataset:
        """Returns endless batches from step `first_step` on."""


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
    """Trains `model` and leaves it with the weights of the best validation score.

    Args:
        model: The model, with its weights created; it is compiled here.
        batches: The training batches.
        schedule: Length and learning rate.
        validate: Returns the validation score, higher is better.
        start_from_epoch: Weights of earlier epochs are never kept (during pruning the weights do
            not have their final sparsity yet).
        include_initial_weights: True validates the initial weights as epoch 0, and keeps them if no
            epoch is better.
        callbacks: Keras callbacks, called at the begin and end of steps and epochs.
        resume_folder: Folder for snapshots. If it has one of an interrupted training with the same
            key, training resumes there and ends with the same weights as without interruption.
        label: Label of the progress bar.
        progress: Reports progress.

    Returns:
        A summary of the training.

    Raises:
        ValueError: `start_from_epoch` is later than the last epoch.
        DivergedError: The loss is no longer finite. The model is left with the best weights so far,
            or with its initial weights.
    """
    if start_from_epoch > schedule.epochs:
        raise ValueError(
            f"start_from_epoch is {start_from_epoch}, but there are only {schedule.epochs} epochs"
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
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables, rng.get_state()]
    early_stopping = _EarlyStopping(model, validate, schedule, start_from_epoch)
    done = 0
    snapshot = resume_folder.read() if resume_folder else None
    if snapshot is not None:
        snapshot.restore(variables)
        early_stopping.resume(snapshot)
        done = snapshot.step
        progress.info(f"{label}: resumed at step {done:,} of {total:,}")
    elif include_initial_weights:
        early_stopping.validate(0)

    def take_snapshot() -> Snapshot:
        values = [variable.numpy() for variable in variables]
        return Snapshot(done, values, early_stopping.best_weights, early_stopping.get_state())

    iterator = iter(batches.stream(done))
    train_step = model.make_train_function()
    callback_list = keras.callbacks.CallbackList([*callbacks], model=model)
    callback_list.on_train_begin()
    first_epoch, first_step = divmod(done, batches.steps_per_epoch)
    with progress.task(label, schedule.epochs) as advance:
        advance(first_epoch)
        for epoch in range(first_epoch, schedule.epochs):
            callback_list.on_epoch_begin(epoch)
            if not first_step:
                model.reset_metrics()
            logs: dict[str, tf.Tensor] = {}
            for step in range(first_step, batches.steps_per_epoch):
                callback_list.on_train_batch_begin(step)
                logs = train_step(iterator)
                callback_list.on_train_batch_end(step, logs)
                done += 1
                if not np.isfinite(float(logs["loss"])):
                    early_stopping.restore_best_weights()
                    raise DivergedError(
                        f"{label}: training stopped because the loss is {float(logs['loss'])} in "
                        f"step {step + 1} of epoch {epoch + 1}",
                        hint=(
                            f"The best weights so far, of epoch {early_stopping.best_epoch}, are "
                            "kept. "
                            if early_stopping.best_epoch
                            else "The initial weights are kept. "
                        )
                        + "Lower the learning rate or the weight of a distillation loss.",
                    )
                if resume_folder and step + 1 < batches.steps_per_epoch:
                    resume_folder.write_if_due(take_snapshot)
            first_step = 0
            callback_list.on_epoch_end(epoch)
            early_stopping.end_epoch(epoch + 1)
            best_score = max(early_stopping.best_score, 0)
            advance(1, f"loss {float(logs['loss']):.3f}, best validation score {best_score:.4f}")
            if early_stopping.should_stop:
                break
            if resume_folder:
                resume_folder.write_if_due(take_snapshot)
    callback_list.on_train_end()
    early_stopping.restore_best_weights()
    if resume_folder:
        resume_folder.discard()
    return TrainingResult(
        early_stopping.epochs,
        early_stopping.best_epoch,
        early_stopping.best_score,
        early_stopping.seconds,
    )


class _EarlyStopping:
    """Validates after epochs, keeps the best weights and decides when to stop."""

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
        self.best_score, self.best_epoch = -np.inf, 0
        self.epochs, self.validations_without_gain = 0, 0
        self.best_weights: list[np.ndarray] = model.get_weights()

    @property
    def should_stop(self) -> bool:
        """Whether the patience of the schedule is used up."""
        return self.validations_without_gain >= self._schedule.patience

    @property
    def seconds(self) -> float:
        """Seconds since the start of the training, interruptions excluded."""
        return time.monotonic() - self._start_time

    def end_epoch(self, epochs: int) -> None:
        self.epochs = epochs
        """Validates if it is due after this number of epochs."""
        is_due = epochs % self._schedule.validate_every == 0 or epochs == self._schedule.epochs
        if epochs >= self._start_from_epoch and is_due:
            self.validate(epochs)

    def validate(self, epoch: int) -> None:
        """Validates the current weights and keeps them if they are the best so far."""
        score = self._validate()
        if score > self.best_score:
            self.best_score, self.best_epoch, self.validations_without_gain = score, epoch, 0
            self.best_weights = self._model.get_weights()
        else:
            self.validations_without_gain += 1

    def restore_best_weights(self) -> None:
        """Sets the weights of the model to the best ones so far."""
        self._model.set_weights(self.best_weights)

    def get_state(self) -> dict[str, float | None]:
        """Returns the state for a snapshot, as JSON; the best weights are saved separately."""
        return {
            "best_score": self.best_score if np.isfinite(self.best_score) else None,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "validations_without_gain": self.validations_without_gain,
            "seconds": self.seconds,
        }

    def resume(self, snapshot: Snapshot) -> None:
        """Restores the state that `get_state` saved in a snapshot."""
        state = snapshot.validation_state
        self.best_score = -np.inf if state["best_score"] is None else float(state["best_score"])
        self.best_epoch = int(state["best_epoch"])
        self.epochs = int(state["epochs"])
        self.validations_without_gain = int(state["validations_without_gain"])
        self._start_time = time.monotonic() - float(state["seconds"])
        self.best_weights = snapshot.best_weights
