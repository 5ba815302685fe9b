"""Run by a Python that has an older interpreter: answers histories from files, nothing of kd_tf.

    python older_runtime.py HISTORIES.npy ANSWERS.npz MODEL ...

Writes the arrays ``SIGNATURE/N/OUTPUT``, [n, K]: the outputs ids and scores of the signatures
recommend and similar of the N-th model.
"""

import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter


def main(histories_path: str, answers_path: str, *models: str) -> None:
    histories = np.load(histories_path)
    answers = {}
    for number, path in enumerate(models):
        interpreter = Interpreter(model_path=path, num_threads=1)
        recommend = interpreter.get_signature_runner("recommend")
        similar = interpreter.get_signature_runner("similar")
        found = {
            "recommend": [recommend(history=history[np.newaxis]) for history in histories],
            "similar": [similar(book=history[:1]) for history in histories],
        }
        for signature, rows in found.items():
            for output in ("ids", "scores"):
                answers[f"{signature}/{number}/{output}"] = np.concatenate(
                    [row[output] for row in rows]
                )
    np.savez(answers_path, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
