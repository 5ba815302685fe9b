"""What a student starts from: the readers, and what a teacher says of each book alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import Histories
from kd_tf.evaluate.evaluation import ScoreFn
from kd_tf.models.additive import compute_popularity_prior
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import get_scoring_batch_size
from kd_tf.models.closed_form.co_occurrence import CoOccurrence, count_co_occurrences
from kd_tf.models.closed_form.local_ridge import LocalRidge, prune_neighbours
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.sparse_item_item import SparseItemItemModel
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher, choose_ridge, count_pairs
from kd_tf.models.training_data import TrainingData
from kd_tf.models.weighted_ensemble import WeightedEnsemble

Value = TypeVar("Value")

MAX_ENTRIES = 60_000_000
"""Weights of all rows together that are kept of a teacher: 0.5 GB."""

MAX_ITEMS_FOR_MEMBERS = 40_000
"""Books beyond which the members of an ensemble are not asked one by one."""

MAX_ROW_LENGTH = 1000
"""Targets of one book beyond which nothing is learnt."""

PRIOR_SCALE = 1e-3
"""Of the most read book, relative to the strongest weight of a typical book."""


@dataclass(frozen=True)
class WarmStart:
    """A student that could be shipped as it is.

    Attributes:
        kind: Its family, a name of `STUDENTS`.
        setting: What was set, for people.
        model: With float weights.
    """

    architecture: str
    description: str
    model: HistoryModel


class TeacherItemScores:
    """Computed when first asked for, and then kept: families share it.

    Args:
        data: Readers and who chooses; its history length is the student's.
        teacher: None for a student alone: it then starts from how often books are read together.

    Attributes:
        reached: What the best student so far reaches for the readers who choose. A family that
            is slow to fit may give up where a short fit stays far below it.
    """

    def __init__(self, data: TrainingData, teacher: HistoryModel | None) -> None:
        self.data, self.teacher = data, teacher
        self.best_validation_ndcg = 0.0
        self._cache: dict[str, Any] = {}

    def get_or_compute(self, key: str, compute: Callable[[], Value]) -> Value:
        """What `make` gave when `name` was first asked for."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @cached_property
    def item_item_score_sources(self) -> list[tuple[str, sparse.csr_array]]:
        """Rows like `rows` that a student may be fitted to, and whose they are, best first.

        At most two: of the teacher's own and those of its members the ones that rank best for
        whole histories when they are added up. In a sum of models the one with the longest rows
        drowns the others, and what ranks best for histories need not for one book.
        """
        members = flatten_ensemble(self.teacher)
        if len(members) < 2 or self.data.split.num_items > MAX_ITEMS_FOR_MEMBERS:
            return [("teacher's", self.item_item_scores)]
        best: list[tuple[float, str, sparse.csr_array]] = []

        def consider(name: str, rows: sparse.csr_array) -> None:
            best.append((self.data.validation_metric(_make_sum_score_fn(rows)), name, rows))
            best.sort(key=lambda one: -one[0])
            del best[2:]

        consider("teacher's", self.item_item_scores)
        for one in members:
            name = type(one).__name__.removesuffix("Teacher")
            consider(f"{name}'s", compute_item_item_scores(one, self.data))
        return [(name, rows) for _, name, rows in best]

    @cached_property
    def item_item_scores(self) -> sparse.csr_array:
        """float32 CSR [V + 1, V + 1]: what book h alone makes the teacher think of i, above 0.

        Without a teacher the cosine of their readers.
        """
        if self.teacher is None:
            return compute_cosine_similarities(self.co_occurrences)
        return compute_item_item_scores(self.teacher, self.data)

    @cached_property
    def co_occurrences(self) -> CoOccurrence:
        """How many readers any two books share."""
        return count_co_occurrences(
            self.data.split.train, self.data.split.num_items, progress=self.data.progress
        )

    @cached_property
    def ridge(self) -> tuple[LocalRidge, CoOccurrence, float]:
        """The local ridge, what it was solved from, and its lambda."""
        for part in flatten_ensemble(self.teacher):
            if isinstance(part, LocalRidgeTeacher):
                # Counting again takes a fraction of solving again, or of keeping the counts.
                pairs = count_pairs(self.data, part.shared_feature_weight, part.use_low_rated)
                return LocalRidge.from_matrix(part.to_matrix()), pairs, part.regularization
        model, ridge, pairs = choose_ridge(self.data)
        return ridge, pairs, model.regularization

    @cached_property
    def saliency(self) -> np.ndarray:
        """float32 [V + 1, K]: what each weight of the ridge is worth (`LocalRidge.saliency`)."""
        ridge, pairs, regularization = self.ridge
        found = prune_neighbours(
            pairs, ridge, 1, regularization=regularization, progress=self.data.progress
        )
        assert found.saliency is not None
        return found.saliency

    @cached_property
    def factorization_settings(self) -> tuple[float, float] | None:
        """Alpha and regularisation of the teacher's matrix factorisation, if it has one."""
        for part in flatten_ensemble(self.teacher):
            if isinstance(part, FoldInModel):
                return part.alpha, part.regularization
        return None

    def compute_prior(self, matrix: sparse.csr_array) -> np.ndarray:
        """float32 [V + 1]: ranks what nothing of a history speaks for, far below what it does."""
        strongest = matrix.max(axis=1).toarray().ravel()
        typical = float(np.median(strongest[strongest > 0])) if (strongest > 0).any() else 1.0
        return compute_popularity_prior(self.data.split.popularity(), PRIOR_SCALE * typical)


