"""Reads the file of a run that the bundle gets."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from kd_tf.errors import UserError


class MeasuredFile(Protocol):
    """What the measurements of a file say of it, whatever its task."""

    @property
    def path(self) -> str:
        """Path relative to the run's folder."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that was measured."""


def read_measured_file(folder: Path, artifact: MeasuredFile) -> bytes:
    """Reads a file, and checks that it is the one that was measured.

    Args:
        folder: The run's folder.
        artifact: The measurements.

    Raises:
        UserError: The file is another one now.
    """
    path = folder / artifact.path
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise UserError(
            "the file was changed while the run used it",
            where=str(path),
            hint="Run again: the file is then exported anew.",
        )
    return content
