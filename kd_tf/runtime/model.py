"""Runs a .tflite recommender in Python: histories of model ids in, ids and scores out."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.flatbuffer_check import StructureError
from kd_tf.runtime.model_check import check_model, find_weight_types
from kd_tf.runtime.operator_versions import find_min_runtime_version

IDENTIFIER = b"TFL3"
"""The flatbuffer's file identifier: bytes 4 to 7 of every .tflite file."""

ROWS_PER_LOCK = 256
"""Number of histories for which `recommend_all` holds the lock before other threads continue."""


class TFLiteModel:
    """A .tflite file with the signatures of contract version 1.

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
        signatures: Sorted names of the signatures in the file.
        max_length: L, the number of items of a history that the model sees.
        k: K, the number of recommendations of one call.
        candidates: C, the number of items that ``score`` takes at once; 0 without ``score``.
        threads: Number of threads.
        min_runtime_version: Oldest TensorFlow Lite release that has all operators of the file.
        weight_types: Types of the constant tensors: ``float32``, ``float16``, ``int8`` and so on.

    Raises:
        UserError: The file is missing, damaged or not a .tflite model, needs operators that this
            interpreter lacks, or does not follow the contract.
        ValueError: `threads` is less than 1.

    Example:
        >>> model = TFLiteModel("bundle/model.tflite")  # doctest: +SKIP
        >>> ids, scores = model.recommend(
        ...     pad_history([17, 4], model.max_length)
        ... )  # doctest: +SKIP
    """

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
            if isinstance(source, bytes):
                self._interpreter = Interpreter(model_content=source, num_threads=threads)
            else:
                # With a path, the file is mapped into memory and not copied.
                self._interpreter = Interpreter(model_path=str(source), num_threads=threads)
            signatures = self._interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"the model cannot be loaded: {_get_first_line(error)}",
                where=self._name,
                hint="The file is damaged or was made for another runtime. Copy or export it "
                "again.",
            ) from error
        self.signatures: tuple[str, ...] = tuple(sorted(signatures))
        if "recommend" not in signatures:
            names = ", ".join(self.signatures) or "none"
            raise self._make_contract_error(f"it has no signature recommend (signatures: {names})")
        self._runners = {
            name: self._interpreter.get_signature_runner(name) for name in self.signatures
        }
        self._recommend = self._runners["recommend"]
        self.max_length = self._read_max_length()
        self.k = self._read_k()
        self.candidates = self._read_num_candidates()
        self._try_signatures()

    def recommend(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Recommends items for a user with this history.

        Args:
            history: int32 [L] or [1, L], model ids, oldest first, padded with 0 at the end; see
                `pad_history`.

        Returns:
            Ids int32 [K], best first, and their scores float32 [K].

        Raises:
            ValueError: The history has a wrong shape or dtype.
        """
        row = self._check_rows(history.reshape(1, -1) if history.ndim == 1 else history)
        if len(row) != 1:
            raise ValueError(f"recommend takes one history, not {len(row)}: use recommend_all")
        with self._lock:
            answer = self._run("recommend", history=row)
        return answer["ids"][0], answer["scores"][0]

    def recommend_all(
        self, histories: np.ndarray, *, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Recommends items for many users, one after the other.

        Args:
            histories: int32 [n, L], each row as for `recommend`.
            progress: Reports progress per history.

        Returns:
            Ids int32 [n, K] and scores float32 [n, K].

        Raises:
            ValueError: The histories have a wrong shape or dtype.
        """
        rows = self._check_rows(histories)
        ids = np.empty((len(rows), self.k), np.int32)
        scores = np.empty((len(rows), self.k), np.float32)
        with (progress or NullProgress()).task("recommend", len(rows)) as advance:
            for begin in range(0, len(rows), ROWS_PER_LOCK):
                end = min(begin + ROWS_PER_LOCK, len(rows))
                with self._lock:
                    for row in range(begin, end):
                        answer = self._run("recommend", history=rows[row : row + 1])
                        ids[row] = answer["ids"][0]
                        scores[row] = answer["scores"][0]
                advance(end - begin)
        return ids, scores

    def similar(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """Finds items similar to an item.

        Args:
            item: Model id of the item.

        Returns:
            Ids int32 [K], most similar first, and their scores float32 [K].

        Raises:
            UserError: The file has no signature ``similar``.
        """
        answer = self._call("similar", book=np.array([item], np.int32))
        return answer["ids"][0], answer["scores"][0]

    def score(self, history: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Scores candidate items for a user with this history.

        Args:
            history: int32 [L] or [1, L], as for `recommend`.
            candidates: int32 [n], any number of model ids; unknown ids score 0.

        Returns:
            Scores float32 [n], comparable to those of `recommend`.

        Raises:
            UserError: The file has no signature ``score``.
            ValueError: The history or the candidates have a wrong shape or dtype.
        """
        row = self._check_rows(history.reshape(1, -1) if history.ndim == 1 else history)
        if candidates.dtype != np.int32 or candidates.ndim != 1:
            raise ValueError(
                f"candidates must be int32 [n], not {candidates.dtype} {list(candidates.shape)}"
            )
        scores = [np.zeros(0, np.float32)]
        C = max(self.candidates, 1)
        for start in range(0, len(candidates), C):
            batch = candidates[start : start + C]
            padded_ids = np.pad(batch, (0, C - len(batch)))[np.newaxis]
            answer = self._call("score", history=row, candidates=padded_ids)
            scores.append(answer["scores"][0, : len(batch)])
        return np.concatenate(scores)

    def explain(self, history: np.ndarray, item: int) -> np.ndarray:
        """Computes how much each item of a history contributes to the score of an item.

        Args:
            history: int32 [L] or [1, L], as for `recommend`.
            item: Model id of the item whose score is explained.

        Returns:
            Contributions float32 [L], 0 for padding.

        Raises:
            UserError: The file has no signature ``explain``.
            ValueError: The history has a wrong shape or dtype.
        """
        row = self._check_rows(history.reshape(1, -1) if history.ndim == 1 else history)
        answer = self._call("explain", history=row, book=np.array([item], np.int32))
        return np.asarray(answer["contributions"][0])

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
            raise UserError(
                f"the model failed in {signature}: {_get_first_line(error)}",
                where=self._name,
                hint="The file is damaged: its own numbers point outside its tables. Copy or "
                "export it again.",
            ) from error
        return answer

    def _read_num_candidates(self) -> int:
        if "score" not in self._runners:
            return 0
        inputs = self._runners["score"].get_input_details()
        shape = list(inputs["candidates"]["shape_signature"]) if "candidates" in inputs else []
        if len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
            raise self._make_contract_error(f"score takes candidates {shape}, not int32 [1, C]")
        return int(shape[1])

    def _check_rows(self, histories: np.ndarray) -> np.ndarray:
        L = self.max_length
        if histories.dtype != np.int32 or histories.ndim != 2 or histories.shape[1] != L:
            raise ValueError(
                f"histories must be int32 [n, {L}], not {histories.dtype} {list(histories.shape)}"
            )
        return np.ascontiguousarray(histories)

    def _read_max_length(self) -> int:
        inputs = self._recommend.get_input_details()
        shapes = {
            name: (
                np.dtype(details["dtype"]).name,
                [int(size) for size in details["shape_signature"]],
            )
            for name, details in inputs.items()
        }
        dtype, shape = shapes.get("history", ("", []))
        if len(shapes) != 1 or dtype != "int32" or len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
            raise self._make_contract_error(f"recommend takes {shapes}, not history int32 [1, L]")
        return shape[1]

    def _read_k(self) -> int:
        """Reads K from the answer to an empty history.

        Running the model once while loading also detects operators that this interpreter lacks,
        and works if the file does not fix the size of its outputs.
        """
        try:
            answer = self._recommend(history=np.zeros((1, self.max_length), np.int32))
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"the model cannot be run: {_get_first_line(error)}",
                where=self._name,
                hint="Update ai-edge-litert, or export the model with built-in operators only.",
            ) from error
        shapes = {
            name: (value.dtype.name, list(value.shape)) for name, value in sorted(answer.items())
        }
        K = answer["ids"].shape[-1] if "ids" in answer and answer["ids"].ndim else 0
        if K < 1 or shapes != {"ids": ("int32", [1, K]), "scores": ("float32", [1, K])}:
            raise self._make_contract_error(
                f"recommend returns {shapes}, not ids int32 [1, K] and scores float32 [1, K]"
            )
        return K

    def _try_signatures(self) -> None:
        """Runs every other signature of the contract once and checks what it returns."""
        history = np.zeros((1, self.max_length), np.int32)
        book = np.zeros(1, np.int32)
        candidates = np.zeros((1, max(self.candidates, 1)), np.int32)
        lists = {"ids": ("int32", [1, self.k]), "scores": ("float32", [1, self.k])}
        signatures: dict[str, tuple[dict[str, np.ndarray], dict[str, tuple[str, list[int]]]]] = {
            "similar": ({"book": book}, lists),
            "score": (
                {"history": history, "candidates": candidates},
                {"scores": ("float32", list(candidates.shape))},
            ),
            "explain": (
                {"history": history, "book": book},
                {"contributions": ("float32", list(history.shape))},
            ),
        }
        for name, (inputs, expected_outputs) in signatures.items():
            if name not in self._runners:
                continue
            try:
                answer = self._runners[name](**inputs)
            except (ValueError, RuntimeError, TypeError) as error:
                raise self._make_contract_error(
                    f"{name} cannot be run: {_get_first_line(error)}"
                ) from error
            actual = {key: (value.dtype.name, list(value.shape)) for key, value in answer.items()}
            if actual != expected_outputs:
                raise self._make_contract_error(f"{name} returns {actual}, not {expected_outputs}")

    def _make_contract_error(self, what: str) -> UserError:
        return UserError(
            f"this .tflite file is not a kd_tf recommender: {what}",
            where=self._name,
            hint="Use a model.tflite that kd_tf exported.",
        )


def pad_history(ids: Sequence[int] | np.ndarray, length: int) -> np.ndarray:
    """Pads a history with 0 at the end, or cuts it to its newest items.

    Args:
        ids: Model ids, oldest first.
        length: Length of the result, usually `TFLiteModel.max_length`.

    Returns:
        int32 [length].

    Example:
        >>> pad_history([17, 4], 4).tolist()
        [17, 4, 0, 0]
        >>> pad_history([17, 4, 8], 2).tolist()
        [4, 8]
    """
    # Not ids[-length:], which would return everything for a length of 0.
    newest = np.asarray(ids, np.int32)[max(0, len(ids) - length) :]
    padded_ids = np.zeros(length, np.int32)
    padded_ids[: len(newest)] = newest
    return padded_ids


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


def _get_first_line(error: Exception) -> str:
    """Returns the first line of an error message."""
    # LiteRT appends everything that it logged; the first line names the cause.
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
