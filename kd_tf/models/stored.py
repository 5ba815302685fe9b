"""A model as a file holds it: what it weighs, and what rounding does to its scores."""

from __future__ import annotations

import numpy as np

from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.blend import BlendModel


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


def as_stored(model: HistoryModel) -> HistoryModel:
    """A copy that scores like the int8 file: one scale a table, as the converter rounds it."""
    if isinstance(model, BlendModel):
        return BlendModel(
            parts=[as_stored(part) for part in model.parts],
            weights=model.blend_weights,
            powers=model.powers,
        )
    compact = model.compact()
    if compact is model:
        return model
    for name in compact.tables:
        table = getattr(compact, name)
        table.assign(rounded(table.numpy()))
    return compact


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
