"""Suppresses log lines of native libraries that no log level can turn off.

TensorFlow logs before it reads its own log level (CUDA not found, oneDNN is on), and LiteRT
announces its delegate; no environment variable suppresses those lines.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from kd_tf.control_characters import replace_control_characters


@contextlib.contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Hides what native code writes to file descriptor 2 while the block runs.

    If the block raises, the hidden output is shown. ``KD_TF_NATIVE_LOG=1`` turns this off. Other
    threads that write to stderr are hidden too, so do not use it around them.
    """
    if os.environ.get("KD_TF_NATIVE_LOG") == "1":
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # there is no stderr, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(original, 2)
            sink.seek(0)
            text = sink.read().decode("utf-8", "replace")
            if sys.stderr is not None:
                sys.stderr.write(replace_control_characters(text))
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
