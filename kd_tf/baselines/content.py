"""Books whose texts are alike: no reader is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluate.top_k import check_ids


@dataclass(frozen=True)
class ContentSimilarity:
    """Scores a book by the cosine of its text with the texts of the history; see `fit`.

    Attributes:
        vectors: float32 CSR [V + 1, terms], TF-IDF rows of length 1; empty for the padding and
            for books without text.
        name: How tables call it.
    """

    item_vectors: sparse.csr_array
    name: str = "content"

    @property
    def num_parameters(self) -> int:
        return self.item_vectors.nnz

    @property
    def num_bytes(self) -> int:
        vectors = self.item_vectors
        return vectors.data.nbytes + vectors.indices.nbytes + vectors.indptr.nbytes

    def score(self, histories: Histories) -> np.ndarray:
        """float32 [n, V + 1], -inf for books that share no term with the history."""
        items = self.item_vectors.shape[0] - 1
        check_ids(histories, items)
        users = histories.to_csr_matrix(items) @ self.item_vectors
        length = np.sqrt(users.multiply(users).sum(axis=1))
        found = (users @ self.item_vectors.T).tocoo()
        scores = np.full(found.shape, -np.inf, np.float32)
        scores[found.row, found.col] = found.data / length[found.row]
        return scores


def fit(split: Split, catalog: Catalog) -> ContentSimilarity:
    """Weighs the terms of the catalogue by TF-IDF (scikit-learn), in whatever language they are.

    The catalogue is known before anybody reads: that its texts are weighed as a whole, books that
    only test readers have included, tells nothing of who read what.
    Source: Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988, with
    1 + ln(tf).

    Raises:
        UserError: The catalogue has no text, or no two texts have a word in common.
        ValueError: The catalogue has not as many books as the split.
    """
    if len(catalog) != split.num_items:
        raise ValueError(f"the catalogue has {len(catalog)} books, the split {split.num_items}")
    texts = catalog.to_texts()
    if not any(texts):
        raise UserError(
            "the catalogue has ids but no text",
            hint="Give a table of books with titles (--books, --title).",
        )
    # A term of one book alone says nothing about another one.
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
    try:
        vectors = vectorizer.fit_transform(texts)
    except ValueError as error:  # "After pruning, no terms remain"
        raise UserError(
            "no word stands in two books of the catalogue",
            hint="Give a table of books with more text: titles, authors, descriptions.",
        ) from error
    padding = sparse.csr_array((1, vectors.shape[1]), dtype=np.float32)
    return ContentSimilarity(sparse.csr_array(sparse.vstack([padding, vectors], format="csr")))
