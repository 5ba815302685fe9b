"""Rounding of float tables to the values that few bits can represent."""

from __future__ import annotations

import numpy as np


def fake_quantize(table: np.ndarray, bits: int = 8, *, per_row: bool = False) -> np.ndarray:
    """Rounds a table to a symmetric grid of 2^bits - 1 evenly spaced values.

    Args:
        table: float32 [n, d].
        bits: 2 to 8.
        per_row: True uses one scale per row instead of one for the whole table.

    Returns:
        float32 [n, d].

    Raises:
        ValueError: `bits` is out of range.

    Example:
        >>> import numpy as np
        >>> fake_quantize(np.array([[0.1, -0.9], [1.5, 0.4]], np.float32), bits=3)
        array([[ 0. , -1. ],
               [ 1.5,  0.5]], dtype=float32)
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be in 2..8, not {bits}")
    max_abs = np.abs(table).max(axis=1 if per_row else None, keepdims=True)
    step = np.maximum(max_abs / (2 ** (bits - 1) - 1), 1e-30)
    return np.asarray(np.round(table / step) * step, np.float32)
