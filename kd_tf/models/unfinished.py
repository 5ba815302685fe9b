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
from kd_tf.keras import tf

STATE_FILE = "state.json"
NUMBERS_FILE = "numbers.npz"
BEST_FILE = "best.npz"

SECONDS = 60.0
"""Between two snapshots at least."""

SHARE = 0.05
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
    numbers: list[np.ndarray]
    best: list[np.ndarray]
    judged: dict[str, Any]

    def assign(self, variables: Sequence[tf.Variable]) -> None:
        """Puts the numbers back.

        Raises:
            ValueError: The variables are not those that were stored.
        """
        shapes = [tuple(one.shape) for one in variables]
        if shapes != [one.shape for one in self.numbers]:
            raise ValueError("the snapshot is of another model")
        for variable, value in zip(variables, self.numbers, strict=True):
            variable.assign(value)


class Unfinished:
    """The folder of one training.

    Args:
        folder: Holds the newest snapshot, written in one step.
        key: All that the training depends on, as JSON: a snapshot of another key is none.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder, self.key = folder, json.loads(json.dumps(key))
        self._next = time.monotonic() + SECONDS

    def read(self) -> Snapshot | None:
        """The newest snapshot, None where there is none of this key that can be read."""
        try:
            state = json.loads((self.folder / STATE_FILE).read_text("utf-8"))
            if state["key"] != self.key:
                return None
            return Snapshot(
                int(state["step"]),
                _arrays(self.folder / NUMBERS_FILE),
                _arrays(self.folder / BEST_FILE),
                dict(state["judged"]),
            )
        except (OSError, ValueError, KeyError, TypeError, BadZipFile):
            return None

    def write_if_due(self, snapshot: Callable[[], Snapshot]) -> None:
        """Writes a snapshot where the last one is old enough."""
        begin = time.monotonic()
        if begin < self._next:
            return
        taken = snapshot()
        with atomic.directory(self.folder) as new:
            for name, arrays in ((NUMBERS_FILE, taken.numbers), (BEST_FILE, taken.best)):
                np.savez(new / name, **{f"{i:06d}": one for i, one in enumerate(arrays)})  # type: ignore[arg-type]
            atomic.write_json(
                new / STATE_FILE, {"key": self.key, "step": taken.step, "judged": taken.judged}
            )
        end = time.monotonic()
        self._next = end + max(SECONDS, (end - begin) / SHARE)

    def discard(self) -> None:
        """Removes the folder: the training is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _arrays(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in sorted(stored.files)]
