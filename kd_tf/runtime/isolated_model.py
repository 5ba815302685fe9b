"""Runs a .tflite recommender in a process of its own, for files that nobody vouches for.

The two processes exchange JSON and no Python objects: whatever becomes of the child, the parent
gets numbers, or an error.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.model import TFLiteModel

SECONDS_PER_ANSWER = 10.0
"""A child that takes longer is ended."""

MAX_MESSAGE_BYTES = 2**28

_LENGTH = struct.Struct("<Q")


class IsolatedModel:
    """A `TFLiteModel` in another process, with the same methods and attributes.

    A file that ends its process or hangs is a `UserError` here. Calls are about a millisecond
    slower. The process ends with `close`, or with this one.

    Args:
        source: Path of a .tflite file, or its content.
        threads: As in `TFLiteModel`.
        name: Where the content is from, for error messages.
        timeout: Seconds that an answer may take.

    Raises:
        UserError: As `TFLiteModel`; or the child died, or took too long.

    Example:
        >>> from pathlib import Path
        >>> model = IsolatedModel("tests/golden/bundle-v1/model.tflite")  # doctest: +SKIP
        >>> ids, scores = model.recommend(np.zeros(model.max_length, np.int32))  # doctest: +SKIP
        >>> model.close()  # doctest: +SKIP
    """

    def __init__(
        self,
        source: str | Path | bytes,
        threads: int = 1,
        *,
        name: str | None = None,
        timeout: float = SECONDS_PER_ANSWER,
    ) -> None:
        self.threads = threads
        self._name = name or ("model" if isinstance(source, bytes) else str(source))
        self._timeout = timeout
        self._lock = threading.Lock()
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        # -P: a file in the current folder cannot take the place of a module.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kd_tf.runtime.isolated_model"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        # Starting Python and its modules takes a second, on slow computers ten.
        facts = self._exchange(
            {"threads": threads, "name": self._name}, content, timeout=timeout + 50
        )
        self.signatures: tuple[str, ...] = tuple(facts["signatures"])
        self.max_length = int(facts["max_length"])
        self.k = int(facts["k"])
        self.candidates = int(facts["candidates"])
        self.min_runtime_version = str(facts["min_runtime_version"])
        self.weight_types = frozenset(facts["weight_types"])

    def recommend(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Recommends items for one history; see `TFLiteModel.recommend`."""
        return self._ask_for_list("recommend", history=np.asarray(history).tolist())

    def recommend_all(
        self, histories: np.ndarray, *, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Recommends items for many histories; see `TFLiteModel.recommend_all`."""
        answers = []
        with (progress or NullProgress()).task("recommend", len(histories)) as advance:
            for history in histories:
                answers.append(self.recommend(history))
                advance(1)
        ids = np.array([ids for ids, _ in answers], np.int32).reshape(len(answers), self.k)
        scores = np.array([scores for _, scores in answers], np.float32)
        return ids, scores.reshape(len(answers), self.k)

    def similar(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """Finds items similar to an item; see `TFLiteModel.similar`."""
        return self._ask_for_list("similar", item=int(item))

    def score(self, history: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Scores candidate items; see `TFLiteModel.score`."""
        return self._ask(
            "score",
            len(candidates),
            history=np.asarray(history).tolist(),
            candidates=np.asarray(candidates).tolist(),
        )

    def explain(self, history: np.ndarray, item: int) -> np.ndarray:
        """Computes the contributions of a history; see `TFLiteModel.explain`."""
        return self._ask(
            "explain", self.max_length, history=np.asarray(history).tolist(), item=int(item)
        )

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __del__(self) -> None:
        if hasattr(self, "_process") and self._process.poll() is None:
            self.close()

    def _ask_for_list(self, method: str, **arguments: Any) -> tuple[np.ndarray, np.ndarray]:
        answer = self._exchange({"method": method, **arguments})
        ids, scores = self._to_numbers(answer, "ids"), self._to_numbers(answer, "scores")
        if len(ids) != self.k or len(scores) != self.k:
            raise self._make_error("gave a list of another length")
        return ids.astype(np.int32), scores

    def _ask(self, method: str, length: int, **arguments: Any) -> np.ndarray:
        numbers = self._to_numbers(self._exchange({"method": method, **arguments}), "numbers")
        if len(numbers) != length:
            raise self._make_error("gave a list of another length")
        return numbers

    def _to_numbers(self, answer: dict[str, Any], key: str) -> np.ndarray:
        try:
            numbers = np.array(answer[key], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise self._make_error("gave no numbers") from error
        if numbers.ndim != 1:
            raise self._make_error("gave no list of numbers")
        return numbers.astype(np.float32) if key != "ids" else numbers

    def _exchange(
        self, message: dict[str, Any], content: bytes = b"", timeout: float | None = None
    ) -> dict[str, Any]:
        """Sends a message to the child and returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                _send(self._process.stdin, json.dumps(message).encode())
                if "method" not in message:
                    _send(self._process.stdin, content)
                text = self._receive(self._process.stdout, timeout or self._timeout)
            except (BrokenPipeError, EOFError, ValueError) as error:
                raise self._make_error(self._describe_end()) from error
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._make_error("gave an answer that is not JSON") from error
        if not isinstance(answer, dict):
            raise self._make_error("gave an answer of another form")
        if "error" in answer:
            hint = answer.get("hint")
            raise UserError(
                str(answer["error"]), where=self._name, hint=str(hint) if hint else None
            )
        return answer

    def _receive(self, stream: IO[bytes], timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        head = self._read(stream, _LENGTH.size, deadline)
        (length,) = _LENGTH.unpack(head)
        if length > MAX_MESSAGE_BYTES:
            raise EOFError
        return self._read(stream, length, deadline)

    def _read(self, stream: IO[bytes], length: int, deadline: float) -> bytes:
        """Reads from the child, without a buffer that would hide what is there."""
        content = b""
        while len(content) < length:
            ready, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                self._process.kill()
                raise EOFError
            part = os.read(stream.fileno(), min(length - len(content), 2**20))
            if not part:
                raise EOFError
            content += part
        return content

    def _describe_end(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return f"took more than {self._timeout:g} seconds, or was killed"
        return f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"

    def _make_error(self, what: str) -> UserError:
        return UserError(
            f"the process with the model {what}",
            where=self._name,
            hint="Do not use this file. Get it again from its author.",
        )


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def _receive_exactly(stream: IO[bytes]) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise SystemExit
    (length,) = _LENGTH.unpack(head)
    return stream.read(int(length))


def serve() -> None:
    """Answers the messages of the parent, until it closes the pipe."""
    reader, writer = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # LiteRT prints; only answers may go to the parent
    model = None
    while True:
        message = json.loads(_receive_exactly(reader))
        try:
            if model is None:
                content = _receive_exactly(reader)
                model = TFLiteModel(content, message["threads"], name=message["name"])
                answer = _describe(model)
            else:
                answer = _answer(model, message)
        except UserError as error:
            answer = {"error": error.what, "hint": error.hint}
        _send(writer, json.dumps(answer).encode())


def _describe(model: TFLiteModel) -> dict[str, Any]:
    return {
        "signatures": model.signatures,
        "max_length": model.max_length,
        "k": model.k,
        "candidates": model.candidates,
        "min_runtime_version": model.min_runtime_version,
        "weight_types": sorted(model.weight_types),
    }


def _answer(model: TFLiteModel, message: dict[str, Any]) -> dict[str, Any]:
    def to_row(numbers: Sequence[int]) -> np.ndarray:
        return np.array(numbers, np.int32).reshape(-1)

    method = message["method"]
    if method == "recommend":
        ids, scores = model.recommend(to_row(message["history"]))
    elif method == "similar":
        ids, scores = model.similar(message["item"])
    elif method == "score":
        numbers = model.score(to_row(message["history"]), to_row(message["candidates"]))
        return {"numbers": numbers.tolist()}
    else:
        numbers = model.explain(to_row(message["history"]), message["item"])
        return {"numbers": numbers.tolist()}
    return {"ids": ids.tolist(), "scores": scores.tolist()}


if __name__ == "__main__":
    serve()
