"""Prunes the small weights of a student's dense core during training (magnitude pruning).

Zhu & Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression"
(2017), through TensorFlow Model Optimization (tfmot). tfmot does not accept subclassed models, so
only the student's `core`, a Sequential of dense layers, is wrapped. The order is: `wrap_core`,
``fit`` with `make_callbacks`, `strip_core`.
"""

from __future__ import annotations

from typing import Any

from kd_tf.backend import keras, tfmot
from kd_tf.models.trainable import TrainableModel

_sparsity = tfmot.sparsity.keras


def wrap_core(student: TrainableModel, *, sparsity: float, begin_step: int, end_step: int) -> None:
    """Wraps the student's core so that training sets its smallest weights to zero.

    The fraction of zeros follows tfmot's polynomial schedule from 0 at `begin_step` to `sparsity`
    at `end_step` and stays there. Train with `make_callbacks`, then call `strip_core`.

    Args:
        student: A built student with a Sequential `core`.
        sparsity: Final fraction of zeros in each kernel, above 0 and below 1.
        begin_step: First training step that prunes.
        end_step: Step with the final sparsity, after `begin_step`.

    Raises:
        ValueError: A number is out of range, or the student has no such core.
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"sparsity must be above 0 and below 1, not {sparsity}")
    if not 0 <= begin_step < end_step:
        raise ValueError(f"must be 0 <= begin_step < end_step, not {begin_step} and {end_step}")
    schedule = _sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=begin_step,
        end_step=end_step,
        # About 50 updates: hundreds are too many for a short training, ten are too few.
        frequency=max((end_step - begin_step) // 50, 1),
    )
    student.core = _sparsity.prune_low_magnitude(_get_core(student), pruning_schedule=schedule)
    # The wrappers' variables must exist before `fit`, or tfmot has no step counter.
    student.create_weights()


def make_callbacks() -> list[keras.callbacks.Callback]:
    """Makes the callbacks that `fit` needs while a core is wrapped."""
    return [_sparsity.UpdatePruningStep()]


def is_wrapped(student: TrainableModel) -> bool:
    """Returns whether the student has a core that is wrapped for pruning."""
    core = getattr(student, "core", None)
    return any(hasattr(layer, "pruning_step") for layer in getattr(core, "layers", ()))


def strip_core(student: TrainableModel) -> None:
    """Removes the pruning wrappers; the zeros stay.

    Raises:
        ValueError: The core is not wrapped.
    """
    core = _get_core(student)
    if not is_wrapped(student):
        raise ValueError(
            f"the core of {student.name} is not wrapped for pruning: call wrap_core first"
        )
    student.core = _sparsity.strip_pruning(core)


def compute_core_sparsity(student: TrainableModel) -> float:
    """Computes the fraction of zeros in the kernels of the student's core, 0 to 1."""
    # A wrapped layer is the `layer` of its pruning wrapper.
    layers = [getattr(layer, "layer", layer) for layer in _get_core(student).layers]
    kernels = [layer.kernel.numpy() for layer in layers if hasattr(layer, "kernel")]
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    return float(zeros / sum(kernel.size for kernel in kernels))


def _get_core(student: TrainableModel) -> keras.Sequential:
    core = getattr(student, "core", None)
    if not isinstance(core, keras.Sequential):
        raise ValueError(
            f"cannot prune a {type(student).__name__}: it has no `core`, a Sequential of dense "
            "layers"
        )
    return core


class Pruning(keras.callbacks.Callback):
    """Prunes the student's dense core during `fit`, and removes the wrappers at its end.

    Give it to the `fit` of a `Distiller` or of a student. The best epoch can only be one after the
    final sparsity is reached: with EarlyStopping or ModelCheckpoint set ``start_from_epoch``.

    Args:
        sparsity: Share of zeros in each kernel of the core at the end, above 0 and below 1.
        begin: Share of the training after which pruning starts.
        end: Share of the training after which the final sparsity is reached.

    Raises:
        ValueError: A number is out of range; at the begin of `fit`: the student has no such core.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> student = kd.models.MLPStudent(split.num_items, max_length=10, embedding_dim=4)
        >>> student.compile(optimizer="adam")
        >>> history = student.fit(
        ...     split.train, epochs=2, verbose=0, callbacks=[kd.callbacks.Pruning(sparsity=0.5)]
        ... )
        >>> round(compute_core_sparsity(student), 1)
        0.5
    """

    runs_last = True
    """After callbacks that restore weights, which are those of the wrapped core."""

    def __init__(self, sparsity: float, *, begin: float = 0.2, end: float = 0.8) -> None:
        super().__init__()
        if not 0 < sparsity < 1 or not 0 <= begin < end <= 1:
            raise ValueError(
                "sparsity must be in (0, 1) and 0 <= begin < end <= 1, not "
                f"{sparsity}, {begin} and {end}"
            )
        self.sparsity, self.begin, self.end = sparsity, begin, end
        self._update = _sparsity.UpdatePruningStep()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Wraps the core, before the first step is traced."""
        # The student of a Distiller, or the model itself.
        self._student = getattr(self.model, "student", None) or self.model
        steps = self.params["epochs"] * self.params["steps"]
        begin_step = int(steps * self.begin)
        wrap_core(
            self._student,
            sparsity=self.sparsity,
            begin_step=begin_step,
            end_step=max(int(steps * self.end), begin_step + 1),
        )
        # A step that an earlier `fit` traced knows nothing of the wrappers.
        self.model.make_train_function(force=True)
        self._update.set_model(self.model)
        self._update.on_train_begin()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the wrappers the step."""
        self._update.on_train_batch_begin(batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Applies the masks to the weights."""
        self._update.on_epoch_end(epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Removes the wrappers; the zeros stay until the student is trained without pruning."""
        strip_core(self._student)
        self.model.train_function = None
