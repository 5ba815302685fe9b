import subprocess
import sys

import pytest

from kd_tf.backend import keras, tf, tfmot, tfrs


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_importing_says_nothing_on_either_stream():
    done = python("import kd_tf.backend")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_library_means_the_same_keras_2():
    assert keras.__name__ == "tf_keras"
    assert keras.__version__.startswith("2.")
    assert issubclass(tfrs.tasks.Retrieval, keras.layers.Layer)
    assert issubclass(tfmot.sparsity.keras.UpdatePruningStep, keras.callbacks.Callback)
    assert tf.keras.Model is keras.Model
