"""LiteRT's own benchmark runs every exported file as it is: ids that mean nothing crash nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kd_tf.models.students import STUDENTS
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", STUDENTS)
def test_every_signature_of_every_form_runs(kind, file, tmp_path):
    for form in STUDENTS[kind].quantizations:
        path = tmp_path / f"{form}.tflite"
        path.write_bytes(file(kind, Quantization(form)))
        for signature in ("recommend", "similar", "score", "explain"):
            result = tmp_path / "result.json"
            result.unlink(missing_ok=True)
            ended = subprocess.run(
                [
                    *(Path(sys.executable).with_name("litert-benchmark"), "--model", path),
                    *("--signature", signature, "--num_runs", "3", "--warmup_runs", "1"),
                    *("--num_threads", "1", "--result_json", result),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{form} {signature}: {ended.stderr[-500:]}"
            assert json.loads(result.read_text()), f"{form} {signature}"
