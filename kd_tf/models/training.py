"""One way to fit a teacher or a Distiller: schedule, validation, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kd_tf.errors import UserError
from kd_tf.keras import keras, tf
from kd_tf.models import randomness
from kd_tf.models.unfinished import Snapshot, Unfinished
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


class DivergedError(UserError):
    """The loss is no longer a number; the model has the best weights from before."""


class Stream(Protocol):
    """Batches of a training (`kd_tf.data.batches.Batches`)."""

    @property
    def steps(self) -> int:
        """Steps an epoch."""

    def stream(self, first: int = 0) -> tf.data.Dataset:
        """Endless batches from step `first` on."""


def train(
    model: keras.Model,
    batches: Stream,
    *,
    schedule: Schedule,
    validate: Callable[[], float],
    choose_from_epoch: int = 1,
    keep_start: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    unfinished: Unfinished | None = None,
    label: str,
    progress: Progress,
) -> Training:
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
    if choose_from_epoch > schedule.epochs:
        raise ValueError(
            f"choose_from_epoch is {choose_from_epoch}, but there are only {schedule.epochs} epochs"
        )
    total = schedule.epochs * batches.steps
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
    learning = getattr(model, "learning_variables", model.trainable_variables)
    model.optimizer.build(learning)
    variables = [*model.variables, *model.optimizer.variables, randomness.state()]
    judge = _Judge(model, validate, schedule, choose_from_epoch)
    done = 0
    found = unfinished.read() if unfinished else None
    if found is not None:
        found.assign(variables)
        judge.go_on(found)
        done = found.step
        progress.say(f"{label}: goes on after {done:,} of {total:,} steps")
    elif keep_start:
        judge.judge(0)

    def snapshot() -> Snapshot:
        numbers = [variable.numpy() for variable in variables]
        return Snapshot(done, numbers, judge.weights, judge.state())

    steps = iter(batches.stream(done))
    step = model.make_train_function()
    called = keras.callbacks.CallbackList([*callbacks], model=model)
    called.on_train_begin()
    first, within = divmod(done, batches.steps)
    with progress.task(label, schedule.epochs) as advance:
        advance(first)
        for epoch in range(first, schedule.epochs):
            called.on_epoch_begin(epoch)
            if not within:
                model.reset_metrics()
            logs: dict[str, tf.Tensor] = {}
            for number in range(within, batches.steps):
                called.on_train_batch_begin(number)
                logs = step(steps)
                called.on_train_batch_end(number, logs)
                done += 1
                if not np.isfinite(float(logs["loss"])):
                    judge.restore()
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
                if unfinished and number + 1 < batches.steps:
                    unfinished.write_if_due(snapshot)
            within = 0
            called.on_epoch_end(epoch)
            judge.after(epoch + 1)
            advance(1, f"loss {float(logs['loss']):.3f}, validation {max(judge.best, 0):.4f}")
            if judge.is_over:
                break
            if unfinished:
                unfinished.write_if_due(snapshot)
    called.on_train_end()
    judge.restore()
    if unfinished:
        unfinished.discard()
    return Training(judge.epochs, judge.best_epoch, judge.best, judge.seconds)


class _Judge:
    """Validates after epochs, keeps the best weights, and says when it is time to stop."""

    def __init__(
        self,
        model: keras.Model,
        validate: Callable[[], float],
        schedule: Schedule,
        choose_from_epoch: int,
    ) -> None:
        self._model, self._validate, self._schedule = model, validate, schedule
        self._choose_from_epoch = choose_from_epoch
        self._begin = time.monotonic()
        self.best, self.best_epoch, self.epochs, self.worse = -np.inf, 0, 0, 0
        self.weights: list[np.ndarray] = model.get_weights()

    @property
    def is_over(self) -> bool:
        return self.worse >= self._schedule.patience

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begin

    def after(self, epochs: int) -> None:
        self.epochs = epochs
        due = epochs % self._schedule.validate_every == 0 or epochs == self._schedule.epochs
        if epochs >= self._choose_from_epoch and due:
            self.judge(epochs)

    def judge(self, epoch: int) -> None:
        value = self._validate()
        if value > self.best:
            self.best, self.best_epoch, self.worse = value, epoch, 0
            self.weights = self._model.get_weights()
        else:
            self.worse += 1

    def restore(self) -> None:
        self._model.set_weights(self.weights)

    def state(self) -> dict[str, float | None]:
        return {
            "best": self.best if np.isfinite(self.best) else None,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "worse": self.worse,
            "seconds": self.seconds,
        }

    def go_on(self, found: Snapshot) -> None:
        best = found.judged["best"]
        self.best = -np.inf if best is None else float(best)
        self.best_epoch = int(found.judged["best_epoch"])
        self.epochs, self.worse = int(found.judged["epochs"]), int(found.judged["worse"])
        self._begin = time.monotonic() - float(found.judged["seconds"])
        self.weights = found.best
