"""The MLP student in plain NumPy: a competitor in benchmarks and a reference for parity checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class NumpyMLP:
    """`kd_tf.models.students.mlp.MLPStudent` in NumPy, for one history at a time.

    Args:
        weights: float32 arrays: ``table`` [V + 1, d], ``scoring_table`` [V + 1, d] (the same
            object if the table is tied), ``recency`` [L] (the weight of an item by its age, the
            newest first), ``hidden_kernel`` [d, h], ``hidden_bias`` [h], ``correction_kernel``
            [h, d], ``correction_bias`` [d].
        k: K, the number of items in a list.

    Attributes:
        weights: The weights.
        num_items: V.
        k: K.

    Example:
        >>> table = np.array([[0, 0], [1, 0], [1, 0.5], [0, 1]], np.float32)
        >>> hidden, correction = np.zeros((2, 1), np.float32), np.zeros((1, 2), np.float32)
        >>> model = NumpyMLP(
        ...     {
        ...         "table": table,
        ...         "scoring_table": table,
        ...         "recency": np.ones(4, np.float32),
        ...         "hidden_kernel": hidden,
        ...         "hidden_bias": np.zeros(1, np.float32),
        ...         "correction_kernel": correction,
        ...         "correction_bias": np.zeros(2, np.float32),
        ...     },
        ...     k=2,
        ... )
        >>> ids, scores = model.recommend(np.array([1, 0, 0, 0], np.int32))
        >>> ids.tolist(), scores.tolist()
        ([2, 3], [1.0, 0.0])
    """

    def __init__(self, weights: dict[str, np.ndarray], k: int) -> None:
        self.weights = weights
        self.num_items = len(weights["table"]) - 1
        self.k = k

    @classmethod
    def load(cls, path: str | Path) -> NumpyMLP:
        """Loads a file that `save` wrote.

        Args:
            path: The .npz file.

        Returns:
            The model.
        """
        with np.load(path, allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files if name != "k"}
            weights.setdefault("scoring_table", weights["table"])
            return cls(weights, int(arrays["k"]))

    def save(self, path: str | Path) -> None:
        """Saves the weights to one .npz file, with a tied table only once.

        Args:
            path: The file.
        """
        weights = dict(self.weights)
        if weights["scoring_table"] is weights["table"]:
            del weights["scoring_table"]
        np.savez(path, allow_pickle=False, k=np.array(self.k), **weights)

    def score(self, history: np.ndarray) -> np.ndarray:
        """Scores all items for a history.

        Args:
            history: int32 [L], oldest first, padded with 0 at the end; unknown ids are ignored.

        Returns:
            float32 [V + 1], the score of each id.
        """
        w = self.weights
        items = history[(history >= 1) & (history <= self.num_items)]
        ids = items[np.sort(np.unique(items, return_index=True)[1])]
        age_weights = w["recency"][: len(ids)][::-1]
        pooled_row = (age_weights / np.sqrt(max(age_weights.sum(), 1.0))) @ w["table"][ids]
        hidden = np.maximum(pooled_row @ w["hidden_kernel"] + w["hidden_bias"], 0)
        user = pooled_row + hidden @ w["correction_kernel"] + w["correction_bias"]
        return np.asarray(w["scoring_table"] @ user.astype(np.float32))

    def recommend(self, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Recommends the K best items that are not in the history.

        Args:
            history: int32 [L], as for `score`.

        Returns:
            Ids int32 [K], best first, and their scores float32 [K]; both are 0 at the end if
            fewer than K items remain.
        """
        scores = self.score(history)
        scores[0] = -np.inf
        scores[history[(history >= 1) & (history <= self.num_items)]] = -np.inf
        # Include all ties with the K-th score, so that the smallest ids among them win.
        best = np.flatnonzero(scores >= np.partition(scores, -self.k)[-self.k])
        best = best[np.lexsort((best, -scores[best]))][: self.k]
        is_valid = np.isfinite(scores[best])
        return (
            np.where(is_valid, best, 0).astype(np.int32),
            np.where(is_valid, scores[best], 0).astype(np.float32),
        )
