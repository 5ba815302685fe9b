"""Snapshots of a running training on disk, from which an interrupted training resumes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.npz import write_npz
from kd_tf.stage_files import read_arrays, read_record

STATE_FILE = "state.json"
VARIABLES_FILE = "variables.npz"
BEST_WEIGHTS_FILE = "best_weights.npz"

MIN_SECONDS_BETWEEN_WRITES = 60.0
"""Minimum time between two snapshots."""

MAX_TIME_SHARE = 0.05
"""Largest share of the training time spent on snapshots: large models are saved less often."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a training after some step.

    Attributes:
        step: Number of finished steps.
        variables: Values of all variables of model, optimizer and random generator, in order.
        best_weights: The weights with the best validation score so far.
        validation_state: State of early stopping, as JSON.

    Example:
        >>> from kd_tf.backend import tf
        >>> weight = tf.Variable([0.0, 0.0])
        >>> Snapshot(10, [np.array([1.0, 2.0])], [], {}).restore([weight])
        >>> weight.numpy()
        array([1., 2.], dtype=float32)
    """

    step: int
    variables: list[np.ndarray]
    best_weights: list[np.ndarray]
    validation_state: dict[str, Any]

    def restore(self, variables: Sequence[tf.Variable]) -> None:
        """Assigns the saved values to `variables`.

        Raises:
            ValueError: The variables differ in number or shape from the saved ones.
        """
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [value.shape for value in self.variables]:
            raise ValueError("the snapshot belongs to another model")
        for variable, value in zip(variables, self.variables, strict=True):
            variable.assign(value)


@dataclass(frozen=True)
class _State:
    """Content of `STATE_FILE`."""

    key: dict[str, Any]
    step: int
    validation_state: dict[str, Any]


class ResumeFolder:
    """The folder with the newest snapshot of one training.

    Args:
        folder: The folder; snapshots are written atomically.
        key: Everything that the training depends on, as JSON. Snapshots with another key are
            ignored.

    Example:
        >>> import tempfile
        >>> folder = ResumeFolder(Path(tempfile.mkdtemp()) / "resume", {"seed": 1})
        >>> folder.read() is None  # nothing to resume from
        True
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder, self.key = folder, json.loads(json.dumps(key))
        self._next_write_time = time.monotonic() + MIN_SECONDS_BETWEEN_WRITES

    def read(self) -> Snapshot | None:
        """Reads the newest snapshot; returns None if there is no readable one with this key."""
        try:
            state = read_record(self.folder / STATE_FILE, _State)
            if state.key != self.key:
                return None
            return Snapshot(
                state.step,
                _load_arrays(self.folder / VARIABLES_FILE),
                _load_arrays(self.folder / BEST_WEIGHTS_FILE),
                state.validation_state,
            )
        except UserError:
            return None

    def write_if_due(self, take_snapshot: Callable[[], Snapshot]) -> None:
        """Writes a snapshot if the last one is old enough."""
        begin = time.monotonic()
        if begin < self._next_write_time:
            return
        snapshot = take_snapshot()
        with atomic.replace_directory(self.folder) as new_folder:
            for name, arrays in (
                (VARIABLES_FILE, snapshot.variables),
                (BEST_WEIGHTS_FILE, snapshot.best_weights),
            ):
                write_npz(new_folder / name, {f"{i:06d}": array for i, array in enumerate(arrays)})
            state = _State(self.key, snapshot.step, snapshot.validation_state)
            atomic.write_json(new_folder / STATE_FILE, asdict(state))
        end = time.monotonic()
        self._next_write_time = end + max(
            MIN_SECONDS_BETWEEN_WRITES, (end - begin) / MAX_TIME_SHARE
        )

    def discard(self) -> None:
        """Deletes the folder after the training has finished."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _load_arrays(path: Path) -> list[np.ndarray]:
    """Loads the arrays of an .npz file in the order in which they were written."""
    arrays = read_arrays(path)
    return [arrays[name] for name in sorted(arrays)]
