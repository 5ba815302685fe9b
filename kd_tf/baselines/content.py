"""Content baselines: items with similar texts, without any interactions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.encoders.base import Vectors, normalize_rows
from kd_tf.encoders.tfidf import TfidfEncoder
from kd_tf.errors import UserError
from kd_tf.evaluation.top_k import check_ids


@dataclass(frozen=True)
class ContentSimilarity:
    """Scores an item by the cosine of its text with the texts of the history.

    `fit` counts words; `fit_frozen` takes the vectors of an encoder.

    Attributes:
        item_vectors: float32 [V + 1, d], dense or CSR, rows of length 1; zero for padding and for
            items without text.
        name: Name in result tables.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from kd_tf.data.histories import from_lists
        >>> vectors = np.array([[0, 0], [1, 0], [0.6, 0.8], [0, 1]], np.float32)
        >>> model = ContentSimilarity(sparse.csr_array(vectors))
        >>> model.score(from_lists([[1]]))
        array([[-inf,  1. ,  0.6, -inf]], dtype=float32)
    """

    item_vectors: Vectors
    name: str = "content"

    @property
    def num_parameters(self) -> int:
        """Number of stored values."""
        vectors = self.item_vectors
        return vectors.size if isinstance(vectors, np.ndarray) else int(vectors.nnz)

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        vectors = self.item_vectors
        if isinstance(vectors, np.ndarray):
            return vectors.nbytes
        return int(vectors.data.nbytes + vectors.indices.nbytes + vectors.indptr.nbytes)

    def score(self, histories: Histories) -> np.ndarray:
        """Returns float32 [n, V + 1], -inf for items that share nothing with the history."""
        num_items = self.item_vectors.shape[0] - 1
        check_ids(histories, num_items)
        user_vectors = histories.to_csr_matrix(num_items) @ self.item_vectors
        if isinstance(self.item_vectors, np.ndarray):
            cosines = normalize_rows(np.asarray(user_vectors)) @ self.item_vectors.T
            return np.where(self.item_vectors.any(axis=1), cosines, np.float32(-np.inf))
        length = np.sqrt(user_vectors.multiply(user_vectors).sum(axis=1))
        products = (user_vectors @ self.item_vectors.T).tocoo()
        scores = np.full(products.shape, -np.inf, np.float32)
        scores[products.row, products.col] = products.data / length[products.row]
        return scores


def fit(split: Split, catalog: Catalog) -> ContentSimilarity:
    """Computes the TF-IDF vectors of the catalog (`TfidfEncoder`), for texts in any language.

    The weights use the texts of all items, also of those that only test users have: texts are known
    in advance and reveal no interactions.

    Args:
        split: Only its number of items is used.
        catalog: V items with texts.

    Raises:
        UserError: The catalog has no text, or no two texts have a word in common.
        ValueError: The catalog and the split have different numbers of items.
    """
    if len(catalog) != split.num_items:
        raise ValueError(f"the catalog has {len(catalog)} items, the split {split.num_items}")
    texts = catalog.to_texts()
    if not any(texts):
        raise UserError(
            "the catalog has ids but no text",
            hint="Give a table of items with titles (--items, --title).",
        )
    return ContentSimilarity(_add_padding(TfidfEncoder().fit(texts).encode(texts)))


def fit_frozen(split: Split) -> ContentSimilarity:
    """Compares the whole texts of items by the vectors of an encoder as it is.

    What a search engine does with a pretrained encoder: nothing is learned from the interactions.

    Args:
        split: A split with `Split.content`; only its texts are used.

    Raises:
        UserError: No texts were encoded.
    """
    if split.content is None or split.content.whole_text is None:
        raise UserError("no texts are encoded", hint="Say which: --text title,authors,description.")
    return ContentSimilarity(_add_padding(split.content.whole_text.vectors), "frozen-text")


def _add_padding(vectors: Vectors) -> Vectors:
    """Puts the row of padding before those of the items: float32 [V + 1, d]."""
    if isinstance(vectors, np.ndarray):
        return np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])
    padding = sparse.csr_array((1, vectors.shape[1]), dtype=np.float32)
    return sparse.csr_array(sparse.vstack([padding, vectors], format="csr"))
