"""A linear student of low rank: two small embeddings per item."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from kd_tf.backend import keras
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.teachers.local_ridge import choose_ridge
from kd_tf.models.training_data import TrainingData


@keras.saving.register_keras_serializable(package="kd_tf")
class LowRankStudent(ClosedFormFit, LowRankModel):
    """The item-item weights of a teacher, factorized; see `LowRankModel`.

    Best where interactions are dense. `fit` factorizes a local ridge regression of its own;
    `kd_tf.distill.warm_start` factorizes a teacher's item scores.

    Args:
        **kwargs: As for `LowRankModel`.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
        >>> student = LowRankStudent(split.num_items, max_length=20, embedding_dim=8)
        >>> history = student.fit(split.train)
        >>> student.input_factors.shape
        TensorShape([61, 8])
    """

    def solve(self, data: TrainingData) -> None:
        """Factorizes the weights of a local ridge regression by a truncated SVD."""
        teacher = choose_ridge(data)[0]
        self.set_embedding_dim(min(self.embedding_dim, max(self.num_items // 2, 1)))
        self.assign(
            *factorize_item_scores(teacher.to_matrix(), self.embedding_dim, data.train.seed)
        )
        self.prior.assign(teacher.prior.numpy())


def factorize_item_scores(
    item_scores: sparse.csr_array, embedding_dim: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factorizes an item-item matrix by a truncated SVD, with the singular values in both factors.

    Args:
        item_scores: CSR [V + 1, V + 1]; entry (h, i) is what item h adds to the score of item i.
        embedding_dim: d, the rank.
        seed: Random seed of the approximation (Halko, Martinsson & Tropp, 2011).

    Returns:
        Input and output factors, float32 [V + 1, d] each.
    """
    history_vectors, singular_values, target_vectors = randomized_svd(
        sparse.csr_matrix(item_scores), embedding_dim, n_iter=3, random_state=seed
    )
    scale = np.sqrt(singular_values)
    return (
        (history_vectors * scale).astype(np.float32),
        (target_vectors.T * scale).astype(np.float32),
    )
