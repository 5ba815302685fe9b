"""Runs one model of a benchmark in its own process: ``python -m kd_tf.runtime.measure.worker``.

The process reads commands from standard input, one per line, and responds with one line of JSON:

* ``answer PATH``: answers all histories and writes the ids, int32 [n, K], to PATH;
* ``time N``: answers N histories and returns the nanoseconds of each;
* ``memory``: returns by how many bytes the process's peak has grown since before loading.

Its first line reports how long it took to load the model and to compute a first answer.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kd_tf.errors import UserError
from kd_tf.runtime.measure.memory import read_peak_bytes, reset_peak

AnswerFn = Callable[[np.ndarray], np.ndarray]
"""A function from a history int32 [1, L] to recommended ids [K]."""


def prepare_tflite(path: Path, threads: int) -> Callable[[], AnswerFn]:
    """Returns a function that loads a .tflite file with the contract's signatures.

    Args:
        path: The file.
        threads: Number of threads.

    Returns:
        A function that loads the file. Imports are done before, so that they are not timed.
    """
    from kd_tf.runtime.model import TFLiteModel

    def load() -> AnswerFn:
        model = TFLiteModel(path, threads)
        return lambda history: model.recommend(history)[0]

    return load


def prepare_numpy(path: Path, threads: int) -> Callable[[], AnswerFn]:
    """Returns a function that loads a `NumpyMLP`.

    Args:
        path: The .npz file.
        threads: Ignored; the environment variables of the BLAS library set the threads.

    Returns:
        A function that loads the file.
    """
    from kd_tf.runtime.measure.numpy_mlp import NumpyMLP

    def load() -> AnswerFn:
        model = NumpyMLP.load(path)
        return lambda history: model.recommend(history[0])[0]

    return load


def prepare_onnxruntime(path: Path, threads: int) -> Callable[[], AnswerFn]:
    """Returns a function that loads an .onnx file with ONNX Runtime's CPU provider.

    Args:
        path: The file.
        threads: Number of threads.

    Returns:
        A function that loads the file.
    """
    import onnxruntime as runtime

    def load() -> AnswerFn:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda history: np.asarray(session.run(["ids"], {"history": history})[0][0])

    return load


ENGINES = {"tflite": prepare_tflite, "numpy": prepare_numpy, "onnxruntime": prepare_onnxruntime}
"""The supported engines by name."""


def main(engine: str, path: str, histories_path: str, threads: int) -> None:
    """Loads a model and executes commands until standard input ends.

    Args:
        engine: A key of `ENGINES`.
        path: The model file.
        histories_path: A .npy file of histories, int32 [n, L].
        threads: Number of threads.
    """
    histories = np.load(histories_path, allow_pickle=False)
    rows = [np.ascontiguousarray(histories[row : row + 1]) for row in range(len(histories))]
    load = ENGINES[engine](Path(path), threads)
    reset_peak()
    bytes_before = read_peak_bytes()
    begin = time.perf_counter()
    answer = load()
    answer(rows[0])
    _print_json({"init_seconds": time.perf_counter() - begin})
    gc.disable()
    num_timed = 0
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "answer":
            ids = np.stack([answer(row) for row in rows]).astype(np.int32)
            np.save(argument, ids)
            _print_json({"answered": len(ids)})
        elif command == "time":
            nanoseconds = []
            for _ in range(int(argument)):
                row = rows[num_timed % len(rows)]
                start = time.perf_counter_ns()
                answer(row)
                nanoseconds.append(time.perf_counter_ns() - start)
                num_timed += 1
            _print_json({"nanoseconds": nanoseconds})
        elif command == "memory":
            _print_json({"bytes": read_peak_bytes() - bytes_before})


def _print_json(content: dict[str, object]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    except UserError as error:
        sys.exit(str(error).splitlines()[0])
