"""Matrix factorization that solves for the user factors inside the model, from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kd_tf.backend import tf
from kd_tf.baselines import ials
from kd_tf.data.histories import Histories
from kd_tf.layers.id_ops import deduplicate
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, check_bits
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.training_data import TrainingData

NUM_SOLVER_STEPS = 12
"""Steps of conjugate gradients. Scores are then within 2e-5 of the exact ones on MovieLens 100k
(8 steps: 1e-3), and within 2e-3 on clustered random data."""

MAX_SOLVER_NUMBERS = 4_000_000
"""Numbers held at most while solving for a batch of users in NumPy: 16 MB."""

PRIOR_STRENGTH = 1e-4
"""The prior of the most popular item: only breaks ties between items that the factors score 0."""


@dataclass(frozen=True)
class _WhiteningCache:
    """The whitening matrix that `FoldInModel.numpy_scores` computed, and the factors it is for."""

    factors: np.ndarray
    matrix: np.ndarray


class FoldInModel(ClosedFormFit):
    """Scores items by matrix factorization, with user factors folded in from the history.

    Weighted matrix factorization (Hu, Koren & Volinsky, "Collaborative filtering for implicit
    feedback datasets", 2008) without a table of users. With the item factors Y, the user factors u
    solve ``(Y^T Y + reg I + sum (alpha - 1) y y^T) u = sum alpha y``, where y runs over the items
    of the history. The system is solved by conjugate gradients, preconditioned with the part that
    does not depend on the user. That takes a few products of small matrices and runs on a phone.

    Args:
        embedding_dim: d. `fit` or `assign` set the item factors.
        alpha: Weight of a seen item relative to an unseen one. None lets `fit` select alpha and
            regularization on the validation users.
        regularization: Regularization of the user factors; given exactly if alpha is.
        bits: Bits per item factor in a file, 8 or 4. The user factors are solved for the rounded
            item factors, which compensates for some of the rounding.
        is_quantized: True builds the form for export: the prior in bytes (`QuantizedVector`),
            factors of four bits packed (`QuantizedEmbedding`).
        **kwargs: `num_items` and `max_length`, see `HistoryModel`.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> import numpy as np
        >>> from kd_tf.backend import tf
        >>> model = FoldInModel(
        ...     num_items=3, max_length=2, embedding_dim=2, alpha=10.0, regularization=1.0
        ... )
        >>> model.assign(np.array([[0, 0], [1, 0], [1, 0.1], [0, 1]]))
        >>> model(tf.constant([[1, 0]])).numpy().round(2)
        array([[ 0.  ,  0.83,  0.83, -0.04]], dtype=float32)
    """

    quantized_weights = ("factors", "whitening")
    quantizations: tuple[str, ...] = ("float32", "dynamic-int8")

    def __init__(
        self,
        num_items: int,
        *,
        embedding_dim: int = ials.NUM_FACTORS,
        alpha: float | None = None,
        regularization: float | None = None,
        bits: int = 8,
        is_quantized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_items, **kwargs)
        if (alpha is None) != (regularization is None):
            raise ValueError("alpha and regularization are given together, or neither")
        self.selects_setting = alpha is None
        if alpha is None or regularization is None:
            alpha, regularization = ials.DEFAULT_SETTING
        if embedding_dim < 1 or alpha < 1 or regularization <= 0:
            raise ValueError(
                "embedding_dim and alpha must be at least 1 and regularization above 0, not "
                f"{embedding_dim}, {alpha} and {regularization}"
            )
        self.embedding_dim, self.alpha, self.regularization = embedding_dim, alpha, regularization
        self.peak_score_rows = 1 + 4 * self.max_length * embedding_dim // (self.num_items + 1)
        self.bits = check_bits(bits)
        self.factors = QuantizedEmbedding(
            self, "factors", embedding_dim, int4=is_quantized and bits == 4
        )
        self.whitening = self.add_weight(
            name="whitening",
            shape=(embedding_dim, embedding_dim),
            initializer="zeros",
            trainable=False,
        )
        self._whitening_cache: _WhiteningCache | None = None
        self.is_quantized = is_quantized
        self.prior = QuantizedVector(self, "prior", is_quantized=is_quantized)

    def solve(self, data: TrainingData) -> None:
        """Fits the item factors by alternating least squares (the library implicit).

        Alpha and regularization are selected on the validation users, unless both were given.
        """
        als = ials.fit(
            data.train,
            num_factors=self.embedding_dim,
            setting=None if self.selects_setting else (self.alpha, self.regularization),
            validation_metric=data.validation_metric,
            progress=data.progress,
        )
        self.alpha, self.regularization = als.alpha, als.regularization
        factors = np.zeros((self.num_items + 1, self.embedding_dim), np.float32)
        # Small catalogs have fewer factors than this model: the others stay 0.
        factors[:, : als.item_factors.shape[1]] = als.item_factors
        self.assign(factors)
        self.prior.assign(compute_popularity_prior(data.train.popularity(), PRIOR_STRENGTH))

    def assign(self, factors: np.ndarray) -> None:
        """Sets the item factors: float32 [V + 1, d], row 0 is ignored.

        Raises:
            ValueError: The shape does not match, or a number is not finite.
        """
        if (
            factors.shape != (self.num_items + 1, self.embedding_dim)
            or not np.isfinite(factors).all()
        ):
            raise ValueError(
                f"factors must be finite [{self.num_items + 1}, {self.embedding_dim}], not "
                f"{list(factors.shape)}: they belong to another catalog"
            )
        factors = factors.astype(np.float32).copy()
        factors[0] = 0
        self.factors.assign(factors)
        # Computed from the stored factors, which may be rounded: users are solved with those.
        self.whitening.assign(self._compute_whitening(self.factors.numpy()))

    def mix_items(self, mixtures: ItemMixtures) -> None:
        # New items are unseen ones for every user, so that they change the others a little.
        self.assign(mixtures.mix_rows(self.factors.numpy()))

    def _compute_whitening(self, factors: np.ndarray) -> np.ndarray:
        """Computes the preconditioner (Y^T Y + reg I)^-1/2: float32 [d, d]."""
        precise = factors.astype(np.float64)
        gram = precise.T @ precise + self.regularization * np.eye(self.embedding_dim)
        values, vectors = np.linalg.eigh(gram)
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float32)

    def pack(self) -> FoldInModel:
        packed_model: FoldInModel = type(self).from_config(
            {**self.get_config(), "is_quantized": True}
        )
        packed_model.create_weights()
        packed_model.assign(self.factors.numpy())
        packed_model.prior.assign(self.prior.numpy())
        return packed_model

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = deduplicate(self.mask_unknown_ids(inputs))
        products = self.factors.dot_products(self.solve_user_factors(ids), ids)
        return products + self.prior.gather_all(ids)

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        user = self.solve_user_factors(deduplicate(self.mask_unknown_ids(history)))
        products = tf.squeeze(tf.matmul(self.factors.gather(ids), tf.expand_dims(user, 2)), 2)
        return tf.where(ids > 0, products + self.prior.gather(ids), 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        # For a history of one item the solution is A^-1 y, up to a factor.
        ids = self.mask_unknown_ids(item)
        # Two products with one matrix: its square would be another constant of the file.
        whitened_factors = tf.matmul(self.factors.gather(ids), self.whitening)
        return self.factors.dot_products(tf.matmul(whitened_factors, self.whitening), ids)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.solve_user_factors(deduplicate(self.mask_unknown_ids(history)))

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.factors.embeddings)

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Computes each history item's term of the score, as in `HistoryModel`.

        With ``u = sum alpha A^-1 y_h`` the score of an item is the prior plus the sum of
        ``alpha y^T A^-1 y_h`` over the history (Hu, Koren & Volinsky, section 5). This takes one
        more solve per user, where leave-one-out would take L.
        """
        ids, item_ids = deduplicate(self.mask_unknown_ids(history)), self.mask_unknown_ids(item)
        rows = tf.matmul(self.factors.gather(ids), self.whitening)
        item_row = tf.matmul(self.factors.gather(item_ids), self.whitening)
        terms = tf.matmul(rows, tf.expand_dims(self._solve(rows, item_row), 2))[:, :, 0]
        return tf.where((ids > 0) & (tf.expand_dims(item_ids, 1) > 0), self.alpha * terms, 0.0)

    def solve_user_factors(self, ids: tf.Tensor) -> tf.Tensor:
        """Solves for the user factors: float32 [B, d] of deduplicated ids int32 [B, L]."""
        # Row 0 of the factors is zero, so that padding has no effect below.
        rows = tf.matmul(self.factors.gather(ids), self.whitening)
        right_side = self.alpha * tf.reduce_sum(rows, axis=1)
        return tf.matmul(self._solve(rows, right_side), self.whitening)

    def _solve(self, rows: tf.Tensor, right_side: tf.Tensor) -> tf.Tensor:
        """Computes (I + (alpha - 1) Z^T Z)^-1 b by conjugate gradients.

        Args:
            rows: Z, float32 [B, L, d].
            right_side: b, float32 [B, d].

        Returns:
            float32 [B, d].
        """

        def apply_matrix(vector: tf.Tensor) -> tf.Tensor:
            products = tf.matmul(rows, tf.expand_dims(vector, 2))
            return vector + (self.alpha - 1) * tf.matmul(rows, products, transpose_a=True)[:, :, 0]

        def dot(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(x * y, axis=1, keepdims=True)

        solution = tf.zeros_like(right_side)
        residual = direction = right_side
        residual_norm = dot(residual, residual)
        for _ in range(NUM_SOLVER_STEPS):
            image = apply_matrix(direction)
            # A converged user (or an empty history) has residual 0: 0 / tiny stays 0.
            step = residual_norm / tf.maximum(dot(direction, image), 1e-30)
            solution += step * direction
            residual -= step * image
            new_norm = dot(residual, residual)
            direction = residual + new_norm / tf.maximum(residual_norm, 1e-30) * direction
            residual_norm = new_norm
        return solution

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        scores = self.numpy_user_factors(histories) @ self.factors.numpy().T
        return np.asarray(scores + self.prior.numpy(), np.float32)

    def numpy_user_factors(self, histories: Histories) -> np.ndarray:
        """Solves for the user factors in NumPy: float32 [n, d]."""
        factors = self.factors.numpy()
        # Not the weight `whitening`: the factors may have been trained since `assign`.
        if self._whitening_cache is None or not np.array_equal(
            self._whitening_cache.factors, factors
        ):
            self._whitening_cache = _WhiteningCache(
                factors.copy(), self._compute_whitening(factors)
            )
        whitening = self._whitening_cache.matrix
        rows = factors @ whitening
        rows[0] = 0  # so that padding has no effect below
        matrix = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        unique = Histories(matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64))
        users = np.empty((len(histories), self.embedding_dim), np.float32)
        # Users with histories of similar length form a batch, so that there is little padding.
        order = np.argsort(unique.lengths, kind="stable")
        while len(order):
            longest = max(int(unique.lengths[order[-1]]), 1)
            batch_size = max(MAX_SOLVER_NUMBERS // (longest * (self.embedding_dim + longest)), 1)
            order, batch = order[:-batch_size], order[-batch_size:]
            history_rows = rows[unique.take(batch).pad(longest)]
            # (I + b Z^T Z)^-1 Z^T 1 = Z^T (I + b Z Z^T)^-1 1: [L, L] and not [d, d].
            system = history_rows @ history_rows.transpose(0, 2, 1)
            system *= np.float32(self.alpha - 1)
            system += np.eye(longest, dtype=np.float32)
            ones = np.ones((len(batch), longest, 1), np.float32)
            solution = np.linalg.solve(system, ones)
            users[batch] = (solution.transpose(0, 2, 1) @ history_rows)[:, 0]
        users *= np.float32(self.alpha)
        return np.asarray(users @ whitening, np.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "alpha": self.alpha,
            "regularization": self.regularization,
            "bits": self.bits,
            "is_quantized": self.is_quantized,
        }
