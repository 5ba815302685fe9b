"""Every file on the interpreters that phones still have, beside the one of today.

``KD_TF_OLDER_RUNTIMES`` names them: ``2.14=/path/to/python ...``, the TensorFlow Lite release whose
operators the interpreter has, and a Python that has it. ``make test`` makes them where they
install.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from kd_tf.models.students import STUDENTS
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.operator_versions import parse_version
from kd_tf.tflite.checks.compatibility import compute_min_runtime_version
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

OLDER = dict(one.split("=", 1) for one in os.environ.get("KD_TF_OLDER_RUNTIMES", "").split())

FORMS = [Quantization.FLOAT32, Quantization.DYNAMIC_INT8, Quantization.INT4]


@pytest.fixture(scope="module")
def models(file, tmp_path_factory) -> dict[str, Path]:
    """Files by student and form."""
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for kind, model_class in STUDENTS.items():
        for form in FORMS:
            if form.value in model_class.quantizations:
                path = folder / f"{kind}-{form.value}.tflite"
                path.write_bytes(file(kind, form))
                made[path.stem] = path
    return made


@pytest.mark.parametrize(
    "version",
    OLDER
    or [
        pytest.param("none", marks=pytest.mark.skip(reason="KD_TF_OLDER_RUNTIMES names no runtime"))
    ],
)
def test_an_older_interpreter_gives_the_same_items(models, histories, version, tmp_path):
    loaded = {
        name: path
        for name, path in models.items()
        if parse_version(compute_min_runtime_version(path.read_bytes())) <= parse_version(version)
    }
    # What the gate lets through must be most of it, or this compares nothing.
    assert len(loaded) > len(models) / 2
    some = histories[:60]
    np.save(tmp_path / "histories.npy", some)
    subprocess.run(
        [
            OLDER[version],
            str(Path(__file__).with_name("older_runtime.py")),
            str(tmp_path / "histories.npy"),
            str(tmp_path / "answers.npz"),
            *map(str, loaded.values()),
        ],
        check=True,
    )
    answers = np.load(tmp_path / "answers.npz")
    for number, (name, path) in enumerate(loaded.items()):
        model = TFLiteModel(path)
        _assert_alike(answers, f"recommend/{number}", *model.recommend_all(some), name)
        found = [model.similar(int(history[0])) for history in some]
        ids, scores = (np.stack(column) for column in zip(*found, strict=True))
        _assert_alike(answers, f"similar/{number}", ids, scores, name)


def _assert_alike(
    answers: Mapping[str, np.ndarray], key: str, ids: np.ndarray, scores: np.ndarray, name: str
) -> None:
    """The same scores place by place, and the same books but for those of all but equal scores.

    Kernels differ in how they round what they multiply int8 and int4 tables with. Weights that an
    interpreter misreads were wrong by 6 % at every place, with no book in common.
    """
    older, its_scores = answers[f"{key}/ids"], answers[f"{key}/scores"]
    size = np.maximum(np.abs(scores).max(axis=1, keepdims=True), 1e-6)
    exact = name.endswith("float32")
    error = np.abs(its_scores - scores) / size
    assert error.max() < (1e-4 if exact else 0.05), f"{name}: scores differ by {error.max():.3f}"
    shared = np.mean([np.isin(one, other).mean() for one, other in zip(older, ids, strict=True)])
    assert shared > (0.999 if exact else 0.95), f"{name}: {shared:.3f} of the books are the same"
