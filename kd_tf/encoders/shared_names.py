"""Whole names: two books by one author, or of one series, have the name in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from kd_tf.encoders.base import normalize_rows

MAX_NAMES = 3
"""Names of a list that count: lists of authors begin with the most important ones."""


def split_authors(text: str) -> list[str]:
    """Splits a list of names at commas, semicolons and ampersands.

    Example:
        >>> split_authors("Neil Gaiman, Terry Pratchett")
        ['neil gaiman', 'terry pratchett']
    """
    for separator in (";", "&", " and "):
        text = text.replace(separator, ",")
    names = [name.strip().casefold() for name in text.split(",")]
    return [name for name in names if name][:MAX_NAMES]


def take_whole(text: str) -> list[str]:
    """Takes a text as one name; blanks and case do not count.

    Example:
        >>> take_whole("  Discworld ")
        ['discworld']
    """
    name = " ".join(text.split()).casefold()
    return [name] if name else []


def encode_names(
    texts: Sequence[str], split: Callable[[str], list[str]]
) -> sparse.csr_array | None:
    """Encodes texts by the names in them, of which rare ones weigh more.

    Args:
        texts: One text per item.
        split: Returns the names in a text.

    Returns:
        float32 CSR [n, names], rows of length 1 or zero; None if no two items share a name.

    Example:
        >>> encode_names(["Ann", "Bob", "Ann, Bob"], split_authors).toarray().round(1)
        array([[1. , 0. ],
               [0. , 1. ],
               [0.7, 0.7]], dtype=float32)
    """
    vectorizer = TfidfVectorizer(analyzer=split, min_df=2, binary=True, dtype=np.float32, norm=None)
    try:
        vectors = vectorizer.fit_transform(texts)
    except ValueError:  # "After pruning, no terms remain"
        return None
    names = normalize_rows(sparse.csr_array(vectors))
    assert isinstance(names, sparse.csr_array)
    return names
