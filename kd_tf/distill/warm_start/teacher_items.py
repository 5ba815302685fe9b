"""Item-item scores that warm starts are fitted to: from the teacher, or from the interactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.evaluation.evaluate import ScoreFn
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.models.closed_form.co_occurrence import CoOccurrence, count_co_occurrences
from kd_tf.models.closed_form.local_ridge import LocalRidge, prune_neighbours
from kd_tf.models.closed_form.sparsify import keep_items, keep_top_weights
from kd_tf.models.content.item_matrix import mix_item_matrix
from kd_tf.models.content.item_mixtures import ItemMixtures
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.sparse_item_item import SparseItemItemModel
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher, choose_ridge, count_pairs
from kd_tf.models.training_data import TrainingData
from kd_tf.models.weighted_ensemble import WeightedEnsemble

Value = TypeVar("Value")

MAX_ENTRIES = 60_000_000
"""Maximum number of item-item scores stored per teacher: 0.5 GB."""

MAX_ITEMS_FOR_MEMBERS = 40_000
"""Above this catalog size, the members of an ensemble are not scored one by one."""

MAX_ROW_LENGTH = 1000
"""Maximum number of target items per row: more do not improve a student."""

PRIOR_SCALE = 1e-3
"""Prior of the most popular item, relative to the largest weight of a median item."""


@dataclass(frozen=True)
class WarmStart:
    """A student that was initialized without training and can be exported as it is.

    Attributes:
        architecture: Its family, a name in `kd_tf.models.students.STUDENTS`.
        description: Its settings, for people.
        model: The student with float weights.
    """

    architecture: str
    description: str
    model: HistoryModel


class TeacherItemScores:
    """Item-item scores of a teacher, computed on first use and shared by all warm starts.

    Args:
        data: The training users and the validation metric; its `max_length` is the student's.
        teacher: The teacher; None for a student without one, which then starts from item-item
            co-occurrence.
        mixtures: The items without training interactions, as mixtures of others; None if there are
            none. A teacher knows them already (`HistoryModel.mix_items`).

    Attributes:
        best_validation_ndcg: Validation NDCG@10 of the best student so far. Families that are slow
            to fit stop early if a short fit stays far below it.

    Example:
        >>> from kd_tf.data.histories import from_lists
        >>> from kd_tf.data.split import HeldOutSet, Split
        >>> from kd_tf.evaluation.validation import ValidationMetric
        >>> from kd_tf.progress import NullProgress
        >>> train = from_lists([[1, 2], [1, 2, 3], [3]])
        >>> held_out = HeldOutSet(from_lists([[1]]), from_lists([[2]]), np.arange(1))
        >>> split = Split(train, np.arange(3), held_out, held_out, "unseen-users", 0, 3)
        >>> metric = ValidationMetric(held_out, 3)
        >>> data = TrainingData(split.train, 3, metric, NullProgress())
        >>> TeacherItemScores(data, teacher=None).item_item_scores.toarray()[1:, 1:].round(2)
        array([[0.  , 1.  , 0.41],
               [1.  , 0.  , 0.41],
               [0.41, 0.41, 0.  ]], dtype=float32)
    """

    def __init__(
        self,
        data: TrainingData,
        teacher: HistoryModel | None,
        mixtures: ItemMixtures | None = None,
    ) -> None:
        self.data, self.teacher, self.mixtures = data, teacher, mixtures
        self.best_validation_ndcg = 0.0
        self._cache: dict[str, Any] = {}

    def get_or_compute(self, key: str, compute: Callable[[], Value]) -> Value:
        """Returns the cached result for `key`, and calls `compute` on first use."""
        if key not in self._cache:
            self._cache[key] = compute()
        result: Value = self._cache[key]
        return result

    @cached_property
    def item_item_score_sources(self) -> list[tuple[str, sparse.csr_array]]:
        """Names and matrices like `item_item_scores` to fit students to, best first.

        At most two: of the whole teacher and its ensemble members, those whose summed rows rank
        best for whole histories. In an ensemble's sum the member with the longest rows dominates,
        and the sum that ranks best for histories need not be best for single items.
        """
        members = flatten_ensemble(self.teacher)
        if len(members) < 2 or self.data.train.num_items > MAX_ITEMS_FOR_MEMBERS:
            return [("teacher", self.item_item_scores)]
        best: list[tuple[float, str, sparse.csr_array]] = []

        def add_candidate(name: str, matrix: sparse.csr_array) -> None:
            ndcg = self.data.validation_metric(_make_sum_score_fn(matrix))
            best.append((ndcg, name, matrix))
            best.sort(key=lambda candidate: -candidate[0])
            # Only two are kept in memory at any time.
            del best[2:]

        add_candidate("teacher", self.item_item_scores)
        for member in members:
            name = type(member).__name__.removesuffix("Teacher")
            add_candidate(name, compute_item_item_scores(member, self.data))
        return [(name, matrix) for _, name, matrix in best]

    @cached_property
    def item_item_scores(self) -> sparse.csr_array:
        """float32 CSR [V + 1, V + 1]: the teacher's positive scores of item i given item h alone.

        Row h, column i. Without a teacher, the cosine similarity of the items' users.
        """
        if self.teacher is None:
            similarities = compute_cosine_similarities(self.co_occurrences)
            if self.mixtures is None:
                return similarities
            return mix_item_matrix(similarities, self.mixtures)
        return compute_item_item_scores(self.teacher, self.data)

    @cached_property
    def co_occurrences(self) -> CoOccurrence:
        """The weighted numbers of training users that each pair of items shares."""
        return count_co_occurrences(
            self.data.train, self.data.train.num_items, progress=self.data.progress
        )

    @cached_property
    def ridge(self) -> tuple[LocalRidge, CoOccurrence, float]:
        """The local ridge, the co-occurrences it was fitted to, and its regularization."""
        for member in flatten_ensemble(self.teacher):
            if isinstance(member, LocalRidgeTeacher):
                # Counting the pairs again is much faster than fitting again, and cheaper than
                # keeping the counts in memory.
                co_occurrences = count_pairs(
                    self.data, member.shared_feature_weight, member.use_low_rated
                )
                ridge = LocalRidge.from_matrix(self._leave_out_new_items(member.to_matrix()))
                return ridge, co_occurrences, member.regularization
        model, ridge, co_occurrences = choose_ridge(self.data)
        return ridge, co_occurrences, model.regularization

    def _leave_out_new_items(self, matrix: sparse.csr_array) -> sparse.csr_array:
        """Removes rows and columns of mixed items, which are long and come from no interactions."""
        if self.mixtures is None:
            return matrix
        is_known = np.ones(matrix.shape[0], bool)
        is_known[self.mixtures.items] = False
        return keep_items(matrix, is_known)

    def add_new_items(self, matrix: sparse.csr_array, max_weights: int) -> sparse.csr_array:
        """Adds the columns of new items to a matrix that was made of the interactions alone.

        Args:
            matrix: float32 CSR [V + 1, V + 1] without weights of new items.
            max_weights: How many weights of each new item are added at most, the largest.
        """
        if self.mixtures is None:
            return matrix
        is_new = np.zeros(matrix.shape[0], np.float32)
        is_new[self.mixtures.items] = 1
        _, scores = self.item_item_score_sources[0]
        columns = sparse.csr_array(scores @ sparse.diags_array(is_new))
        columns.eliminate_zeros()
        return sparse.csr_array(matrix + keep_top_weights(columns, max_weights, "candidate"))

    @property
    def num_new_items(self) -> int:
        """Number of items without training interactions that are mixtures of others."""
        return 0 if self.mixtures is None else len(self.mixtures.items)

    @cached_property
    def saliency(self) -> np.ndarray:
        """float32 [V + 1, K]: the importance of each ridge weight (`LocalRidge.saliency`)."""
        ridge, co_occurrences, regularization = self.ridge
        pruned_ridge = prune_neighbours(
            co_occurrences, ridge, 1, regularization=regularization, progress=self.data.progress
        )
        assert pruned_ridge.saliency is not None
        return pruned_ridge.saliency

    @cached_property
    def factorization_settings(self) -> tuple[float, float] | None:
        """Alpha and regularization of the teacher's matrix factorization, None without one."""
        for member in flatten_ensemble(self.teacher):
            if isinstance(member, FoldInModel):
                return member.alpha, member.regularization
        return None

    def compute_prior(self, matrix: sparse.csr_array) -> np.ndarray:
        """Computes a popularity prior far below the scores of `matrix`.

        It ranks the items that no item of the history has a score for.

        Args:
            matrix: float32 CSR [V + 1, V + 1], item-item scores.

        Returns:
            float32 [V + 1].
        """
        max_scores = matrix.max(axis=1).toarray().ravel()
        median = float(np.median(max_scores[max_scores > 0])) if (max_scores > 0).any() else 1.0
        return compute_popularity_prior(self.data.train.popularity(), PRIOR_SCALE * median)


