"""A training on its way, kept on disk: one that was killed goes on where it was."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from kd_tf import atomic
from kd_tf.backend import tf

STATE_FILE = "state.json"
VARIABLES_FILE = "numbers.npz"
BEST_WEIGHTS_FILE = "best.npz"

MIN_SECONDS_BETWEEN_WRITES = 60.0
"""Between two snapshots at least."""

MAX_TIME_SHARE = 0.05
"""Of the time of a training that snapshots take at most: a large model is stored less often."""


@dataclass(frozen=True)
class Snapshot:
    """What a training needs to go on.

    Attributes:
        step: How many steps were made.
        numbers: Of every variable: the model's, the optimizer's, the generator's, in order.
        best: The weights that validated best so far; empty before the first validation.
        judged: How validation went so far, as JSON.
    """

    step: int
    variables: list[np.ndarray]
    best_weights: list[np.ndarray]
    validation_state: dict[str, Any]

    def restore(self, variables: Sequence[tf.Variable]) -> None:
        """Puts the numbers back.

        Raises:
            ValueError: The variables are not those that were stored.
        """
        shapes = [tuple(one.shape) for one in variables]
        if shapes != [one.shape for one in self.variables]:
            raise ValueError("the snapshot is of another model")
        for variable, value in zip(variables, self.variables, strict=True):
            variable.assign(value)


class ResumeFolder:
    """The folder of one training.

    Args:
        folder: Holds the newest snapshot, written in one step.
        key: All that the training depends on, as JSON: a snapshot of another key is none.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder, self.key = folder, json.loads(json.dumps(key))
        self._next_write_time = time.monotonic() + MIN_SECONDS_BETWEEN_WRITES

    def read(self) -> Snapshot | None:
        """The newest snapshot, None where there is none of this key that can be read."""
        try:
            state = json.loads((self.folder / STATE_FILE).read_text("utf-8"))
            if state["key"] != self.key:
                return None
            return Snapshot(
                int(state["step"]),
                _load_arrays(self.folder / VARIABLES_FILE),
                _load_arrays(self.folder / BEST_WEIGHTS_FILE),
                dict(state["judged"]),
            )
        except (OSError, ValueError, KeyError, TypeError, BadZipFile):
            return None

    def write_if_due(self, take_snapshot: Callable[[], Snapshot]) -> None:
        """Writes a snapshot where the last one is old enough."""
        begin = time.monotonic()
        if begin < self._next_write_time:
            return
        taken = take_snapshot()
        with atomic.replace_directory(self.folder) as new:
            for name, arrays in (
                (VARIABLES_FILE, taken.variables),
                (BEST_WEIGHTS_FILE, taken.best_weights),
            ):
                np.savez(new / name, **{f"{i:06d}": one for i, one in enumerate(arrays)})  # type: ignore[arg-type]
            atomic.write_json(
                new / STATE_FILE,
                {"key": self.key, "step": taken.step, "judged": taken.validation_state},
            )
        end = time.monotonic()
        self._next_write_time = end + max(
            MIN_SECONDS_BETWEEN_WRITES, (end - begin) / MAX_TIME_SHARE
        )

    def discard(self) -> None:
        """Removes the folder: the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _load_arrays(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in sorted(stored.files)]
