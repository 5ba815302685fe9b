"""Lists whose books are not all of one kind: maximal marginal relevance.

Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries", 1998.
"""

from __future__ import annotations

import numpy as np

from kd_tf.runtime.model import TFLiteModel, pad_history


def rerank_mmr(
    model: TFLiteModel, ids: np.ndarray, scores: np.ndarray, diversity: float, k: int
) -> list[int]:
    """Picks books one after the other, each by its score less its likeness to those before.

    ``(1 - diversity) * score - diversity * max over the picked of likeness``, scores brought to
    0..1. Two books are alike as far as a reader of the one, and of nothing else, is recommended
    the other: the scores of the signature ``score``, brought to 0..1 for every reader, averaged
    over both directions.

    Args:
        model: Has the signature ``score``.
        ids: int32 [n], best first.
        scores: float32 [n].
        diversity: 0 to 1.
        k: How many are picked.

    Returns:
        Their places in `ids`, in the order of picking. The best comes first.
    """
    if not len(ids):
        return []
    alike = np.stack(
        [
            _scale_to_unit_interval(model.score(pad_history([one], model.max_length), ids))
            for one in ids
        ]
    )
    alike = (alike + alike.T) / 2
    worth = (1 - diversity) * _scale_to_unit_interval(scores)
    picked = [0]
    likest = alike[0].copy()
    while len(picked) < min(k, len(ids)):
        value = worth - diversity * likest
        value[picked] = -np.inf
        picked.append(int(value.argmax()))
        likest = np.maximum(likest, alike[picked[-1]])
    return picked


def _scale_to_unit_interval(scores: np.ndarray) -> np.ndarray:
    low, high = scores.min(), scores.max()
    return np.asarray((scores - low) / max(float(high - low), 1e-12), np.float64)
