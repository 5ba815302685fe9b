"""Diversifies recommendation lists by maximal marginal relevance (MMR).

Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries", SIGIR 1998.
"""

from __future__ import annotations

import numpy as np

from kd_tf.runtime.isolated_model import IsolatedModel
from kd_tf.runtime.model import TFLiteModel, pad_history


def rerank_mmr(
    model: TFLiteModel | IsolatedModel,
    ids: np.ndarray,
    scores: np.ndarray,
    diversity: float,
    k: int,
) -> list[int]:
    """Selects items one by one, each by its score minus its similarity to the items before.

    Each step selects the item with the highest
    ``(1 - diversity) * score - diversity * max similarity to selected items``, where scores are
    scaled to 0..1. The similarity of two items is the score of one for a history with only the
    other (signature ``score``), scaled to 0..1 for each history and averaged over both directions.

    Args:
        model: A model with the signature ``score``.
        ids: int32 [n], candidates, best first.
        scores: float32 [n], their scores.
        diversity: From 0 (order by score) to 1 (order by dissimilarity).
        k: Number of items to select.

    Returns:
        Indices into `ids` in the order of selection; the first is 0.
    """
    if not len(ids):
        return []
    similarity = np.stack(
        [
            _scale_to_unit_interval(model.score(pad_history([item], model.max_length), ids))
            for item in ids
        ]
    )
    similarity = (similarity + similarity.T) / 2
    relevance = (1 - diversity) * _scale_to_unit_interval(scores)
    selection = [0]
    max_similarity = similarity[0].copy()
    while len(selection) < min(k, len(ids)):
        marginal_relevance = relevance - diversity * max_similarity
        marginal_relevance[selection] = -np.inf
        selection.append(int(marginal_relevance.argmax()))
        max_similarity = np.maximum(max_similarity, similarity[selection[-1]])
    return selection


def _scale_to_unit_interval(scores: np.ndarray) -> np.ndarray:
    """Scales scores linearly to 0..1."""
    low, high = scores.min(), scores.max()
    return np.asarray((scores - low) / max(float(high - low), 1e-12), np.float64)
