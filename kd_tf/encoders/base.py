"""The interface of encoders: of all, and of those of texts."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Self, TypeAlias, TypeVar

import numpy as np
from scipy import sparse

from kd_tf.encoders.clean_text import clean_text

Vectors: TypeAlias = np.ndarray | sparse.csr_array
"""float32 [n, d]: dense, or sparse in CSR form."""


Input = TypeVar("Input")
"""What an encoder takes: texts, or files with images."""


class Encoder(ABC, Generic[Input]):
    """Turns inputs into vectors of length 1; inputs that say nothing become zero.

    Attributes:
        name: Name in tables.
        is_pretrained: Whether the vector of an input depends on nothing but the input, so that it
            may be kept.
        batch_size: Number of inputs to encode at once.
    """

    name: str
    is_pretrained: bool = True
    batch_size: int = 1024

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that vectors depend on beside the input, for caches."""

    @abstractmethod
    def hash_input(self, value: Input) -> bytes:
        """Returns the SHA-256 of an input: equal inputs have the same vector."""

    @abstractmethod
    def encode(self, values: Sequence[Input]) -> Vectors:
        """Encodes inputs.

        Returns:
            float32 [n, d], rows of length 1 or zero.
        """


class TextEncoder(Encoder[str]):
    """Turns texts into vectors of length 1; texts without any known word become zero.

    A subclass implements `encode_batch` and `fingerprint`. Encoders that count words of the texts
    at hand override `fit`.
    """

    def hash_input(self, value: str) -> bytes:
        """Returns the SHA-256 of a text."""
        # A lone surrogate, which JSON can hold, is no UTF-8.
        return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()

    @abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> Vectors:
        """Encodes texts, none of them blank.

        Returns:
            float32 [n, d], of any length.
        """

    def fit(self, texts: Sequence[str]) -> Self:
        """Looks at the texts that will be encoded; a pretrained encoder needs none.

        Args:
            texts: The texts of the catalog.

        Raises:
            UserError: They cannot be encoded at all.
        """
        return self

    def encode(self, values: Sequence[str]) -> Vectors:
        """Encodes texts.

        Args:
            values: Texts of any length, also with HTML in them; blank ones become zero.

        Returns:
            float32 [n, d], rows of length 1 or zero.
        """
        texts = [clean_text(text) for text in values]
        is_blank = np.array([not text.strip() for text in texts], bool)
        filled_texts = [
            _PLACEHOLDER if blank else text for text, blank in zip(texts, is_blank, strict=True)
        ]
        vectors = normalize_rows(self.encode_batch(filled_texts))
        return mask_rows(vectors, is_blank) if is_blank.any() else vectors


_PLACEHOLDER = "a"
"""Stands for a blank text in a batch; its vector becomes zero."""


def normalize_rows(vectors: Vectors) -> Vectors:
    """Divides rows by their length; rows that are zero, or not finite, become zero.

    Example:
        >>> normalize_rows(np.array([[3, 4], [0, 0], [np.nan, 1]], np.float32)).round(1)
        array([[0.6, 0.8],
               [0. , 0. ],
               [0. , 0. ]], dtype=float32)
    """
    if isinstance(vectors, np.ndarray):
        finite = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0)
        lengths = np.linalg.norm(finite, axis=1, keepdims=True)
        return np.asarray(finite / np.where(lengths > 0, lengths, 1), np.float32)
    lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
    scale = sparse.diags_array(1 / np.where(lengths > 0, lengths, 1))
    return sparse.csr_array(scale @ vectors, dtype=np.float32)


def mask_rows(vectors: Vectors, mask: np.ndarray) -> Vectors:
    """Sets the rows of a mask bool [n] to zero."""
    if isinstance(vectors, np.ndarray):
        return np.where(mask[:, None], np.float32(0), vectors)
    other_rows = sparse.csr_array(sparse.diags_array((~mask).astype(np.float32)) @ vectors)
    other_rows.eliminate_zeros()
    return other_rows
