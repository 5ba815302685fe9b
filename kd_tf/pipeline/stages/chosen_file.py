"""Chooses the file of a run that the bundle gets, and reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from kd_tf.errors import UserError


class MeasuredFile(Protocol):
    """What the measurements of a file say of it, whatever its task."""

    @property
    def name(self) -> str:
        """Name of its quantization."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def path(self) -> str:
        """Path relative to the run's folder."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that was measured."""


File = TypeVar("File", bound=MeasuredFile)


def choose_file(
    files: Sequence[File],
    quantization: str,
    get_score: Callable[[File], float],
    compute_least_score: Callable[[float], float],
) -> File:
    """Returns the file of a quantization, or with ``auto`` the smallest that is good enough.

    Args:
        files: The files of a run.
        quantization: ``export.bundle_quantization``.
        get_score: Returns the validation score of a file.
        compute_least_score: Returns the least score that is good enough, from the best one.

    Raises:
        UserError: The run left out the quantization of the settings.
    """
    if quantization == "auto":
        least_score = compute_least_score(max(map(get_score, files)))
        return min(
            (file for file in files if get_score(file) >= least_score), key=lambda file: file.bytes
        )
    for file in files:
        if file.name == quantization:
            return file
    raise UserError(
        f"this run has no {quantization} file: it did not answer like the student, or the student "
        "does not support it",
        where="export.bundle_quantization",
        hint=f"Use one of auto, {', '.join(file.name for file in files)}.",
    )


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
