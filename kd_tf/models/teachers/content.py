"""A teacher that knows what books are about: every score follows from texts and other items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.backend import keras
from kd_tf.data.features.content import ContentFeatures
from kd_tf.data.features.encode import encode_catalog
from kd_tf.errors import UserError
from kd_tf.evaluation.validation import is_clear_gain
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.content.item_matrix import compute_predicted_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures, fit_item_mixtures
from kd_tf.models.content.similarity_matrix import compute_similarity_matrix
from kd_tf.models.sparse_item_item import SparseItemItemModel
from kd_tf.models.teachers.local_ridge import PRIOR_STRENGTH, choose_ridge
from kd_tf.models.training_data import TrainingData

NUM_WEIGHTS = 300
"""Weights of each scored item that are kept."""

NUM_SIMILAR = 20
"""Similar items of each scored item that count by themselves."""

SIMILARITY_WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Weights of the similarities that are tried, until one gains nothing; relative to the scale on
which the strongest similarity equals the strongest weight that is mapped to."""


@keras.saving.register_keras_serializable(package="kd_tf")
class ContentTeacher(ClosedFormFit, SparseItemItemModel):
    """Scores every item as the mixture of other items that its content makes of it.

    Kernel ridge regression maps content to the columns of a local ridge regression
    (`kd_tf.models.content.item_mixtures`): the column of an item is predicted from those of all
    others, also where it has readers of its own. The similarities of content themselves are added
    as far as validation users like it: where few people have read the known items, what is mapped
    to is uncertain.

    Alone the teacher is weaker than what it is mapped to, but it knows the items that nobody has
    read, and it helps where little is known of a reader. In an ensemble its weight is fitted on
    validation users, and may fall with the length of the history.

    It takes the vectors of ``split.content``; without them it counts the words of the catalog.

    Args:
        **kwargs: As for `SparseItemItemModel`.

    Example:
        >>> import kd_tf as kd
        >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), "cold-items", seed=1)
        >>> teacher = kd.models.ContentTeacher(split.num_items, max_length=20)
        >>> history = teacher.fit(split.train, validation_data=split.validation)
        >>> kd.evaluate(teacher, split.test.select_cold_items())["ndcg@10"] > 0.2
        True
    """

    def solve(self, data: TrainingData) -> None:
        """Fits the local ridge, and maps content to it.

        Raises:
            UserError: No item has any text.
        """
        train = data.train
        content = get_content(data)
        popularity = train.popularity()
        mixtures = fit_item_mixtures(
            content, popularity, includes_known=True, progress=data.progress
        )
        if mixtures is None:
            raise UserError("no item with readers has any text")
        ridge = choose_ridge(data)[0].to_matrix()
        mapped_matrix = compute_predicted_matrix(ridge, mixtures, popularity == 0, NUM_WEIGHTS)
        self.prior.assign(compute_popularity_prior(popularity, PRIOR_STRENGTH))
        self.fit_matrix(mapped_matrix)
        if len(data.validation_metric):
            self._add_similarities(mapped_matrix, content, data)

    def _add_similarities(
        self, mapped_matrix: sparse.csr_array, content: ContentFeatures, data: TrainingData
    ) -> None:
        """Adds the similarities of content themselves, as strongly as validation users like best.

        Where few people have read a book, what is mapped to is uncertain too.
        """
        similarities, _ = compute_similarity_matrix(content, NUM_SIMILAR, data.progress)
        similarities *= np.float32(mapped_matrix.max() / max(float(similarities.max()), 1e-9))
        metric = data.validation_metric
        first_ndcg = best_ndcg = metric.evaluate_per_user(make_score_fn(self))
        best_matrix = mapped_matrix
        with data.progress.task("weighing similarities", len(SIMILARITY_WEIGHTS)) as advance:
            for weight in SIMILARITY_WEIGHTS:
                matrix = sparse.csr_array(mapped_matrix + similarities * np.float32(weight))
                matrix.sort_indices()
                self.fit_matrix(matrix)
                ndcg = metric.evaluate_per_user(make_score_fn(self))
                advance(1, f"weight {weight}: validation NDCG@10 {ndcg.mean():.4f}")
                if ndcg.mean() <= best_ndcg.mean():
                    break
                best_ndcg, best_matrix = ndcg, matrix
        self.fit_matrix(best_matrix if is_clear_gain(best_ndcg - first_ndcg) else mapped_matrix)

    def mix_items(self, mixtures: ItemMixtures) -> None:
        """Does nothing: new items are mixtures here as all others are."""


def get_content(data: TrainingData) -> ContentFeatures:
    """Returns what the items of a training set are about; without vectors, their counted words.

    Raises:
        UserError: The split has no catalog, or no item has any text.
    """
    train = data.train
    if train.content is not None:
        return train.content
    if train.catalog is None:
        raise UserError(
            "a teacher of content needs texts, and the split has no catalog",
            hint="Use a split that kd.split made of a data set with titles.",
        )
    data.progress.info("no texts are encoded: the content teacher counts words (TF-IDF)")
    return encode_catalog(train.catalog, progress=data.progress)
