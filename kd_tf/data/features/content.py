"""What items are about, as vectors, block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from kd_tf.encoders.base import Vectors


@dataclass(frozen=True)
class FeatureBlock:
    """Vectors of one kind of content.

    Attributes:
        name: For tables, for example ``"title, authors (tfidf)"``.
        vectors: float32 [V, d], dense or CSR; the row of an item has length 1, or is zero where it
            has no content. Row ``i`` is the item with model id ``i + 1``.
        space: Fingerprint of the pretrained encoder: what is learnt of vectors of one space holds
            for other catalogs. Empty where the numbers of a vector mean something in this catalog
            only, such as counts of its words.
    """

    name: str
    vectors: Vectors
    space: str = ""


@dataclass(frozen=True, repr=False)
class ContentFeatures:
    """What the items of a catalog are about.

    Attributes:
        blocks: At least one block, all with the same number of rows.
        whole_text: The vectors of all text of an item as one: what a search engine compares. None
            where no text is encoded.

    Example:
        >>> vectors = np.array([[1, 0], [0, 0], [0.6, 0.8]], np.float32)
        >>> features = ContentFeatures((FeatureBlock("title (static)", vectors),))
        >>> len(features), features.has_content.tolist()
        (3, [True, False, True])
    """

    blocks: tuple[FeatureBlock, ...]
    whole_text: FeatureBlock | None = None

    def __len__(self) -> int:
        return int(self.blocks[0].vectors.shape[0])

    def __repr__(self) -> str:
        return f"<ContentFeatures of {len(self):,} items: {self.describe()}>"

    def describe(self) -> str:
        """Names the blocks."""
        return "; ".join(block.name for block in self.blocks)

    @property
    def has_content(self) -> np.ndarray:
        """bool [V]: whether any block knows something of the item."""
        return np.asarray(np.any([_is_nonzero(block.vectors) for block in self.blocks], axis=0))

    def compute_fingerprint(self) -> str:
        """Returns the SHA-256 of all vectors."""
        digest = hashlib.sha256()
        for block in self.blocks:
            vectors = block.vectors
            arrays = (
                (vectors,)
                if isinstance(vectors, np.ndarray)
                else (vectors.data, vectors.indices, vectors.indptr)
            )
            for array in arrays:
                digest.update(f"{block.name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _is_nonzero(vectors: Vectors) -> np.ndarray:
    if isinstance(vectors, np.ndarray):
        return np.asarray(vectors.any(axis=1))
    return np.asarray(np.diff(vectors.indptr) > 0)
