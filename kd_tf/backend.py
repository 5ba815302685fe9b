"""The one place where TensorFlow and Keras are imported.

TensorFlow Recommenders and TensorFlow Model Optimization hold the project on Keras 2
(`tf_keras`); the day they move, this file is what changes. Import from here::

    from kd_tf.backend import keras, tf
"""

from __future__ import annotations

import contextlib
import logging
import os

from kd_tf.native_stderr import suppress_native_stderr

# Must be set before TensorFlow is imported: TFRS and tfmot take `tf.keras` from it.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


with suppress_native_stderr():
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

__all__ = ["keras", "tf", "tfmot", "tfrs"]
