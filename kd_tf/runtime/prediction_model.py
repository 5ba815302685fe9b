"""Runs a .tflite file of the ranking task in Python: encoded rows in, probabilities out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from kd_tf.errors import UserError
from kd_tf.runtime.signature_model import SignatureModel, get_first_line, open_interpreter


class PredictionModel(SignatureModel):
    """A .tflite file with the signatures ``predict`` and ``predict_batch`` of contract version 2.

    Safe to share between threads; see `SignatureModel`.

    Args:
        source: Path of a .tflite file, or its content.
        threads: Number of threads that the interpreter may use for one answer, at least 1.
        name: Where the content is from, for error messages.

    Attributes:
        num_places: F, the number of categorical ids of a row; 0 without any.
        num_numeric: G, the number of numbers of a row; 0 without any.
        batch_size: B, the number of rows of ``predict_batch``; 0 without that signature.

    Raises:
        UserError: The file is missing, damaged or does not follow the contract.
        ValueError: `threads` is less than 1.

    Example:
        >>> model = PredictionModel("bundle/model.tflite")  # doctest: +SKIP
        >>> model.predict(*schema.encode_row({"user": "ann", "hour": 9}))  # doctest: +SKIP
        0.31
    """

    main_signature = "predict"
    kind = "a kd_tf model that predicts a label"

    def __init__(
        self, source: str | Path | bytes, threads: int = 1, *, name: str | None = None
    ) -> None:
        super().__init__(source, threads, name=name)
        self.num_places, self.num_numeric = self._read_sizes("predict", 1)
        self._id_shape, self._number_shape = (self.num_places,), (self.num_numeric,)
        self.batch_size = 0
        if "predict_batch" in self._runners:
            details = self._runners["predict_batch"].get_input_details()
            self.batch_size = int(next(iter(details.values()))["shape_signature"][0])
            sizes = self._read_sizes("predict_batch", self.batch_size)
            if sizes != (self.num_places, self.num_numeric):
                raise self._make_contract_error("predict and predict_batch take different rows")
        for signature, rows in (("predict", 1), ("predict_batch", self.batch_size)):
            if signature in self._runners:
                self._try_signature(signature, rows)
        self._first_subgraph = self._open_first_subgraph(source)

    def predict(self, categorical: np.ndarray, numeric: np.ndarray) -> float:
        """Predicts the label of one row.

        Args:
            categorical: int32 [1, F]; ids that no feature has count as missing.
            numeric: float32 [1, G].

        Returns:
            The probability of a click, or a rating on the scale from 0 to 1.

        Raises:
            ValueError: The row has a wrong shape or dtype.
        """
        inputs = self._check_rows(categorical, numeric)
        if len(categorical) != 1:
            raise ValueError(f"predict takes one row, not {len(categorical)}: use predict_all")
        if self._first_subgraph is None:
            return float(self._call("predict", **inputs)["probability"][0])
        interpreter, tensors, output = self._first_subgraph
        try:
            with self._lock:
                for name, array in inputs.items():
                    interpreter.set_tensor(tensors[name], array)
                interpreter.invoke()
                return float(interpreter.get_tensor(output)[0])
        except RuntimeError as error:
            raise self._make_run_error("predict", error) from error

    def predict_all(self, categorical: np.ndarray, numeric: np.ndarray) -> np.ndarray:
        """Predicts the labels of rows, with ``predict_batch`` where the file has it.

        Args:
            categorical: int32 [n, F].
            numeric: float32 [n, G].

        Returns:
            float32 [n].

        Raises:
            ValueError: The rows have a wrong shape or dtype.
        """
        inputs = self._check_rows(categorical, numeric)
        signature = "predict_batch" if self.batch_size else "predict"
        size = max(self.batch_size, 1)
        count = len(categorical)
        probabilities = np.empty(count, np.float32)
        for begin in range(0, count, size):
            end = min(begin + size, count)
            batch = {
                name: np.pad(rows[begin:end], [(0, size - (end - begin)), (0, 0)])
                for name, rows in inputs.items()
            }
            answer = self._call(signature, **batch)["probability"]
            probabilities[begin:end] = answer[: end - begin]
        return probabilities

    def _check_rows(self, categorical: np.ndarray, numeric: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the arrays that the file takes, by name."""
        # Written out, because a call of a small model takes no longer than a loop over names.
        inputs = {}
        if categorical.dtype != np.int32 or categorical.shape[1:] != self._id_shape:
            raise _make_shape_error("categorical", "int32", self.num_places, categorical)
        if numeric.dtype != np.float32 or numeric.shape[1:] != self._number_shape:
            raise _make_shape_error("numeric", "float32", self.num_numeric, numeric)
        if len(categorical) != len(numeric):
            raise ValueError(f"categorical has {len(categorical)} rows, numeric {len(numeric)}")
        if self.num_places:
            inputs["categorical"] = np.ascontiguousarray(categorical)
        if self.num_numeric:
            inputs["numeric"] = np.ascontiguousarray(numeric)
        return inputs

    def _open_first_subgraph(
        self, source: str | Path | bytes
    ) -> tuple[Interpreter, dict[str, int], int] | None:
        """Opens the file once more for plain calls of ``predict``, if its subgraph is the first.

        A signature runner resizes and allocates all tensors in every call, which for a small model
        takes as long as the answer. It also holds a reference that forbids plain calls of the same
        interpreter.

        Returns:
            The interpreter, its input tensors by name and its output tensor; None if the first
            subgraph is another one.
        """
        runner = self._runners["predict"]
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        interpreter = open_interpreter(source, self.threads)
        interpreter.allocate_tensors()
        for details, first_details in (
            (inputs, interpreter.get_input_details()),
            (outputs, interpreter.get_output_details()),
        ):
            sizes = [(detail["index"], *detail["shape"]) for detail in details.values()]
            if sorted(sizes) != sorted(
                (detail["index"], *detail["shape"]) for detail in first_details
            ):
                return None
        tensors = {name: int(detail["index"]) for name, detail in inputs.items()}
        return interpreter, tensors, int(outputs["probability"]["index"])

    def _read_sizes(self, signature: str, num_rows: int) -> tuple[int, int]:
        """Reads F and G from the inputs of a signature."""
        details = self._runners[signature].get_input_details()
        actual = {
            name: (
                np.dtype(detail["dtype"]).name,
                [int(size) for size in detail["shape_signature"]],
            )
            for name, detail in details.items()
        }
        sizes = []
        for name, dtype in (("categorical", "int32"), ("numeric", "float32")):
            shape = actual.get(name, (dtype, [num_rows, 0]))[1]
            is_valid = len(shape) == 2 and shape[0] == num_rows and shape[1] >= 0
            if not is_valid or actual.get(name, (dtype,))[0] != dtype:
                raise self._make_contract_error(
                    f"{signature} takes {actual}, not categorical int32 and numeric float32 "
                    f"[{num_rows}, n]"
                )
            sizes.append(shape[1])
        if not actual or set(actual) - {"categorical", "numeric"} or not any(sizes):
            raise self._make_contract_error(f"{signature} takes {sorted(actual) or 'nothing'}")
        return sizes[0], sizes[1]

    def _try_signature(self, signature: str, num_rows: int) -> None:
        """Runs a signature once and checks what it returns."""
        inputs = self._check_rows(
            np.zeros((num_rows, self.num_places), np.int32),
            np.zeros((num_rows, self.num_numeric), np.float32),
        )
        try:
            answer = self._runners[signature](**inputs)
        except (ValueError, RuntimeError, TypeError) as error:
            raise self._make_contract_error(
                f"{signature} cannot be run: {get_first_line(error)}"
            ) from error
        actual = {name: (value.dtype.name, list(value.shape)) for name, value in answer.items()}
        contract = {"probability": ("float32", [num_rows])}
        if actual != contract:
            raise self._make_contract_error(f"{signature} returns {actual}, not {contract}")


def _make_shape_error(name: str, dtype: str, width: int, array: np.ndarray) -> ValueError:
    return ValueError(f"{name} must be {dtype} [n, {width}], not {array.dtype} {list(array.shape)}")


def check_features(model: PredictionModel, num_places: int, num_numeric: int, where: str) -> None:
    """Checks that a file takes the rows that its features.json makes.

    Raises:
        UserError: It does not.
    """
    sizes = (model.num_places, model.num_numeric)
    if sizes != (num_places, num_numeric):
        raise UserError(
            f"features.json makes rows of {num_places} ids and {num_numeric} numbers, but the "
            f"model takes {sizes[0]} and {sizes[1]}",
            where=where,
            hint="Export the bundle again: its files belong to different models.",
        )
