"""Quiet for libraries that log what nobody asked for.

TensorFlow logs before its own log level is read (CUDA not found, oneDNN is on) and LiteRT announces
its delegate; no environment variable reaches those lines.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Silences what native code writes to file descriptor 2 while the block runs.

    What was written is shown if the block raises. ``KD_TF_NATIVE_LOG=1`` lets everything through.
    Not for code with threads of its own that write to stderr: they are silenced too.
    """
    if os.environ.get("KD_TF_NATIVE_LOG") == "1":
        yield
        return
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            sink.seek(0)
            sys.stderr.write(sink.read().decode("utf-8", "replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
