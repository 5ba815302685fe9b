"""Static embeddings: one vector per token, averaged over the text. Fast, and small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.package_files import find_package_file, hash_files
from kd_tf.encoders.safetensors_file import read_safetensors
from kd_tf.encoders.tokenizer import Tokenizer
from kd_tf.errors import UserError

MAX_TOKENS = 1024
"""Tokens of a text that count."""


class StaticTableEncoder(TextEncoder):
    """Averages the vectors of a text's tokens.

    Args:
        name: Name in tables.
        weights: A .safetensors file with one matrix [tokens, d].
        tokenizer: The tokenizer file of the model.

    Raises:
        UserError: A file is damaged or holds something else.
    """

    def __init__(self, name: str, weights: Path, tokenizer: Path) -> None:
        self.name = name
        self._files = (weights, tokenizer)
        matrices = [array for array in read_safetensors(weights).values() if array.ndim == 2]
        if len(matrices) != 1:
            raise UserError(
                f"{len(matrices)} matrices, but a table of static embeddings has one",
                where=str(weights),
            )
        self._table = matrices[0]
        self._tokenizer = Tokenizer(tokenizer, max_tokens=MAX_TOKENS, adds_special_tokens=False)

    @property
    def fingerprint(self) -> str:
        """A hash of the files and of what is done with them."""
        return f"static-1-{MAX_TOKENS}-{hash_files(*self._files)}"

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Returns float32 [n, d]; zero for a text without tokens."""
        vectors = np.zeros((len(texts), self._table.shape[1]), np.float32)
        for row, ids in enumerate(self._tokenizer.split(texts)):
            known_ids = [token for token in ids if token < len(self._table)]
            if known_ids:
                vectors[row] = self._table[known_ids].mean(axis=0, dtype=np.float32)
        return vectors


def open_static_table() -> StaticTableEncoder:
    """Opens the table of the package wordllama: 32,000 tokens, 256 numbers each, mostly English.

    Raises:
        MissingExtraError: The package is not installed.
    """
    # Its own `load` would ask a model hub for other files.
    return StaticTableEncoder(
        "static",
        find_package_file("wordllama", "weights/l2_supercat_256.safetensors"),
        find_package_file("wordllama", "tokenizers/l2_supercat_tokenizer_config.json"),
    )
