"""TF-IDF: counted words, weighted by how rare they are. Needs no pretrained weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.clean_text import clean_text
from kd_tf.errors import UserError

MAX_TERMS = 200_000
"""Number of the most frequent terms that count."""


class TfidfEncoder(TextEncoder):
    """Encodes a text by its words, for any language with blanks between words.

    Source: Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988, with
    1 + ln(tf). A word counts if at least two texts of `fit` have it: a word of a single text makes
    no two texts similar.

    Example:
        >>> encoder = TfidfEncoder().fit(["red dragon", "blue dragon", "red fish"])
        >>> encoder.terms
        ['dragon', 'red']
        >>> encoder.encode(["dragon dragon", "whale"]).toarray()
        array([[1., 0.],
               [0., 0.]], dtype=float32)
    """

    name = "tfidf"
    is_pretrained = False

    def __init__(self) -> None:
        self._vectorizer: TfidfVectorizer | None = None

    @property
    def fingerprint(self) -> str:
        """The method; the vectors depend on all texts of `fit` too."""
        return f"tfidf-1-{MAX_TERMS}"

    @property
    def terms(self) -> list[str]:
        """The words that count, one per column."""
        return list(self._get_vectorizer().get_feature_names_out())

    def fit(self, texts: Sequence[str]) -> Self:
        """Counts the words of the texts.

        Raises:
            UserError: No two of them have a word in common.
        """
        vectorizer = TfidfVectorizer(
            sublinear_tf=True, min_df=2, max_features=MAX_TERMS, dtype=np.float32
        )
        try:
            self._vectorizer = vectorizer.fit([clean_text(text) for text in texts])
        except ValueError as error:  # "After pruning, no terms remain"
            raise UserError(
                "no two items of the catalog have a word in common",
                hint="Give a table of items with more text: titles, authors, descriptions.",
            ) from error
        return self

    def encode_batch(self, texts: Sequence[str]) -> sparse.csr_array:
        """Returns float32 CSR [n, terms]."""
        return sparse.csr_array(self._get_vectorizer().transform(texts))

    def _get_vectorizer(self) -> TfidfVectorizer:
        if self._vectorizer is None:
            raise ValueError("call fit with the texts of the catalog before encode")
        return self._vectorizer
