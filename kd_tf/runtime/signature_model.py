"""Runs the signatures of a .tflite file, after it was checked."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from kd_tf.errors import UserError
from kd_tf.runtime.flatbuffer_check import StructureError
from kd_tf.runtime.model_check import check_model, find_weight_types
from kd_tf.runtime.operator_versions import find_min_runtime_version

IDENTIFIER = b"TFL3"
"""The flatbuffer's file identifier: bytes 4 to 7 of every .tflite file."""


class SignatureModel:
    """Base of the .tflite files of all tasks: checks a file, loads it and runs its signatures.

    Safe to share between threads: the interpreter has one set of tensors, so calls are serialized.

    Calls go through LiteRT's signature runner. It checks the input's shape on every call, which
    costs about 1.3 microseconds more than plain set, invoke and get (measured with ai_edge_litert
    2.3 on x86-64). For subgraphs other than the first, LiteRT offers those only as private
    functions.

    Args:
        source: Path of a .tflite file, or its content.
        threads: Number of threads that the interpreter may use for one answer, at least 1.
        name: Where the content is from, for error messages.

    Attributes:
        main_signature: The signature that every file of a subclass has.
        kind: What such a file is, for error messages.
        signatures: Sorted names of the signatures in the file.
        threads: Number of threads.
        min_runtime_version: Oldest TensorFlow Lite release that has all operators of the file.
        weight_types: Types of the constant tensors: ``float32``, ``float16``, ``int8`` and so on.

    Raises:
        UserError: The file is missing, damaged or not a .tflite model, or lacks the signature.
        ValueError: `threads` is less than 1.
    """

    main_signature: str
    kind: str

    def __init__(
        self, source: str | Path | bytes, threads: int = 1, *, name: str | None = None
    ) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.threads = threads
        self._name = name or ("model" if isinstance(source, bytes) else str(source))
        _check_identifier(source, self._name)
        self._lock = threading.Lock()
        self.min_runtime_version, self.weight_types = _check_structure(source, self._name)
        try:
            self._interpreter = open_interpreter(source, threads)
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"the model cannot be loaded: {get_first_line(error)}",
                where=self._name,
                hint="The file is damaged or was made for another runtime. Copy or export it "
                "again.",
            ) from error
        self.signatures: tuple[str, ...] = tuple(sorted(signatures))
        if self.main_signature not in signatures:
            names = ", ".join(self.signatures) or "none"
            raise self._make_contract_error(
                f"it has no signature {self.main_signature} (signatures: {names})"
            )
        self._runners = {
            name: self._interpreter.get_signature_runner(name) for name in self.signatures
        }

    def _call(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a signature; the keywords are the names of its inputs."""
        if signature not in self._runners:
            raise UserError(
                f"this model has no signature {signature}",
                where=self._name,
                hint="Export it again with this version of kd_tf, which writes all signatures.",
            )
        with self._lock:
            return self._run(signature, **inputs)

    def _run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a signature without the lock."""
        try:
            answer: dict[str, np.ndarray] = self._runners[signature](**inputs)
        except RuntimeError as error:
            raise self._make_run_error(signature, error) from error
        return answer

    def _make_run_error(self, signature: str, error: RuntimeError) -> UserError:
        return UserError(
            f"the model failed in {signature}: {get_first_line(error)}",
            where=self._name,
            hint="The file is damaged: its own numbers point outside its tables. Copy or "
            "export it again.",
        )

    def _make_contract_error(self, what: str) -> UserError:
        return UserError(
            f"this .tflite file is not {self.kind}: {what}",
            where=self._name,
            hint="Use a model.tflite that kd_tf exported.",
        )


def open_interpreter(source: str | Path | bytes, threads: int) -> Interpreter:
    """Opens a .tflite file; with a path, it is mapped into memory and not copied."""
    if isinstance(source, bytes):
        return Interpreter(model_content=source, num_threads=threads)
    return Interpreter(model_path=str(source), num_threads=threads)


def _check_identifier(source: str | Path | bytes, name: str) -> None:
    """Checks that a file exists and has the identifier of .tflite files."""
    if isinstance(source, bytes):
        head, size = source[:8], len(source)
    else:
        try:
            with Path(source).open("rb") as file:
                head = file.read(8)
            size = Path(source).stat().st_size
        except OSError as error:
            raise UserError(
                f"the model cannot be read: {error.strerror}",
                where=name,
                hint="Check the path of the .tflite file.",
            ) from error
    if not size:
        raise UserError("the model is empty", where=name, hint="Copy or export it again.")
    if head[4:8] != IDENTIFIER:
        raise UserError(
            "this is not a .tflite model",
            where=name,
            hint=f"A .tflite file has {IDENTIFIER.decode()} at byte 4. This one has {head[4:8]!r}.",
        )


def _check_structure(source: str | Path | bytes, name: str) -> tuple[str, frozenset[str]]:
    """Checks the file before the interpreter, which trusts it, sees it; see `check_model`.

    Returns:
        The oldest runtime that has all operators, and the types of the weights.
    """
    try:
        content: bytes | mmap.mmap
        if isinstance(source, bytes):
            content = source
        else:
            # Without an explicit end: parts of it are held for as long as an error is handled.
            with Path(source).open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        structure = check_model(content)
        return find_min_runtime_version(structure), find_weight_types(structure)
    except StructureError as error:
        raise UserError(
            f"the model cannot be loaded: {error}",
            where=name,
            hint="The file is damaged or was not exported by kd_tf. Copy or export it again.",
        ) from error


def get_first_line(error: Exception) -> str:
    """Returns the first line of an error message."""
    # LiteRT appends everything that it logged; the first line names the cause.
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
