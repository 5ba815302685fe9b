"""Candidate scores equal those of the whole catalog, also where a model has a shortcut."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.models.base import HistoryModel
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.models.teachers import TEACHERS
from kd_tf.models.weighted_ensemble import WeightedEnsemble

V, L = 40, 7
NETWORKS = {
    name: architecture
    for name, architecture in {**TRAINED_STUDENTS, **TEACHERS}.items()
    if name in TRAINED_STUDENTS or name in ("gru", "cnn", "transformer", "vae", "two-tower")
}


def random_weights(model: HistoryModel) -> HistoryModel:
    random = np.random.default_rng(0)
    model.create_weights()
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.4, weight.shape))
    return model


def neighbours() -> HistoryModel:
    from scipy import sparse

    random = np.random.default_rng(1)
    dense = random.random((V + 1, V + 1)) * (random.random((V + 1, V + 1)) < 0.2)
    np.fill_diagonal(dense, 0)
    dense[0] = dense[:, 0] = 0
    matrix = sparse.csr_array(dense.astype(np.float32))
    prior = random.random(V + 1).astype(np.float32)
    return NeighboursStudent.from_matrix(matrix, max_length=L, prior=prior)


def fold_in() -> HistoryModel:
    model = FoldInModel(num_items=V, max_length=L, embedding_dim=6, alpha=5.0, regularization=2.0)
    model.create_weights()
    model.assign(np.random.default_rng(2).normal(0, 1, (V + 1, 6)).astype(np.float32))
    return model


def sums() -> dict[str, HistoryModel]:
    kernel = random_weights(ItemKernelStudent(num_items=V, max_length=L, embedding_dim=4))
    plain = {
        "item-kernel": kernel,
        "packed-kernel": kernel.pack(),
        "low-rank": random_weights(LowRankModel(num_items=V, max_length=L, embedding_dim=4)),
        "neighbours": neighbours(),
        "packed-neighbours": neighbours().pack(),
        "fold-in": fold_in(),
    }
    both = WeightedEnsemble(
        members=[plain["neighbours"], plain["fold-in"]], weights=[0.7, 2.0], exponents=[0.0, -0.5]
    )
    both.create_weights()
    return {**plain, "blend": both}


@pytest.fixture(scope="module")
def models() -> dict[str, HistoryModel]:
    sizes = {"num_items": V, "max_length": L}
    return {
        **sums(),
        **{
            name: random_weights(architecture(**sizes, embedding_dim=8))
            for name, architecture in NETWORKS.items()
        },
    }


ARCHITECTURES = [
    *NETWORKS,
    "item-kernel",
    "packed-kernel",
    "low-rank",
    "neighbours",
    "packed-neighbours",
    "fold-in",
    "blend",
]
HISTORIES = np.array(
    [
        [3, 1, 4, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [9, 9, 0, -1, V, V + 1, 2],
        [1, 2, 3, 4, 5, 6, 7],
    ],
    np.int32,
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_candidate_scores_are_those_of_the_whole_catalog_and_0_for_padding(models, architecture):
    candidates = np.array(
        [[5, 0, V, -1], [1, V + 1, 2, 2], [9, 30, 2**31 - 1, 1], [40, 39, 38, 37]], np.int32
    )
    whole = models[architecture](tf.constant(HISTORIES)).numpy()
    actual = models[architecture].score(tf.constant(HISTORIES), tf.constant(candidates)).numpy()
    known = (candidates >= 1) & (candidates <= V)
    expected = np.take_along_axis(whole, np.where(known, candidates, 0), axis=1)
    np.testing.assert_allclose(actual, np.where(known, expected, 0), rtol=1e-4, atol=1e-4)
    assert not actual[~known].any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_contributions_are_0_where_no_item_stands_for_the_first_time(models, architecture):
    items = tf.constant([9, 8, 7, 40])
    actual = models[architecture].contributions(tf.constant(HISTORIES), items).numpy()
    assert actual.shape == HISTORIES.shape
    nothing = np.array([[0, 0, 0, 1, 1, 1, 1], [1] * 7, [0, 1, 1, 1, 0, 1, 0], [0] * 7], bool)
    assert not actual[nothing].any()


@pytest.mark.parametrize("architecture", TRAINED_STUDENTS)
def test_a_contribution_is_what_the_score_loses_without_the_item(models, architecture):
    if architecture == "logistic":
        pytest.skip("a sum: see test_additive.py")
    history, item = np.array([[3, 1, 4, 1, 0, 0, 0]], np.int32), np.array([20], np.int32)
    actual = models[architecture].contributions(tf.constant(history), tf.constant(item)).numpy()[0]

    def score(*read: int) -> float:
        row = np.array([[*read, *[0] * (L - len(read))]], np.int32)
        return float(models[architecture](tf.constant(row)).numpy()[0, 20])

    whole = score(3, 1, 4)
    expected = [whole - score(1, 4), whole - score(3, 4), whole - score(3, 1)]
    np.testing.assert_allclose(actual[:3], expected, atol=1e-4)
