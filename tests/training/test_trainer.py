import contextlib
from dataclasses import dataclass

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.progress import NullProgress
from kd_tf.training.trainer import DivergedError, Schedule, train


class Counter(keras.Model):
    """Its only weight counts the steps it was trained for."""

    def __init__(self, losses=(1.0,)) -> None:
        super().__init__()
        self.steps = self.add_weight(name="steps", shape=(), initializer="zeros")
        self.scripted_losses = tf.constant(losses)
        self.rates: list[float] = []

    def train_step(self, data):
        batch = tf.cast(self.steps, tf.int32)
        self.steps.assign_add(1.0)
        self.optimizer.minimize(lambda: 0.0 * self.steps, [self.steps])
        rate = self.optimizer.learning_rate  # that of the step just made
        tf.py_function(lambda value: self.rates.append(float(value)), [rate], [])
        return {"loss": self.scripted_losses[tf.minimum(batch, len(self.scripted_losses) - 1)]}


@dataclass(frozen=True)
class Nothing:
    """Batches without anything in them."""

    steps_per_epoch: int

    def stream(self, first_step=0):
        return tf.data.Dataset.from_tensors(0).repeat()


def trained(figures, *, epochs=6, every=1, patience=99, steps=2, model=None, **settings):
    """Trains a `Counter` whose n-th validation gives the n-th figure."""
    model = model or Counter()
    script = iter(figures)
    seen: list[int] = []

    def validate() -> float:
        seen.append(int(model.steps.numpy()) // steps)
        return next(script)

    training = train(
        model,
        Nothing(steps),
        schedule=Schedule(
            epochs, batch_size=1, learning_rate=0.1, validate_every=every, patience=patience
        ),
        validate=validate,
        label="counting",
        progress=settings.pop("progress", NullProgress()),
        **settings,
    )
    return training, int(model.steps.numpy()) // steps, seen


def test_the_weights_of_the_best_validated_epoch_are_kept():
    training, kept, seen = trained([0.1, 0.3, 0.2, 0.5, 0.4, 0.1])
    assert seen == [1, 2, 3, 4, 5, 6]
    assert (training.epochs, training.best_epoch, training.best_score, kept) == (6, 4, 0.5, 4)
    assert training.seconds > 0


def test_of_equal_figures_the_earliest_epoch_is_kept():
    training, kept, _ = trained([0.1, 0.3, 0.3, 0.3, 0.2, 0.3])
    assert (training.best_epoch, kept) == (2, 2)


def test_a_figure_of_zero_or_below_is_a_figure():
    assert trained([-2.0, -1.0, -3.0], epochs=3)[:2][1] == 2
    assert trained([0.0, 0.0], epochs=2)[0].best_epoch == 1


def test_validation_comes_every_few_epochs_and_after_the_last():
    training, kept, seen = trained([0.1, 0.2, 0.9], epochs=5, every=2)
    assert seen == [2, 4, 5]
    assert (training.best_epoch, kept) == (5, 5)


def test_training_stops_after_so_many_validations_without_a_new_best():
    training, kept, seen = trained([0.3, 0.2, 0.4, 0.1, 0.2, 0.9], patience=2)
    assert seen == [1, 2, 3, 4, 5]  # the new best at 3 starts the count anew
    assert (training.epochs, training.best_epoch, kept) == (5, 3, 3)


def test_epochs_before_the_first_candidate_are_not_evaluated():
    training, kept, seen = trained([0.2, 0.1], epochs=4, start_from_epoch=3)
    assert seen == [3, 4]
    assert (training.best_epoch, kept) == (3, 3)


def test_an_epoch_to_choose_from_that_never_comes_is_refused_before_any_training():
    model = Counter()
    with pytest.raises(ValueError, match="start_from_epoch"):
        trained([], epochs=4, start_from_epoch=5, model=model)
    assert model.steps.numpy() == 0


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_longer_finite_stops_at_once_and_leaves_the_best_weights(loss):
    model = Counter(losses=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, loss))
    with pytest.raises(DivergedError, match=r"step 1 of epoch 4") as stopped:
        trained([0.1, 0.3, 0.2], model=model)
    assert "epoch 2" in stopped.value.hint
    assert model.steps.numpy() == 4


def test_a_loss_that_is_never_finite_leaves_the_weights_of_the_begin():
    model = Counter(losses=(float("nan"),))
    with pytest.raises(DivergedError, match=r"step 1 of epoch 1"):
        trained([0.1] * 6, model=model)
    assert model.steps.numpy() == 0


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    model = Counter()
    trained([0.1] * 10, epochs=10, steps=10, model=model)
    rates = np.array(model.rates)
    assert len(rates) == 100
    assert rates[0] == 0
    assert rates.argmax() == 5  # a twentieth of the steps
    assert rates.max() == pytest.approx(0.1)
    assert (np.diff(rates[5:]) < 0).all()
    assert rates[-1] < 0.001
    assert rates[52] == pytest.approx(0.05, rel=0.05)  # half a cosine is half-way in the middle


def test_further_callbacks_run_before_the_evaluation():
    class Add(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.steps.assign_add(100.0)

    model = Counter()
    *_, seen = trained([0.1], epochs=1, model=model, callbacks=[Add()])
    assert seen == [51]
    assert model.steps.numpy() == 102


def test_progress_hears_of_every_epoch_with_loss_and_figure():
    class Heard(NullProgress):
        def __init__(self) -> None:
            self.notes: list[str] = []
            self.opened: list[tuple[str, int]] = []

        @contextlib.contextmanager
        def task(self, label, total):
            self.opened.append((label, total))
            yield lambda steps=1, note="": self.notes.append(note)

    messages = Heard()
    trained([0.25, 0.125], epochs=2, progress=messages)
    assert messages.opened == [("counting", 2)]
    assert [note for note in messages.notes if note] == [
        "loss 1.000, best validation score 0.2500"
    ] * 2
