"""A filter on the graph of readers and books: strong where few have read much in common."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from kd_tf.backend import keras
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.training_data import TrainingData

MAX_EMBEDDING_DIM = 512
DIFFUSION_TIMES = (1.0, 2.0, 4.0, 8.0)
POPULARITY_POWERS = (0.0, 0.25, 0.5)

PRIOR_STRENGTH = 1e-6


@keras.saving.register_keras_serializable(package="kd_tf")
class SpectralFilterTeacher(LowRankModel):
    """Smooths a history along the strongest eigenvectors of the item-item graph.

    With R~ the readers' books divided by the roots of both degrees, l and v the eigenvalues (over
    the largest) and eigenvectors of R~^T R~, the scores are r D^-1/2 [sum (exp(t l) - 1) v v^T]
    D^p: the heat kernel of the graph without its identity. A low-pass graph filter as in Shen et
    al., "How Powerful is Graph Convolution for Recommendation?" (GF-CF, 2021).
    """

    @classmethod
    def from_training_data(cls, data: TrainingData) -> SpectralFilterTeacher:
        """Finds the eigenvectors; validation chooses t and p."""
        items = data.split.num_items
        read = data.split.train.to_csr_matrix(items)
        degree = np.maximum(np.asarray((read != 0).sum(axis=0)).ravel(), 1).astype(np.float64)
        length = np.maximum(np.diff(read.indptr), 1).astype(np.float64)
        graph = sparse.csr_matrix(
            sparse.diags_array(length**-0.5) @ read @ sparse.diags_array(degree**-0.5)
        )
        embedding_dim = int(max(min(MAX_EMBEDDING_DIM, items // 4, min(read.shape) - 1), 1))
        tries = [(heat, power) for heat in DIFFUSION_TIMES for power in POPULARITY_POWERS]
        with data.progress.task("spectral filter", 2 + len(tries)) as advance:
            _, values, vectors = randomized_svd(
                graph, embedding_dim, n_oversamples=64, n_iter=6, random_state=data.split.seed
            )
            advance(2)
            share = (values / max(values[0], 1e-12)) ** 2
            model = cls(num_items=items, max_length=data.max_length, embedding_dim=embedding_dim)
            model.create_weights()
            model.prior.assign(compute_popularity_prior(data.split.popularity(), PRIOR_STRENGTH))

            def take(setting: tuple[float, float]) -> None:
                heat, power = setting
                left = (vectors * np.expm1(heat * share)[:, None]).T * degree[:, None] ** -0.5
                right = vectors.T * degree[:, None] ** power
                left[0] = right[0] = 0
                model.assign(left.astype(np.float32), right.astype(np.float32))

            def reached(setting: tuple[float, float]) -> float:
                take(setting)
                advance()
                return data.validation_metric(model.numpy_scores)

            take(max(tries, key=reached) if len(data.validation_metric) else (2.0, 0.25))
        return model
