"""Words that say what an item is about, for the reasons that an app shows: its strongest terms."""

from __future__ import annotations

import functools
import math
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from kd_tf.data.catalog import Catalog
from kd_tf.encoders.clean_text import clean_text
from kd_tf.encoders.tfidf import MAX_TERMS

TEXT_COLUMNS = ("title", "genre", "text")
"""Columns whose words are chosen from."""

NAME_COLUMNS = ("authors", "series")
"""Columns whose words are left out of the same item's: a reason names author and series itself."""

MAX_WORDS = 10
"""Number of words of an item; 10 add 10 % to a catalog with descriptions."""

MAX_SHARE = 0.02
"""Largest share of the items that may have a word: in any language more common ones, such as "the",
say nothing. In small catalogs as many items as the square root of their number may have it."""

MIN_LETTERS = 3
MIN_IDEOGRAPHS = 2
FIRST_IDEOGRAPH = "\u2e80"
"""From here on Unicode has Chinese, Japanese and Korean, whose words are shorter."""

MAX_LETTERS = 20
"""A longer word is an address, or a sentence of a language without blanks."""


def choose_topic_words(catalog: Catalog) -> list[str]:
    """Chooses the words that say what each item is about.

    Args:
        catalog: The items.

    Returns:
        By item its strongest words in lower case with blanks between them, strongest first. Words
        that no other item has among its own are left out: two items share none of them. "" for an
        item without texts.

    Example:
        >>> import polars as pl
        >>> titles = ["The Red Dragon", "The Dragon's Tower", "The Tower", "The Whale"]
        >>> choose_topic_words(Catalog(pl.DataFrame({"item_id": list("abcd"), "title": titles})))
        ['dragon', 'dragon tower', 'tower', '']
    """
    num_items = len(catalog)
    vectorizer = TfidfVectorizer(
        analyzer=list,
        sublinear_tf=True,
        min_df=2,
        max_df=max(int(MAX_SHARE * num_items), math.isqrt(num_items), 2),
        max_features=MAX_TERMS,
        dtype=np.float32,
        norm=None,
    )
    try:
        weights = sparse.csr_array(vectorizer.fit_transform(_list_words(catalog)))
    except ValueError:  # "empty vocabulary" or "After pruning, no terms remain"
        return [""] * num_items
    terms = vectorizer.get_feature_names_out()
    words = [terms[_sort_row(weights, row)[:MAX_WORDS]].tolist() for row in range(num_items)]
    counts = Counter(word for item_words in words for word in item_words)
    return [" ".join(word for word in item_words if counts[word] > 1) for item_words in words]


def _sort_row(weights: sparse.csr_array, row: int) -> np.ndarray:
    """Sorts the terms of a row by weight, equal ones by the alphabet."""
    part = slice(weights.indptr[row], weights.indptr[row + 1])
    columns = np.asarray(weights.indices[part])
    return columns[np.lexsort((columns, -weights.data[part]))]


def _list_words(catalog: Catalog) -> Iterator[list[str]]:
    """Lists the words of each item's texts, without those of its authors and its series."""
    texts, names = (
        catalog.to_texts([name for name in columns if name in catalog.frame.columns])
        for columns in (TEXT_COLUMNS, NAME_COLUMNS)
    )
    for text, item_names in zip(texts, names, strict=True):
        own_names = set(split_words(item_names))
        yield [word for word in split_words(text) if word not in own_names]


def split_words(text: str) -> list[str]:
    """Splits a text into words in lower case, without numbers and what is too short or too long.

    Example:
        >>> split_words("The Dragon's 3 Isles don't <b>sink</b>: L'Étoile, 三体")
        ['the', 'dragon', 'isles', 'sink', 'étoile', '三体']
    """
    text = unicodedata.normalize("NFC", clean_text(text))
    words = (match[1].lower() for match in _make_pattern().finditer(text) if not match[2])
    return [word for word in words if _is_long_enough(word) and len(word) <= MAX_LETTERS]


def _is_long_enough(word: str) -> bool:
    return len(word) >= (MIN_IDEOGRAPHS if word[0] >= FIRST_IDEOGRAPH else MIN_LETTERS)


@functools.cache
def _make_pattern() -> re.Pattern[str]:
    """Makes the pattern of a word: letters and the marks on them.

    ``\\w`` does not have the marks, with which Hindi and Thai write vowels. The second group
    matches where "n't" ends a word: the "don" of "don't" is none.
    """
    marks = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M"
    )
    letter = r"[^\W\d_]"
    return re.compile(rf"({letter}(?:{letter}|[{marks}])*)(['’]t\b)?")
