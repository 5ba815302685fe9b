"""Runs TensorFlow's converter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kd_tf.backend import tf
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.tflite.quantization import Quantization


def run_converter(
    module: tf.Module,
    functions: Mapping[str, Any],
    quantization: Quantization,
    generate_calibration: Callable[[], Iterable[Any]] | None = None,
) -> bytes:
    """Converts the signatures of a module to a .tflite file.

    Args:
        module: Holds the weights.
        functions: Functions with an input signature, by the name of the signature.
        quantization: Quantization of the file.
        generate_calibration: Yields the name of a signature and its inputs, required for int8.
    """
    with tempfile.TemporaryDirectory() as folder, suppress_native_stderr():
        tf.saved_model.save(module, folder, signatures=dict(functions))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        if quantization is not Quantization.FLOAT32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # With one scale per row, scoring would get a second copy of the table. The flag is
            # private: test_convert.py fails with advice if a TensorFlow release drops it.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if quantization is Quantization.FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if quantization is Quantization.INT8:
            assert generate_calibration is not None
            converter.representative_dataset = generate_calibration
        return bytes(converter.convert())
