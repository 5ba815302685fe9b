"""Imports TensorFlow and Keras; every other module imports them from here.

TensorFlow Recommenders and TensorFlow Model Optimization require Keras 2 (`tf_keras`). When they
move to Keras 3, only this file has to change. Usage::

    from kd_tf.backend import keras, tf
"""

from __future__ import annotations

import contextlib
import logging
import os

from kd_tf.errors import UserError
from kd_tf.extras import require_modules
from kd_tf.native_stderr import suppress_native_stderr

# Must be set before TensorFlow is imported: with it, `tf.keras` is Keras 2 for TFRS and tfmot.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

require_modules(
    "tensorflow", "tensorflow_model_optimization", "tensorflow_recommenders", "tf_keras"
)

with suppress_native_stderr():
    import tensorflow as tf

    try:
        import tensorflow_model_optimization as tfmot
        import tensorflow_recommenders as tfrs
    except ImportError as error:
        # Both refuse to work once the program has used `tf.keras` as Keras 3.
        if "Keras" not in str(error):
            raise
        raise UserError(
            "Keras 3 is in use already, but kd_tf works with Keras 2 (tf_keras), which TensorFlow "
            "Recommenders and TensorFlow Model Optimization need",
            hint="Import kd_tf.models (or set TF_USE_LEGACY_KERAS=1 in the environment) before "
            "the program touches tf.keras.",
        ) from error
    import tf_keras as keras

    # TensorFlow logs about CUDA when devices are listed for the first time: hide that here too.
    for _gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # the caller has initialized the device already
            tf.config.experimental.set_memory_growth(_gpu, True)

tf.get_logger().setLevel(logging.ERROR)
logging.getLogger("absl").setLevel(logging.ERROR)

__all__ = ["keras", "tf", "tfmot", "tfrs"]
