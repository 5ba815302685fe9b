"""The training loop of teachers and Distillers: schedule, validation, early stopping, resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.errors import UserError
from kd_tf.progress import Advance, Progress
from kd_tf.training.optimizer import make_learning_rate
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
    optimizer: keras.optimizers.Optimizer | None = None,
    resume_folder: ResumeFolder | None = None,
    label: str,
    progress: Progress,
) -> TrainingResult:
    """Runs Keras' `fit` and leaves `model` with the weights of the best validation score.

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
        optimizer: The optimizer, with its learning-rate schedule. The default is Adam with the
            learning rate of `schedule`, see there.
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
    if optimizer is None:
        learning_rate = make_learning_rate("cosine", schedule.learning_rate, total)
        optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer=optimizer)
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
    first_epoch, first_step = divmod(done, batches.steps_per_epoch)
    with progress.task(label, schedule.epochs) as advance:
        advance(first_epoch)
        monitor = _TrainingMonitor(
            early_stopping, variables, batches.steps_per_epoch, done, resume_folder, label, advance
        )
        for initial_epoch, epochs, steps in _plan_fits(
            first_epoch, first_step, schedule.epochs, batches.steps_per_epoch
        ):
            if early_stopping.should_stop:
                break
            model.fit(
                batches.stream(monitor.step),
                initial_epoch=initial_epoch,
                epochs=epochs,
                steps_per_epoch=steps,
                callbacks=[*callbacks, monitor],
                verbose=0,
            )
    early_stopping.restore_best_weights()
    if resume_folder:
        resume_folder.discard()
    return TrainingResult(
        early_stopping.epochs,
        early_stopping.best_epoch,
        early_stopping.best_score,
        early_stopping.seconds,
    )


def _plan_fits(
    first_epoch: int, first_step: int, epochs: int, steps_per_epoch: int
) -> list[tuple[int, int, int]]:
    """Splits the rest of a training into calls of `fit`: the rest of an epoch, then whole ones.

    Returns:
        Initial epoch, last epoch and steps per epoch of each call.
    """
    plan = []
    if first_step:
        plan.append((first_epoch, first_epoch + 1, steps_per_epoch - first_step))
        first_epoch += 1
    if first_epoch < epochs:
        plan.append((first_epoch, epochs, steps_per_epoch))
    return plan


class _TrainingMonitor(keras.callbacks.Callback):
    """Watches the loss, validates, writes snapshots and reports progress during `fit`.

    Args:
        early_stopping: Validates, and keeps the best weights.
        variables: All that a snapshot saves.
        steps_per_epoch: Number of steps per epoch.
        step: Number of steps that are done.
        resume_folder: Where snapshots are written; None writes none.
        label: Label of the progress bar, for messages.
        advance: Reports finished epochs.
    """

    def __init__(
        self,
        early_stopping: _EarlyStopping,
        variables: Sequence[tf.Variable],
        steps_per_epoch: int,
        step: int,
        resume_folder: ResumeFolder | None,
        label: str,
        advance: Advance,
    ) -> None:
        super().__init__()
        self._early_stopping, self._variables = early_stopping, variables
        self._steps_per_epoch, self.step = steps_per_epoch, step
        self._resume_folder, self._label, self._advance = resume_folder, label, advance

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the loss, and writes a snapshot in the midst of an epoch if one is due."""
        self.step += 1
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            self._raise_diverged(loss)
        if self.step % self._steps_per_epoch:
            self._write_snapshot_if_due()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validates, reports, and stops the training where it gains nothing any more."""
        self._early_stopping.end_epoch(epoch + 1)
        best_score = max(self._early_stopping.best_score, 0)
        loss = float((logs or {})["loss"])
        self._advance(1, f"loss {loss:.3f}, best validation score {best_score:.4f}")
        if self._early_stopping.should_stop:
            self.model.stop_training = True
        else:
            self._write_snapshot_if_due()

    def _write_snapshot_if_due(self) -> None:
        if self._resume_folder:
            self._resume_folder.write_if_due(self._take_snapshot)

    def _take_snapshot(self) -> Snapshot:
        values = [variable.numpy() for variable in self._variables]
        return Snapshot(
            self.step, values, self._early_stopping.best_weights, self._early_stopping.get_state()
        )

    def _raise_diverged(self, loss: float) -> NoReturn:
        self._early_stopping.restore_best_weights()
        epoch, step = divmod(self.step - 1, self._steps_per_epoch)
        best_epoch = self._early_stopping.best_epoch
        weights = (
            f"The best weights so far, of epoch {best_epoch}, are kept. "
            if best_epoch
            else "The initial weights are kept. "
        )
        raise DivergedError(
            f"{self._label}: training stopped because the loss is {loss} in step {step + 1} of "
            f"epoch {epoch + 1}",
            hint=f"{weights}Lower the learning rate or the weight of a distillation loss.",
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
