import subprocess
import sys

import pytest

from kd_tf.native_stderr import suppress_native_stderr


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_native_stderr_is_silent_inside_the_block_back_after_it_and_shown_when_it_raises():
    done = python("""
import os
from kd_tf.native_stderr import suppress_native_stderr
with suppress_native_stderr():
    os.write(2, b"never seen. ")
os.write(2, b"after. ")
with suppress_native_stderr():
    os.write(2, b"why it broke. ")
    raise SystemExit(3)
""")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "after. why it broke. ")


def test_the_block_raises_what_was_raised_in_it():
    with pytest.raises(KeyError), suppress_native_stderr():
        raise KeyError("x")
