"""Prints by how many bytes a process grows when it loads and runs a .tflite model.

Run it as a program, so that nothing else has used memory before::

    python -m kd_tf.runtime.measure.memory MODEL
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.model import TFLiteModel

NUM_RUNS = 100
"""Number of answers, each for another history."""


def measure_memory_growth(path: str) -> int:
    """Measures the growth of peak memory from before loading a model to after `NUM_RUNS` answers.

    Args:
        path: The .tflite file.

    Returns:
        The growth in bytes.

    Raises:
        UserError: The model cannot be loaded, or the system does not report peak memory.
    """
    reset_peak()
    bytes_before = read_peak_bytes()
    model = TFLiteModel(path)
    for run in range(NUM_RUNS):
        # Any ids will do: those above V count as padding.
        model.recommend(np.arange(run + 1, run + 1 + model.max_length, dtype=np.int32))
    return read_peak_bytes() - bytes_before


def reset_peak() -> None:
    """Resets the peak to the memory in use now, because imports briefly use more."""
    # Where this fails (not Linux, a restricted container) the growth is slightly too small.
    with contextlib.suppress(OSError):
        # "5" resets VmHWM; see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5")


def read_peak_bytes() -> int:
    """Reads the peak memory of this process.

    Returns:
        Peak resident memory in bytes.

    Raises:
        UserError: The system does not report it.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError as error:  # Windows
        raise UserError(
            "this system does not report the peak memory of a process",
            hint="Measure on Linux or macOS.",
        ) from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS reports bytes, other systems kilobytes.
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    try:
        print(measure_memory_growth(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error).splitlines()[0])