def flatten_ensemble(model: HistoryModel | None) -> list[HistoryModel]:
    """Lists the members of nested ensembles with nonzero weight, or the model itself.

    Args:
        model: Any model, or None for an empty list.
    """
    if model is None:
        return []
    if not isinstance(model, WeightedEnsemble):
        return [model]
    return [
        leaf
        for member, weight in zip(model.members, model.member_weights, strict=True)
        if weight
        for leaf in flatten_ensemble(member)
    ]


def compute_item_item_scores(teacher: HistoryModel, data: TrainingData) -> sparse.csr_array:
    """Computes a teacher's highest positive scores given each item alone.

    Args:
        teacher: Any model; for an item-item model, its whole weight matrix is used.
        data: Provides the catalog size and the progress.

    Returns:
        float32 CSR [V + 1, V + 1] without row 0, column 0 and the diagonal.
    """
    if isinstance(teacher, SparseItemItemModel):
        return sparse.csr_array(teacher.to_matrix())
    num_items = data.train.num_items
    width = int(np.clip(MAX_ENTRIES // num_items, 1, min(MAX_ROW_LENGTH, num_items)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def select_top_items(item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Two more than needed: padding and the item itself are removed below.
        values, ids = tf.math.top_k(teacher.similar(item), min(width + 2, num_items + 1))
        return values, ids

    target_batches, value_batches = [], []
    batch_size = max(min(get_scoring_batch_size(teacher), 512), 1)
    with data.progress.task("computing the teacher's item-item scores", num_items) as advance:
        for start in range(1, num_items + 1, batch_size):
            batch = np.arange(start, min(start + batch_size, num_items + 1), dtype=np.int32)
            values, targets = (tensor.numpy() for tensor in select_top_items(tf.constant(batch)))
            values[(targets == 0) | (targets == batch[:, None]) | ~(values > 0)] = 0
            target_batches.append(targets)
            value_batches.append(values)
            advance(len(batch))
    targets, values = np.concatenate(target_batches), np.concatenate(value_batches)
    rows = np.broadcast_to(np.arange(1, num_items + 1)[:, None], targets.shape)
    is_positive = values > 0
    matrix = sparse.csr_array(
        (values[is_positive], (rows[is_positive], targets[is_positive])),
        shape=(num_items + 1, num_items + 1),
    )
    matrix.sort_indices()
    return matrix


def _make_sum_score_fn(item_item_scores: sparse.csr_array) -> ScoreFn:
    """Makes a function that scores histories by the sum of their items' rows."""

    def score(histories: Histories) -> np.ndarray:
        item_matrix = Histories(histories.items, histories.offsets).to_csr_matrix(
            item_item_scores.shape[0] - 1
        )
        return np.asarray((item_matrix @ item_item_scores).toarray(), np.float32)

    return score


def compute_cosine_similarities(co_occurrences: CoOccurrence) -> sparse.csr_array:
    """Computes the cosine similarity of each pair of items over their users.

    ``c_hi / sqrt(n_h n_i)`` with c the co-occurrences and n the numbers of users, both weighted.

    Returns:
        float32 CSR [V + 1, V + 1].
    """
    gram = co_occurrences.gram
    inverse_root = 1 / np.sqrt(np.maximum(co_occurrences.item_counts, 1e-12))
    row = np.repeat(np.arange(co_occurrences.num_items + 1), np.diff(gram.indptr))
    data = gram.data * inverse_root[row] * inverse_root[gram.indices]
    return sparse.csr_array((data.astype(np.float32), gram.indices, gram.indptr), shape=gram.shape)
