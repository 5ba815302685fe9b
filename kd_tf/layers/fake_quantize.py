"""Numbers as few bits can hold them."""

from __future__ import annotations

import numpy as np


def fake_quantize(table: np.ndarray, bits: int = 8, *, per_row: bool = False) -> np.ndarray:
    """float32 [n, d] on a grid of 2^bits - 1 even steps around 0.

    Args:
        table: float32 [n, d].
        bits: 2 to 8.
        by_row: One scale a row instead of one for all.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be in 2..8, not {bits}")
    largest = np.abs(table).max(axis=1 if per_row else None, keepdims=True)
    step = np.maximum(largest / (2 ** (bits - 1) - 1), 1e-30)
    return np.asarray(np.round(table / step) * step, np.float32)
