import subprocess
import sys

import pytest

from kd_tf.keras import keras, quiet_native_stderr, tf, tfmot, tfrs


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_importing_says_nothing_on_either_stream():
    done = python("import kd_tf.keras")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_library_means_the_same_keras_2():
    assert keras.__name__ == "tf_keras"
    assert keras.__version__.startswith("2.")
    assert issubclass(tfrs.tasks.Retrieval, keras.layers.Layer)
    assert issubclass(tfmot.sparsity.keras.UpdatePruningStep, keras.callbacks.Callback)
    assert tf.keras.Model is keras.Model


WRITES_TO_2 = """
import os
from kd_tf.keras import quiet_native_stderr
with quiet_native_stderr():
    os.write(2, b"from native code")
    {then}
os.write(2, b"after")
"""


def test_native_stderr_is_silent_inside_the_block_and_back_after_it():
    assert python(WRITES_TO_2.format(then="pass")).stderr == "after"


def test_what_native_code_wrote_is_shown_when_the_block_raises():
    stderr = python(WRITES_TO_2.format(then="raise ValueError('boom')")).stderr
    assert "from native code" in stderr
    assert "boom" in stderr


def test_the_block_raises_what_was_raised_in_it():
    with pytest.raises(KeyError), quiet_native_stderr():
        raise KeyError("x")
