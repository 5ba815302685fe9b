"""Runs a .tflite recommender in Python: histories of model ids in, ids and scores out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.signature_model import SignatureModel, get_first_line

ROWS_PER_LOCK = 256
"""Number of histories for which `recommend_all` holds the lock before other threads continue."""


class TFLiteModel(SignatureModel):
    """A .tflite file with the signatures of contract version 1.

    Safe to share between threads; see `SignatureModel`.

    Args:
        source: Path of a .tflite file, or its content.
        threads: Number of threads that the interpreter may use for one answer, at least 1.
        name: Where the content is from, for error messages.

    Attributes:
        max_length: L, the number of items of a history that the model sees.
        k: K, the number of recommendations of one call.
        candidates: C, the number of items that ``score`` takes at once; 0 without ``score``.

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

    main_signature = "recommend"
    kind = "a kd_tf recommender"

    def __init__(
        self, source: str | Path | bytes, threads: int = 1, *, name: str | None = None
    ) -> None:
        super().__init__(source, threads, name=name)
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
                f"the model cannot be run: {get_first_line(error)}",
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
                    f"{name} cannot be run: {get_first_line(error)}"
                ) from error
            actual = {key: (value.dtype.name, list(value.shape)) for key, value in answer.items()}
            if actual != expected_outputs:
                raise self._make_contract_error(f"{name} returns {actual}, not {expected_outputs}")


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