def flatten_ensemble(model: HistoryModel | None) -> list[HistoryModel]:
    """The models that a blend is made of and that count, the model itself if it is none."""
    if model is None:
        return []
    if not isinstance(model, WeightedEnsemble):
        return [model]
    return [
        one
        for part, weight in zip(model.members, model.member_weights, strict=True)
        if weight
        for one in flatten_ensemble(part)
    ]


def compute_item_item_scores(teacher: HistoryModel, data: TrainingData) -> sparse.csr_array:
    """What every book alone makes a teacher think of: its strongest positive answers.

    Args:
        teacher: Any model; sparse ones give all their weights.
        data: For the catalogue and the progress.

    Returns:
        float32 CSR [V + 1, V + 1] without row and column 0 and the diagonal.
    """
    if isinstance(teacher, SparseItemItemModel):
        return sparse.csr_array(teacher.to_matrix())
    items = data.split.num_items
    width = int(np.clip(MAX_ENTRIES // items, 1, min(MAX_ROW_LENGTH, items)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def best(item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values, ids = tf.math.top_k(teacher.similar(item), min(width + 2, items + 1))
        return values, ids

    ids, values = [], []
    at_once = max(min(get_scoring_batch_size(teacher), 512), 1)
    with data.progress.task("asking the teacher about every book", items) as advance:
        for start in range(1, items + 1, at_once):
            some = np.arange(start, min(start + at_once, items + 1), dtype=np.int32)
            found = best(tf.constant(some))
            value, target = found[0].numpy(), found[1].numpy()
            value[(target == 0) | (target == some[:, None]) | ~(value > 0)] = 0
            ids.append(target)
            values.append(value)
            advance(len(some))
    target, value = np.concatenate(ids), np.concatenate(values)
    row = np.broadcast_to(np.arange(1, items + 1)[:, None], target.shape)
    kept = value > 0
    matrix = sparse.csr_array(
        (value[kept], (row[kept], target[kept])), shape=(items + 1, items + 1)
    )
    matrix.sort_indices()
    return matrix


def _make_sum_score_fn(item_item_scores: sparse.csr_array) -> ScoreFn:
    def score(histories: Histories) -> np.ndarray:
        read = Histories(histories.items, histories.offsets).to_csr_matrix(
            item_item_scores.shape[0] - 1
        )
        return np.asarray((read @ item_item_scores).toarray(), np.float32)

    return score


def compute_cosine_similarities(co_occurrences: CoOccurrence) -> sparse.csr_array:
    """The cosine of two books' readers, the shorter rows of `item_rows`."""
    gram = co_occurrences.gram
    root = 1 / np.sqrt(np.maximum(co_occurrences.item_counts, 1e-12))
    row = np.repeat(np.arange(co_occurrences.num_items + 1), np.diff(gram.indptr))
    data = gram.data * root[row] * root[gram.indices]
    return sparse.csr_array((data.astype(np.float32), gram.indices, gram.indptr), shape=gram.shape)
