"""Reads the weights of a .safetensors file, which may be anybody's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.extras import require_modules


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file, as float32 where they are floats.

    The format holds plain numbers: reading it runs no code.

    Raises:
        UserError: The file is damaged, or has a type of numbers that NumPy lacks.
        MissingExtraError: The package safetensors is not installed.
    """
    require_modules("safetensors")
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"not a readable .safetensors file: {error}",
            where=str(path),
            hint="Copy or download the model again; weights in bfloat16 have to be converted.",
        ) from error
    return {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }
