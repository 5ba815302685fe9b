"""The MLP student in plain NumPy: what its files are measured against, and an oracle for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class NumpyMLP:
    """Ranks as `kd_tf.models.students.mlp.MLPStudent` does, one history after the other.

    Args:
        weights: float32: ``table`` [V + 1, d] and ``scoring_table``, the same or another one,
            ``recency`` [L] (what a book counts by its age, the newest first), ``hidden_kernel``
            [d, h], ``hidden_bias`` [h], ``correction_kernel`` [h, d], ``correction_bias`` [d].
        k: K.
    """

    def __init__(self, weights: dict[str, np.ndarray], k: int) -> None:
        self.weights = weights
        self.num_items = len(weights["table"]) - 1
        self.k = k

    @classmethod
    def load(cls, path: str | Path) -> NumpyMLP:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            weights = {name: stored[name] for name in stored.files if name != "k"}
            weights.setdefault("scoring_table", weights["table"])
            return cls(weights, int(stored["k"]))

    def save(self, path: str | Path) -> None:
        """Writes the weights into one file; a tied table once."""
        weights = dict(self.weights)
        if weights["scoring_table"] is weights["table"]:
            del weights["scoring_table"]
        np.savez(path, allow_pickle=False, k=np.array(self.k), **weights)

    def score(self, history: np.ndarray) -> np.ndarray:
        """float32 [V + 1] of a history int32 [L], padded with 0 at the end."""
        w = self.weights
        known = history[(history >= 1) & (history <= self.num_items)]
        ids = known[np.sort(np.unique(known, return_index=True)[1])]
        counts = w["recency"][: len(ids)][::-1]
        own = (counts / np.sqrt(max(counts.sum(), 1.0))) @ w["table"][ids]
        hidden = np.maximum(own @ w["hidden_kernel"] + w["hidden_bias"], 0)
        user = own + hidden @ w["correction_kernel"] + w["correction_bias"]
        return np.asarray(w["scoring_table"] @ user.astype(np.float32))

    def recommend(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The K best books that are not in the history: ids int32 [K] and scores float32 [K]."""
        scores = self.score(history)
        scores[0] = -np.inf
        scores[history[(history >= 1) & (history <= self.num_items)]] = -np.inf
        # All that are as good as the K-th, so that of equal ones those with the least ids stay.
        best = np.flatnonzero(scores >= np.partition(scores, -self.k)[-self.k])
        best = best[np.lexsort((best, -scores[best]))][: self.k]
        given = np.isfinite(scores[best])
        return (
            np.where(given, best, 0).astype(np.int32),
            np.where(given, scores[best], 0).astype(np.float32),
        )
