"""Prints by how many bytes this process grows when it loads and runs a .tflite model.

Run as a program, so that nothing else has grown the process before::

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
"""Answers that are fetched, each for another history."""


def measure_memory_growth(path: str) -> int:
    """Peak memory in bytes after `RUNS` answers, less the peak before the model was loaded.

    Raises:
        UserError: The model is refused, or the system does not tell the peak.
    """
    reset_peak()
    before = read_peak_bytes()
    model = TFLiteModel(path)
    for run in range(NUM_RUNS):
        # Any ids do: those beyond the catalogue count as padding.
        model.recommend(np.arange(run + 1, run + 1 + model.max_length, dtype=np.int32))
    return read_peak_bytes() - before


def reset_peak() -> None:
    """Makes what is used now the peak: importing used more for a moment than it kept."""
    # Where it fails (not Linux, a strict container) the growth comes out a little too small.
    with contextlib.suppress(OSError):
        # "5" resets VmHWM; see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5")


def read_peak_bytes() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError as error:  # Windows
        raise UserError("this system does not tell the peak memory of a process") from error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes where the others count kilobytes.
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    try:
        print(measure_memory_growth(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error).splitlines()[0])
