"""Magnitude pruning of a student's dense core while it learns.

Zhu & Gupta, "To prune, or not to prune" (2017), through TensorFlow Model Optimization. It
refuses subclass models as a whole, so what is wrapped is the student's `core`, a Sequential of
dense layers. The order matters: wrap, create the weights, `fit`, strip.
"""

from __future__ import annotations

from kd_tf.backend import keras, tfmot
from kd_tf.models.base import HistoryModel

_sparsity = tfmot.sparsity.keras


def wrap_core(student: HistoryModel, *, sparsity: float, begin_step: int, end_step: int) -> None:
    """Makes training zero the smallest weights of the student's core, more and more of them.

    The share of zeros follows tfmot's polynomial schedule from 0 at `begin_step` to `sparsity`
    at `end_step` and stays there. Train with `callbacks`, then call `strip_core`.

    Args:
        student: Built, with a Sequential `core`.
        sparsity: Share of zeros in each kernel at the end, above 0 and below 1.
        begin_step: First training step that prunes.
        end_step: Step with the final sparsity, after `begin_step`.

    Raises:
        ValueError: A number is out of range, or the student has no such core.
    """
    if not 0 < sparsity < 1:
        raise ValueError(f"sparsity must be above 0 and below 1, not {sparsity}")
    if not 0 <= begin_step < end_step:
        raise ValueError(f"0 <= begin_step < end_step is needed, not {begin_step}, {end_step}")
    schedule = _sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=begin_step,
        end_step=end_step,
        # Often enough for a short training: some hundred updates are too many, ten too few.
        frequency=max((end_step - begin_step) // 50, 1),
    )
    student.core = _sparsity.prune_low_magnitude(_get_core(student), pruning_schedule=schedule)
    # The wrappers' own variables must exist before `fit`, or tfmot has no step to count.
    student.create_weights()


def make_callbacks() -> list[keras.callbacks.Callback]:
    """What `fit` needs while a core is wrapped."""
    return [_sparsity.UpdatePruningStep()]


def is_wrapped(student: HistoryModel) -> bool:
    """Whether the student's core, if it has one, is wrapped for pruning."""
    core = getattr(student, "core", None)
    return any(hasattr(layer, "pruning_step") for layer in getattr(core, "layers", ()))


def strip_core(student: HistoryModel) -> None:
    """Takes the pruning wrappers off; the zeros stay.

    Raises:
        ValueError: The core is not wrapped.
    """
    core = _get_core(student)
    if not is_wrapped(student):
        raise ValueError(f"the core of {student.name} is not wrapped for pruning")
    student.core = _sparsity.strip_pruning(core)


def compute_core_sparsity(student: HistoryModel) -> float:
    """Share of zeros in the kernels of the student's core, 0 to 1."""
    kernels = [
        getattr(layer, "layer", layer).kernel.numpy()
        for layer in _get_core(student).layers
        if hasattr(getattr(layer, "layer", layer), "build_kernel")
    ]
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    return zeros / sum(kernel.size for kernel in kernels)


def _get_core(student: HistoryModel) -> keras.Sequential:
    core = getattr(student, "core", None)
    if not isinstance(core, keras.Sequential):
        raise ValueError(
            f"{type(student).__name__} has no `core`, a Sequential of dense layers to prune"
        )
    return core
