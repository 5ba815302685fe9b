"""Sentence transformers in ONNX form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.package_files import hash_files
from kd_tf.encoders.tokenizer import Tokenizer
from kd_tf.errors import UserError
from kd_tf.extras import require_modules

Pooling = Literal["mean", "first"]
"""How the vectors of the tokens become one: their mean, or the vector of the first token."""

MAX_TOKENS = 256
"""Tokens of a text that count: what most sentence transformers were trained with."""

BATCH_SIZE = 32
"""Texts of one call. Batches hold texts of about equal length, so that little is padding."""


class OnnxTransformerEncoder(TextEncoder):
    """Encodes texts with a sentence transformer, run by ONNX Runtime.

    Source: Reimers and Gurevych, "Sentence-BERT", 2019. The model takes token numbers
    (``input_ids``, ``attention_mask``, perhaps ``token_type_ids``) and returns a vector per token
    [n, tokens, d], of which the mean or the first is taken, or one per text [n, d].

    Args:
        name: Name in tables.
        model: The .onnx file.
        tokenizer: Its tokenizer.json.
        pooling: How the model was trained to be read.

    Raises:
        UserError: A file is damaged, or the model takes something else than tokens.
        MissingExtraError: A package is not installed.
    """

    # Batches of encode_batch are sorted by length: the more texts, the less padding.
    batch_size = 512

    def __init__(
        self, name: str, model: Path, tokenizer: Path, *, pooling: Pooling = "mean"
    ) -> None:
        require_modules("onnxruntime", extra="text")
        import onnxruntime

        self.name, self._pooling = name, pooling
        self._files = (model, tokenizer)
        self._tokenizer = Tokenizer(tokenizer, max_tokens=MAX_TOKENS, adds_special_tokens=True)
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime has an exception of its own for each status, without a common public base.
        except Exception as error:
            raise UserError(
                f"ONNX Runtime cannot open this model: {error}",
                where=str(model),
                hint="Export the model again, with all its weights in one file.",
            ) from error
        self._input_names = [tensor.name for tensor in self._session.get_inputs()]
        known_names = {"input_ids", "attention_mask", "token_type_ids"}
        if "input_ids" not in self._input_names or not known_names.issuperset(self._input_names):
            raise UserError(
                f"this model takes {', '.join(self._input_names)}; a text encoder takes input_ids "
                "and attention_mask",
                where=str(model),
                hint="Give a model that was exported for feature extraction.",
            )

    @property
    def fingerprint(self) -> str:
        """A hash of the files and of what is done with them."""
        return f"onnx-{self._pooling}-1-{MAX_TOKENS}-{hash_files(*self._files)}"

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Returns float32 [n, d]."""
        token_lists = self._tokenizer.split(texts)
        lengths = np.array([len(ids) for ids in token_lists])
        order = np.argsort(lengths, kind="stable")
        parts = []
        for start in range(0, len(order), BATCH_SIZE):
            parts.append(self._run([token_lists[row] for row in order[start : start + BATCH_SIZE]]))
        vectors = np.empty_like(np.concatenate(parts))
        vectors[order] = np.concatenate(parts)
        return vectors

    def _run(self, token_lists: list[list[int]]) -> np.ndarray:
        """Encodes lists of token numbers: float32 [n, d]."""
        width = max(1, *(len(ids) for ids in token_lists))
        ids = np.zeros((len(token_lists), width), np.int64)
        mask = np.zeros((len(token_lists), width), np.int64)
        for row, tokens in enumerate(token_lists):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self._session.run(None, {name: feeds[name] for name in self._input_names})[0]
        if output.ndim == 3 and self._pooling == "first":
            output = output[:, 0]
        elif output.ndim == 3:
            weights = mask[:, :, None] / np.maximum(mask.sum(axis=1), 1)[:, None, None]
            output = (output * weights).sum(axis=1)
        return np.asarray(output, np.float32)
