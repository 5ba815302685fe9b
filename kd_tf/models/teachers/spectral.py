"""A spectral graph filter on the user-item graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from kd_tf.backend import keras
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.training_data import TrainingData

MAX_EMBEDDING_DIM = 512
"""Maximum number of eigenvectors."""

DIFFUSION_TIMES = (1.0, 2.0, 4.0, 8.0)
"""Values of t that are tuned on validation users."""

POPULARITY_POWERS = (0.0, 0.25, 0.5)
"""Values of p that are tuned on validation users."""

PRIOR_STRENGTH = 1e-6
"""Prior of the most popular item: it only breaks ties."""


@keras.saving.register_keras_serializable(package="kd_tf")
class SpectralFilterTeacher(ClosedFormFit, LowRankModel):
    """Smooths a history along the top eigenvectors of the item-item graph.

    Let R~ be the interaction matrix divided by the roots of the user and item degrees, and l and v
    the eigenvalues (divided by the largest) and eigenvectors of R~^T R~. The scores of a history r
    are r D^-1/2 [sum (exp(t l) - 1) v v^T] D^p: the heat kernel of the graph without its identity.
    This is a low-pass graph filter as in Shen et al., "How Powerful is Graph Convolution for
    Recommendation?" (GF-CF, 2021).

    Args:
        **kwargs: As for `LowRankModel`.
    """

    def __init__(
        self, num_items: int, *, embedding_dim: int = MAX_EMBEDDING_DIM, **kwargs: Any
    ) -> None:
        # Until `solve`, which may need fewer.
        super().__init__(num_items, embedding_dim=min(embedding_dim, num_items), **kwargs)
        self.max_embedding_dim = embedding_dim

    def solve(self, data: TrainingData) -> None:
        """Computes the eigenvectors; t and p are tuned on validation users."""
        num_items = data.train.num_items
        interactions = data.train.to_csr_matrix(num_items)
        item_degree = np.asarray((interactions != 0).sum(axis=0)).ravel()
        item_degree = np.maximum(item_degree, 1).astype(np.float64)
        user_degree = np.maximum(np.diff(interactions.indptr), 1).astype(np.float64)
        graph = sparse.csr_matrix(
            sparse.diags_array(user_degree**-0.5)
            @ interactions
            @ sparse.diags_array(item_degree**-0.5)
        )
        max_rank = min(interactions.shape) - 1
        embedding_dim = int(max(min(self.max_embedding_dim, num_items // 4, max_rank), 1))
        settings = [(time, power) for time in DIFFUSION_TIMES for power in POPULARITY_POWERS]
        with data.progress.task("spectral filter", 2 + len(settings)) as advance:
            _, singular_values, vectors = randomized_svd(
                graph, embedding_dim, n_oversamples=64, n_iter=6, random_state=data.train.seed
            )
            advance(2)
            eigenvalues = (singular_values / max(singular_values[0], 1e-12)) ** 2
            self.set_embedding_dim(embedding_dim)
            self.prior.assign(compute_popularity_prior(data.train.popularity(), PRIOR_STRENGTH))

            def apply_setting(setting: tuple[float, float]) -> None:
                time, power = setting
                filtered_vectors = (vectors * np.expm1(time * eigenvalues)[:, None]).T
                input_factors = filtered_vectors * item_degree[:, None] ** -0.5
                output_factors = vectors.T * item_degree[:, None] ** power
                input_factors[0] = output_factors[0] = 0
                self.assign(input_factors.astype(np.float32), output_factors.astype(np.float32))

            def evaluate_setting(setting: tuple[float, float]) -> float:
                apply_setting(setting)
                advance()
                return data.validation_metric(self.numpy_scores)

            has_validation = len(data.validation_metric) > 0
            apply_setting(max(settings, key=evaluate_setting) if has_validation else (2.0, 0.25))
