"""A bundle for the app: the embedded bookshop's catalogue and a student that nobody trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.models.students import STUDENTS
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.bundle import BundleConfig, write_bundle
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

ADD_RANKER = Path(__file__).parents[1] / "shared_reranking" / "make_bundle.py"

V, L, d, K, C = 2000, 70, 32, 50, 100
"""The sizes of what `kd-tf demo` bundles."""


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In float32, where every processor gives the same books; with a ranker."""
    folder = tmp_path_factory.mktemp("float")
    bundle = make_bundle(folder / "alone", Quantization.FLOAT32)
    subprocess.run(
        [sys.executable, str(ADD_RANKER), str(bundle), str(folder / "bundle")], check=True
    )
    return folder / "bundle"


@pytest.fixture(scope="session")
def int8_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the form that `kd-tf demo` bundles, whose inputs are rounded to 8 bits on the way."""
    return make_bundle(tmp_path_factory.mktemp("int8") / "bundle", Quantization.DYNAMIC_INT8)


def make_bundle(folder: Path, form: Quantization) -> Path:
    rng.set_seed(0)
    student = STUDENTS["mlp"](num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    # Rows that differ widely, as those of a trained student do.
    table = next(one for one in student.weights if one.shape == tf.TensorShape([V + 1, d]))
    rows = np.random.default_rng(0).standard_normal((V + 1, d)).astype(np.float32)
    table.assign(rows / 2)
    with suppress_native_stderr():
        model = convert(student, form, recommendations=K, candidates=C)
    write_bundle(
        folder,
        model=model,
        catalog=generate_bookshop(num_items=V, num_users=10).catalog.frame.to_dicts(),
        config=BundleConfig(
            name="untrained",
            num_items=V,
            max_length=L,
            recommendations=K,
            candidates=C,
            signatures=("explain", "recommend", "score", "similar"),
            min_runtime_version="2.4.0",
            quantization=form.value,
            metrics={"ndcg@10": 0.25, "recall@10": 0.3, "hit_rate@10": 0.7, "coverage@10": 0.6},
            dataset={"name": "synthetic", "users": 3000, "items": V, "interactions": 88722},
        ),
        model_card="# Untrained\n\nFor tests alone.\n",
    )
    return folder
