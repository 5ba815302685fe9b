"""A model as a file holds it: what it weighs, and what rounding does to its scores."""

from __future__ import annotations

import numpy as np

from kd_tf.models import checkpoint
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.base import HistoryModel
from kd_tf.models.blend import BlendModel
from kd_tf.models.book_vector import BookVector
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.students.neighbours import NeighboursStudent


def stored_bytes(model: HistoryModel) -> int:
    """Bytes of the weights in an int8 file: tables in one byte a number, the rest as it is."""
    if isinstance(model, BlendModel):
        return sum(stored_bytes(part) for part in model.parts)
    compact = model.compact()
    tables = {id(getattr(compact, name)) for name in compact.tables}
    return sum(
        int(np.prod(weight.shape)) * (1 if id(weight) in tables else weight.dtype.size)
        for weight in checkpoint.stored(compact)
    )


def settled(model: HistoryModel) -> HistoryModel:
    """A copy whose weights lie where a file can hold them, so that packing changes nothing more.

    Neighbours lie on the steps of 4 bits, tables on those of 8 with one scale a table (as the
    converter rounds them), numbers of books among 256 values. Models that learn in training alone
    are given back as they are: their export has several forms to choose from.
    """
    if isinstance(model, BlendModel):
        blend = BlendModel(
            parts=[settled(part) for part in model.parts],
            weights=model.blend_weights,
            powers=model.powers,
        )
        blend.create_weights()
        return blend
    if isinstance(model, NeighboursStudent):
        packed = model.compact()
        return NeighboursStudent.of(
            packed.unpacked(), history_length=model.history_length, prior=packed.prior.numpy()
        )
    if not isinstance(model, (AdditiveModel, FoldInModel)):
        return model
    compact = model.compact()
    plain = type(model).from_config(model.get_config())
    plain.create_weights()
    if isinstance(compact, FoldInModel):
        plain.assign(rounded(compact.factors.numpy()))
    else:
        for name in compact.tables:
            getattr(plain, name).assign(rounded(getattr(compact, name).numpy()))
    for name, vector in vars(compact).items():
        if isinstance(vector, BookVector):
            getattr(plain, name).assign(vector.numpy())
    return plain


def rounded(table: np.ndarray, bits: int = 8, *, by_row: bool = False) -> np.ndarray:
    """float32 [n, d] on a grid of 2^bits - 1 even steps around 0.

    Args:
        table: float32 [n, d].
        bits: 2 to 8.
        by_row: One scale a row instead of one for all.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be in 2..8, not {bits}")
    largest = np.abs(table).max(axis=1 if by_row else None, keepdims=True)
    step = np.maximum(largest / (2 ** (bits - 1) - 1), 1e-30)
    return np.asarray(np.round(table / step) * step, np.float32)
