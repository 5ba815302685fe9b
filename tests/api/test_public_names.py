"""What `import kd_tf as kd` gives: names that are promised, at no cost before they are used."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import kd_tf as kd

NAMES = [
    "Catalog",
    "CleaningRules",
    "Config",
    "Dataset",
    "DistillationLoss",
    "Distiller",
    "HistoryModel",
    "ParityError",
    "Ranker",
    "RankingConfig",
    "Recommender",
    "Split",
    "UserError",
    "add_ranker",
    "baselines",
    "callbacks",
    "data",
    "distill",
    "evaluate",
    "export",
    "export_ranking",
    "keras",
    "models",
    "run",
    "run_ranking",
    "split",
]
"""Pinned: adding a name is a decision, removing one is a deprecation (docs/deprecation.md)."""

LAZY_PACKAGES = ("kd_tf", "kd_tf.data", "kd_tf.models", "kd_tf.distill")


def test_the_names_at_the_top_are_the_promised_ones():
    assert kd.__all__ == NAMES
    assert dir(kd) == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("package", LAZY_PACKAGES)
def test_every_public_name_can_be_imported(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None, name


@pytest.mark.slow
def test_functions_are_not_hidden_by_packages_of_the_same_name():
    """Importing a subpackage binds it as an attribute: none may be called like a function."""
    import kd_tf.evaluation
    import kd_tf.pipeline.run
    import kd_tf.tflite.convert  # noqa: F401

    for name in ("evaluate", "export", "split", "run"):
        assert callable(getattr(kd, name)), name


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_package_imports_nothing_else():
    result = run_python(
        "import sys, kd_tf; "
        "print([name for name in ('tensorflow', 'polars', 'pydantic', 'numpy') "
        "if name in sys.modules])"
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'recommend'"):
        kd.recommend  # noqa: B018


@pytest.mark.slow
def test_tensorflow_may_be_imported_first():
    result = run_python(
        "import tensorflow, kd_tf as kd; kd.models.MLPStudent(9, max_length=3, "
        "embedding_dim=2).create_weights(); print('works')"
    )
    assert result.stdout.strip() == "works", result.stderr[-2000:]


@pytest.mark.slow
def test_keras_3_in_use_is_refused_with_what_to_do():
    result = run_python(
        "import os; os.environ.pop('TF_USE_LEGACY_KERAS', None)\n"
        "import tensorflow as tf; tf.keras.layers\n"
        "import kd_tf as kd\n"
        "try:\n"
        "    kd.models.MLPStudent\n"
        "except kd.UserError as error:\n"
        "    print(error)\n"
    )
    assert "Keras 3 is in use already" in result.stdout, result.stderr[-2000:]
    assert "TF_USE_LEGACY_KERAS=1" in result.stdout
