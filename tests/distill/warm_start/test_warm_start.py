"""Warm-started students: within their bytes, and near their teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.distill.warm_start import WARM_STARTS, TeacherItemScores
from kd_tf.distill.warm_start.neighbours import prune_by_saliency, select_best_neighbours
from kd_tf.distill.warm_start.teacher_items import (
    compute_item_item_scores,
    flatten_ensemble,
)
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.additive import AdditiveModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.local_ridge import LocalRidge
from kd_tf.models.closed_form.sparsify import keep_top_weights
from kd_tf.models.students import STUDENTS
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.models.teachers import EnsembleTeacher, ImplicitALSTeacher, LocalRidgeTeacher
from kd_tf.models.training_data import TrainingData
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.progress import NullProgress

V, L = 200, 12


@pytest.fixture(scope="module")
def data() -> TrainingData:
    shop = generate_bookshop(num_items=V, num_users=500, seed=2)
    split = split_unseen_users(shop.interactions, test_users=50, validation_users=150)
    return TrainingData(
        replace(split, catalog=shop.catalog).train,
        L,
        ValidationMetric(split.validation, V),
        NullProgress(),
    )


def fit_model(architecture, data: TrainingData, **settings):
    """A model of this kind, fitted as `kd-tf run` fits it."""
    model = architecture(data.train.num_items, max_length=data.max_length, **settings)
    model.fit(data.train, validation_data=data.validation_metric, progress=data.progress)
    return model


@pytest.fixture(scope="module")
def ridge(data: TrainingData) -> LocalRidgeTeacher:
    return fit_model(LocalRidgeTeacher, data)


@pytest.fixture(scope="module")
def source(data: TrainingData, ridge: LocalRidgeTeacher) -> TeacherItemScores:
    ials = fit_model(ImplicitALSTeacher, data, embedding_dim=16)
    ensemble = EnsembleTeacher.from_members([ridge, ials], data.validation_metric, data.progress)
    return TeacherItemScores(data, ensemble)


@pytest.mark.slow
@pytest.mark.parametrize("max_bytes", [3_000, 9_000, 40_000])
@pytest.mark.parametrize("family", WARM_STARTS)
def test_every_warm_start_fits_the_bytes_and_has_its_architecture(
    source, family: str, max_bytes: int
):
    for start in WARM_STARTS[family].generate(source, max_bytes):
        assert start.architecture == family
        assert compute_quantized_size(start.model) <= max_bytes
        assert isinstance(start.model, STUDENTS[family])


@pytest.mark.slow
@pytest.mark.parametrize("family", WARM_STARTS)
def test_a_warm_start_ranks_far_better_than_popularity(source, data, family: str):
    popularity = data.train.popularity().astype(np.float32)
    floor = data.validation_metric(lambda some: np.tile(popularity, (len(some), 1)))
    best = max(
        data.validation_metric(make_score_fn(snap_to_quantization_grid(start.model)))
        for start in WARM_STARTS[family].generate(source, 40_000)
    )
    assert best > 1.2 * floor


@pytest.mark.slow
@pytest.mark.parametrize("family", WARM_STARTS)
def test_a_family_gives_a_student_from_its_least_bytes_on(source, family: str):
    min_bytes = WARM_STARTS[family].compute_min_bytes(V)
    assert compute_quantized_size(next(WARM_STARTS[family].generate(source, min_bytes)).model) <= (
        min_bytes
    )
    assert list(WARM_STARTS[family].generate(source, min_bytes - 1)) == []


@pytest.mark.parametrize(
    ("family", "num_items", "min_bytes"),
    [
        # The bytes of the weights, by the formats that docs/explanation/students.md describes.
        *(("low-rank", 999, 1000 * 3 + 1024), ("low-rank", 1, None)),
        *(("fold-in", 5000, 5001 * 4 + 16 + 2 * 1024), ("fold-in", 31, None)),
        *(("item-kernel", 5000, 5001 * 6 + 4 * 1024), ("item-kernel", 40_001, None)),
        ("neighbours", 16, 9 * 2 + 2 * (16 + 4) + 2 * 17 + 258 * 4),
    ],
)
def test_the_least_bytes_are_those_of_the_smallest_shape(family, num_items, min_bytes):
    assert WARM_STARTS[family].compute_min_bytes(num_items) == min_bytes


@pytest.mark.slow
@pytest.mark.parametrize("family", ["neighbours", "item-kernel", "low-rank", "fold-in"])
def test_a_student_alone_needs_no_teacher(data, family: str):
    starts = list(WARM_STARTS[family].generate(TeacherItemScores(data, None), 20_000))
    assert starts
    assert all(np.isfinite(data.validation_metric(make_score_fn(start.model))) for start in starts)


def test_neighbours_with_room_for_all_are_their_teacher(data, ridge):
    all_of_them = next(
        WARM_STARTS["neighbours"].generate(TeacherItemScores(data, ridge), 10_000_000)
    )
    positive = ridge.to_matrix()
    positive.data = np.maximum(positive.data, 0)
    positive.eliminate_zeros()
    assert abs(all_of_them.model.to_matrix() - positive).max() == 0


def test_the_budget_over_all_items_is_spent_to_the_last_weight(data, source):
    pruned = prune_by_saliency(source, 3 * V)
    assert pruned.nnz == 3 * V
    actual, pairs, regularization = source.ridge
    assert isinstance(actual, LocalRidge)
    # What is left of each item is the exact ridge on it: its gradient is zero.
    gram = pairs.gram.toarray() + np.diag(pairs.item_counts + regularization * pairs.mean_weight)
    dense = pruned.toarray()
    for item in range(1, V + 1):
        expected_scores = np.flatnonzero(dense[:, item])
        gradient = (
            gram[np.ix_(expected_scores, expected_scores)] @ dense[expected_scores, item]
            - gram[expected_scores, item]
        )
        assert np.abs(gradient).max(initial=0) < 1e-3 * np.abs(gram[expected_scores, item]).max(
            initial=1
        )


def test_what_is_spared_fits_better_than_what_a_cut_by_size_leaves(source):
    actual, pairs, regularization = source.ridge
    gram = pairs.gram.toarray() + np.diag(pairs.item_counts + regularization * pairs.mean_weight)

    def loss(weights: sparse.csr_array) -> float:
        dense = weights.toarray()
        return float(
            np.einsum("hi,hj,ji->", dense, gram, dense) - 2 * (dense * pairs.gram.toarray()).sum()
        )

    assert loss(prune_by_saliency(source, 4 * V)) < loss(
        keep_top_weights(actual.to_matrix(), 4, "candidate")
    )


@pytest.mark.slow
def test_item_item_scores_are_those_of_histories_of_one_item(source, data):
    teacher = source.teacher
    rows = compute_item_item_scores(teacher, data)
    assert not rows.diagonal().any()
    assert (rows.data > 0).all()
    similar = teacher.similar(np.array([7], np.int32)).numpy()[0]
    similar[[0, 7]] = 0
    np.testing.assert_allclose(rows.toarray()[7], np.maximum(similar, 0), rtol=1e-5, atol=1e-7)


def test_parts_that_weigh_nothing_are_no_parts(ridge, data):
    other = fit_model(ImplicitALSTeacher, data, embedding_dim=8)
    blend = WeightedEnsemble(members=[ridge, other], weights=[1.0, 0.0])
    assert flatten_ensemble(blend) == [ridge]
    assert flatten_ensemble(None) == []


def test_a_residual_brings_a_student_nearer_to_the_rows(source):
    rows = source.item_item_scores.toarray()
    ids = np.arange(1, V + 1, dtype=np.int32)
    start = next(WARM_STARTS["low-rank-residual"].generate(source, 40_000))
    smooth, correction = start.model.members
    assert isinstance(smooth, AdditiveModel)
    assert isinstance(correction, NeighboursStudent)
    far = np.abs(smooth.item_scores(ids).numpy() - rows[1:]).sum()
    near = np.abs(start.model.similar(ids).numpy() - rows[1:]).sum()
    assert near < far


def test_rows_are_those_that_rank_best_when_they_are_added_up(data, ridge):
    ials = fit_model(ImplicitALSTeacher, data, embedding_dim=16)
    both = EnsembleTeacher(members=[ridge, ials], weights=[1.0, 0.2])
    both.create_weights()
    source = TeacherItemScores(data, both)
    candidates = {
        "teacher": compute_item_item_scores(both, data),
        "LocalRidge": compute_item_item_scores(ridge, data),
        "ImplicitALS": compute_item_item_scores(ials, data),
    }

    def added_up(rows):
        return lambda some: (some.to_csr_matrix(V) @ rows).toarray().astype(np.float32)

    ndcg = {name: data.validation_metric(added_up(rows)) for name, rows in candidates.items()}
    expected = sorted(ndcg, key=lambda name: -ndcg[name])[:2]
    assert [name for name, _ in source.item_item_score_sources] == expected
    for name, rows in source.item_item_score_sources:
        assert abs(rows - candidates[name]).max() == 0
    assert len(TeacherItemScores(data, ridge).item_item_score_sources) == 1


def test_kernels_without_gain_are_dropped_with_a_note(data, source):
    messages = []

    class Listening(NullProgress):
        def info(self, message: str) -> None:
            messages.append(message)

    hopeless = TeacherItemScores(replace(data, progress=Listening()), source.teacher)
    hopeless.best_validation_ndcg = 100.0
    assert list(WARM_STARTS["item-kernel"].generate(hopeless, 9_000)) == []
    assert list(WARM_STARTS["kernel-residual"].generate(hopeless, 9_000)) == []
    assert [one for one in messages if "Skipped item kernels" in one and "100.0000" in one]


@pytest.mark.slow
def test_narrow_kernels_are_tried_in_four_bits_too(source):
    narrow = [start.model for start in WARM_STARTS["item-kernel"].generate(source, 8_000)]
    assert [model.bits for model in narrow] == [8, 4]
    assert narrow[1].embedding_dim > narrow[0].embedding_dim
    for enough_or_too_little in (5_500, 9_500):
        starts = list(WARM_STARTS["item-kernel"].generate(source, enough_or_too_little))
        assert [start.model.bits for start in starts] == [8]


def test_factors_take_four_bits_until_there_is_room_for_eight(source):
    (tight,) = (start.model for start in WARM_STARTS["fold-in"].generate(source, 3_500))
    (roomy,) = (start.model for start in WARM_STARTS["fold-in"].generate(source, 9_000))
    assert (tight.bits, roomy.bits) == (4, 8)
    assert roomy.embedding_dim == V // 8 // 2 * 2


def test_which_neighbours_are_best_is_found_out_once(data, source):
    calls = []
    counted = TeacherItemScores(
        replace(
            data, validation_metric=lambda score: calls.append(1) or data.validation_metric(score)
        ),
        source.teacher,
    )
    first = select_best_neighbours(counted, 9_000)
    times = len(calls)
    tried = {
        start.description: data.validation_metric(make_score_fn(start.model))
        for start in WARM_STARTS["neighbours"].generate(counted, 9_000)
    }
    assert first.description == max(tried, key=tried.get)
    assert compute_quantized_size(select_best_neighbours(counted, 5_000).model) <= 5_000
    assert times > 0
    assert len(calls) == times
    assert select_best_neighbours(counted, 400) is None
