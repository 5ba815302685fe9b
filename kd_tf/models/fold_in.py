"""Matrix factorisation that finds a reader's factors from the history, inside the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kd_tf.backend import tf
from kd_tf.baselines import ials
from kd_tf.data.histories import Histories
from kd_tf.layers.quantized_embedding import QuantizedEmbedding, check_bits
from kd_tf.layers.quantized_vector import QuantizedVector
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.base import HistoryModel
from kd_tf.models.training_data import TrainingData

NUM_SOLVER_STEPS = 12
"""Of the conjugate gradients: on factors learnt from MovieLens 100k scores are then within 2e-5 of
the exact ones (8 steps: 1e-3), on clustered random data within 2e-3."""

MAX_SOLVER_NUMBERS = 4_000_000
"""How many numbers are held while readers are solved in NumPy: 16 MB."""

PRIOR_STRENGTH = 1e-4
"""Of the most read book: it only orders what the factors say nothing of."""


@dataclass(frozen=True)
class _WhiteningCache:
    """What `FoldInModel.numpy_scores` worked out for some factors."""

    factors: np.ndarray
    matrix: np.ndarray


class FoldInModel(HistoryModel):
    """Factors of books, and the reader's as the solution of a small least-squares problem.

    Weighted matrix factorisation (Hu, Koren & Volinsky, "Collaborative filtering for implicit
    feedback datasets", 2008) without a table of readers: with the books' factors Y the reader's u
    solves ``(Y^T Y + reg I + sum (alpha - 1) y y^T) u = sum alpha y`` over the books of the
    history. The problem is solved by conjugate gradients, preconditioned with what does not
    depend on the reader, so that a few products of small matrices do, on a phone as well.

    Args:
        books: V.
        history_length: L.
        dimensions: d.
        alpha: How much more than an unread book a read one counts.
        regularization: Of a reader's factors. `assign` fills the rest.
        bits: Of a factor in a file: 8, or 4, which the solved reader makes up for.
        coded: Whether it is stored for a file: the prior in bytes (`BookVector`), factors of
            four bits packed (`BookTable`).
    """

    quantized_weights = ("factors", "whitening")
    quantizations = ("float32", "dynamic-int8")

    def __init__(
        self,
        *,
        embedding_dim: int,
        alpha: float,
        regularization: float,
        bits: int = 8,
        quantized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if embedding_dim < 1 or alpha < 1 or regularization <= 0:
            raise ValueError(
                "dimensions and alpha must be at least 1 and regularization above 0, not "
                f"{embedding_dim}, {alpha} and {regularization}"
            )
        self.embedding_dim, self.alpha, self.regularization = embedding_dim, alpha, regularization
        self.peak_score_rows = 1 + 4 * self.max_length * embedding_dim // (self.num_items + 1)
        self.bits = check_bits(bits)
        self.factors = QuantizedEmbedding(
            self, "factors", embedding_dim, int4=quantized and bits == 4
        )
        self.whitening = self.add_weight(
            name="whitening",
            shape=(embedding_dim, embedding_dim),
            initializer="zeros",
            trainable=False,
        )
        self._whitening_cache: _WhiteningCache | None = None
        self.quantized = quantized
        self.prior = QuantizedVector(self, "prior", quantized=quantized)

    @classmethod
    def from_training_data(
        cls,
        data: TrainingData,
        *,
        embedding_dim: int = ials.NUM_FACTORS,
        setting: tuple[float, float] | None = None,
        bits: int = 8,
    ) -> Self:
        """Learns the books' factors by alternating least squares (the library implicit).

        Args:
            data: Its training readers are learnt from.
            dimensions: d, at most one an eighth of the books.
            setting: Alpha and regularisation; None lets the validation readers choose.
            bits: See the class.
        """
        found = ials.fit(
            data.split,
            num_factors=embedding_dim,
            setting=setting,
            validation_metric=data.validation_metric,
            progress=data.progress,
        )
        model = cls(
            num_items=data.split.num_items,
            max_length=data.max_length,
            embedding_dim=found.item_factors.shape[1],
            alpha=found.alpha,
            regularization=found.regularization,
            bits=bits,
        )
        model.create_weights()
        model.assign(found.item_factors)
        model.prior.assign(compute_popularity_prior(data.split.popularity(), PRIOR_STRENGTH))
        return model

    def assign(self, factors: np.ndarray) -> None:
        """Takes over the books' factors: float32 [V + 1, d], row 0 is ignored.

        Raises:
            ValueError: The shape is another, or a number is not finite.
        """
        if (
            factors.shape != (self.num_items + 1, self.embedding_dim)
            or not np.isfinite(factors).all()
        ):
            raise ValueError(
                f"factors must be finite [{self.num_items + 1}, {self.embedding_dim}], not "
                f"{list(factors.shape)}: they belong to another catalogue"
            )
        factors = factors.astype(np.float32).copy()
        factors[0] = 0
        self.factors.assign(factors)
        # The reader is solved with the factors that the model has, rounded or not.
        self.whitening.assign(self._compute_whitening(self.factors.numpy()))

    def _compute_whitening(self, factors: np.ndarray) -> np.ndarray:
        """float32 [d, d], (Y^T Y + reg I)^-1/2."""
        some = factors.astype(np.float64)
        gram = some.T @ some + self.regularization * np.eye(self.embedding_dim)
        values, vectors = np.linalg.eigh(gram)
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float32)

    def pack(self) -> FoldInModel:
        compact = type(self).from_config({**self.get_config(), "coded": True})
        compact.create_weights()
        compact.assign(self.factors.numpy())
        compact.prior.assign(self.prior.numpy())
        return compact

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        ids = self.deduplicate(inputs)
        return self.factors.dot_products(self.solve_user_factors(ids), ids) + self.prior.gather_all(
            ids
        )

    def score(self, history: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
        ids = self.mask_unknown_ids(candidates)
        user = self.solve_user_factors(self.deduplicate(history))
        products = tf.squeeze(tf.matmul(self.factors.gather(ids), tf.expand_dims(user, 2)), 2)
        return tf.where(ids > 0, products + self.prior.gather(ids), 0.0)

    def similar(self, item: tf.Tensor) -> tf.Tensor:
        # For one book the solution is the book's own preconditioned row, up to its length.
        ids = self.mask_unknown_ids(item)
        # Twice by the same matrix: its square would be one more constant of the file.
        whitened = tf.matmul(self.factors.gather(ids), self.whitening)
        return self.factors.dot_products(tf.matmul(whitened, self.whitening), ids)

    def user_embeddings(self, history: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.solve_user_factors(self.deduplicate(history))

    def item_embeddings(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.factors.embeddings)

    def contributions(self, history: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """As in `HistoryModel`: a book's share of the sum that the score is.

        ``u = sum alpha A^-1 y_h`` makes the score of a book the sum of ``alpha y^T A^-1 y_h`` and
        the prior (Hu, Koren & Volinsky, section 5). One more reader is solved for it, where leaving
        out each book in turn would solve L.
        """
        ids, asked = self.deduplicate(history), self.mask_unknown_ids(item)
        rows = tf.matmul(self.factors.gather(ids), self.whitening)
        own = tf.matmul(self.factors.gather(asked), self.whitening)
        shares = tf.matmul(rows, tf.expand_dims(self._solve(rows, own), 2))[:, :, 0]
        return tf.where((ids > 0) & (tf.expand_dims(asked, 1) > 0), self.alpha * shares, 0.0)

    def solve_user_factors(self, ids: tf.Tensor) -> tf.Tensor:
        """float32 [B, d], the factors of readers of the books int32 [B, L], each once."""
        # Row 0 of the factors is zero: padding adds nothing anywhere below.
        rows = tf.matmul(self.factors.gather(ids), self.whitening)
        wanted = self.alpha * tf.reduce_sum(rows, axis=1)
        return tf.matmul(self._solve(rows, wanted), self.whitening)

    def _solve(self, rows: tf.Tensor, right_side: tf.Tensor) -> tf.Tensor:
        """(I + (alpha - 1) Z^T Z)^-1 b: float32 [B, d] of Z [B, L, d] and b [B, d]."""

        def product(vector: tf.Tensor) -> tf.Tensor:
            along = tf.matmul(rows, tf.expand_dims(vector, 2))
            back = tf.matmul(rows, along, transpose_a=True)[:, :, 0]
            return vector + (self.alpha - 1) * back

        def dot(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(left * right, axis=1, keepdims=True)

        solution = tf.zeros_like(right_side)
        residual = direction = right_side
        size = dot(residual, residual)
        for _ in range(NUM_SOLVER_STEPS):
            image = product(direction)
            # A solved reader (or an empty history) has no residual left: 0 / tiny stays 0.
            step = size / tf.maximum(dot(direction, image), 1e-30)
            solution += step * direction
            residual -= step * image
            left = dot(residual, residual)
            direction = residual + left / tf.maximum(size, 1e-30) * direction
            size = left
        return solution

    def numpy_scores(self, histories: Histories) -> np.ndarray:
        factors = self.factors.numpy()
        # Not the weight: the factors may have been trained since they were assigned.
        if self._whitening_cache is None or not np.array_equal(
            self._whitening_cache.factors, factors
        ):
            self._whitening_cache = _WhiteningCache(
                factors.copy(), self._compute_whitening(factors)
            )
        whitening = self._whitening_cache.matrix
        rows = factors @ whitening
        rows[0] = 0  # padding adds nothing below
        read = Histories(histories.items, histories.offsets).to_csr_matrix(self.num_items)
        each = Histories(read.indices.astype(np.int32), read.indptr.astype(np.int64))
        users = np.empty((len(histories), self.embedding_dim), np.float32)
        # Readers of about as many books together, so that little is padding.
        order = np.argsort(each.lengths, kind="stable")
        while len(order):
            longest = max(int(each.lengths[order[-1]]), 1)
            at_once = max(MAX_SOLVER_NUMBERS // (longest * (self.embedding_dim + longest)), 1)
            order, part = order[:-at_once], order[-at_once:]
            own = rows[each.take(part).pad(longest)]
            # (I + b Z^T Z)^-1 Z^T 1 = Z^T (I + b Z Z^T)^-1 1: as small as the history is short.
            inner = own @ own.transpose(0, 2, 1)
            inner *= np.float32(self.alpha - 1)
            inner += np.eye(longest, dtype=np.float32)
            solved = np.linalg.solve(inner, np.ones((len(own), longest, 1), np.float32))
            users[part] = (solved.transpose(0, 2, 1) @ own)[:, 0]
        users *= np.float32(self.alpha)
        return np.asarray(users @ whitening @ factors.T + self.prior.numpy(), np.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dimensions": self.embedding_dim,
            "alpha": self.alpha,
            "regularization": self.regularization,
            "bits": self.bits,
            "quantized": self.quantized,
        }
