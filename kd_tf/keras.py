"""The one place where TensorFlow and Keras are imported.

TensorFlow Recommenders and TensorFlow Model Optimization hold the project on Keras 2
(`tf_keras`); the day they move, this file is what changes. Import from here::

    from kd_tf.keras import keras, tf
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

# Must be set before TensorFlow is imported: TFRS and tfmot take `tf.keras` from it.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Silences what native code writes to file descriptor 2 while the block runs.

    TensorFlow logs before its own log level is read (CUDA not found, oneDNN is on), so no
    environment variable reaches those lines. What was written is shown if the block raises.
    """
    if os.environ.get("KD_TF_NATIVE_LOG") == "1":
        yield
        return
    import tempfile

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


with quiet_native_stderr():
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tensorflow_recommenders as tfrs
    import tf_keras as keras

    # Listing the devices is what makes TensorFlow talk about CUDA for the first time.
    for _gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # already initialised by the caller
            tf.config.experimental.set_memory_growth(_gpu, True)

tf.get_logger().setLevel(logging.ERROR)
logging.getLogger("absl").setLevel(logging.ERROR)

__all__ = ["keras", "quiet_native_stderr", "tf", "tfmot", "tfrs"]
