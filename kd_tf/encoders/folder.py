"""Encoders in a folder of the user's: a sentence transformer, a static table or a SavedModel."""

from __future__ import annotations

import json
from pathlib import Path

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.onnx_transformer import OnnxTransformerEncoder, Pooling
from kd_tf.encoders.saved_model import SavedModelEncoder
from kd_tf.encoders.static_table import StaticTableEncoder
from kd_tf.errors import UserError
from kd_tf.limited_read import read_limited

ONNX_FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
    "onnx/model_qint8_avx512.onnx",
)
"""Where exports of sentence transformers keep their ONNX model, in the order of preference."""

MAX_CONFIG_BYTES = 2**20


def open_folder(folder: Path) -> TextEncoder:
    """Opens the encoder in a folder.

    - A sentence transformer in the layout of Hugging Face: ``tokenizer.json`` and an ONNX model
      (`ONNX_FILES`); ``1_Pooling/config.json`` says whether the first token's vector is taken or
      the mean.
    - Static embeddings: ``tokenizer.json`` and ``model.safetensors`` with a single matrix.
    - A TensorFlow SavedModel (``saved_model.pb``), as ``model.export`` of Keras writes it, from
      texts [n] to vectors [n, d]. Like any SavedModel it can run any TensorFlow operation: use
      those that you trust.

    Raises:
        UserError: The folder holds none of these, or one that is damaged.
        MissingExtraError: A package of the extra text is not installed.
    """
    if (folder / "saved_model.pb").is_file():
        return SavedModelEncoder(folder)
    tokenizer = folder / "tokenizer.json"
    if tokenizer.is_file():
        for name in ONNX_FILES:
            if (folder / name).is_file():
                return OnnxTransformerEncoder(
                    folder.name, folder / name, tokenizer, pooling=_read_pooling(folder)
                )
        weights = folder / "model.safetensors"
        if weights.is_file() and not _has_layers(folder):
            return StaticTableEncoder(folder.name, weights, tokenizer)
        raise UserError(
            "this model has no ONNX file",
            where=str(folder),
            hint="Export it to ONNX, for example with optimum-cli export onnx, and put the file "
            "beside tokenizer.json as model.onnx.",
        )
    raise UserError(
        "this folder holds no text encoder",
        where=str(folder),
        hint="It needs tokenizer.json and model.onnx or a static model.safetensors, or "
        "saved_model.pb.",
    )


def _has_layers(folder: Path) -> bool:
    """Whether the weights are those of a network, which a static table has none of."""
    return "num_hidden_layers" in _read_config(folder / "config.json")


def _read_pooling(folder: Path) -> Pooling:
    """Returns how the vectors of the tokens become one."""
    config = _read_config(folder / "1_Pooling" / "config.json")
    unsupported_modes = [
        name
        for name, value in config.items()
        if name.startswith("pooling_mode_")
        and value
        and name not in ("pooling_mode_cls_token", "pooling_mode_mean_tokens")
    ]
    if unsupported_modes:
        raise UserError(
            f"{unsupported_modes[0]} is not supported",
            where=str(folder / "1_Pooling" / "config.json"),
            hint="Use a model that takes the mean of all tokens or the first token.",
        )
    return "first" if config.get("pooling_mode_cls_token") else "mean"


def _read_config(path: Path) -> dict[str, object]:
    """Reads a JSON object; {} where there is no file.

    Raises:
        UserError: It is something else.
    """
    if not path.is_file():
        return {}
    try:
        config = json.loads(read_limited(path, MAX_CONFIG_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"not readable JSON: {error}", where=str(path)) from error
    if not isinstance(config, dict):
        raise UserError("this is no JSON object", where=str(path))
    return config
