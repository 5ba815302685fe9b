"""The forms in which a file stores its weights and computes."""

from __future__ import annotations

from enum import Enum


class Quantization(Enum):
    """How a file stores its weights and computes with them; the value is the name in reports.

    Example:
        >>> Quantization("dynamic-int8").bytes_per_weight
        1
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_INT8 = "dynamic-int8"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def bytes_per_weight(self) -> int:
        """Bytes per weight in the file, at most."""
        return {"float32": 4, "float16": 2}.get(self.value, 1)
