"""Closed-form teachers against dense calculations, and the selection of their settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kd_tf.baselines import ease
from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split, TrainingSet
from kd_tf.errors import UserError
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.closed_form.local_ridge import LocalRidge, refit
from kd_tf.models.teachers import CLOSED_FORM_TEACHERS, EnsembleTeacher
from kd_tf.models.teachers.linear_autoencoder import LinearAutoencoderTeacher
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher, count_pairs
from kd_tf.models.teachers.spectral import SpectralFilterTeacher
from kd_tf.models.training_data import TrainingData
from kd_tf.progress import NullProgress
from kd_tf.training import checkpoint

V, L = 40, 12


def users(count: int, seed: int) -> list[np.ndarray]:
    """Users of two of five shelves of eight items each."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        shelves = random.choice(5, 2, replace=False)
        items = np.concatenate([8 * shelf + 1 + random.permutation(8)[:5] for shelf in shelves])
        rows.append(random.permutation(items).astype(np.int32))
    return rows


def data(seed: int = 0, *, authors: bool = True, order: np.ndarray | None = None) -> TrainingData:
    """The learning data; `order` gives every item another id."""
    number = np.arange(V + 1) if order is None else order
    train = [number[row].astype(np.int32) for row in users(120, seed)]
    held = [number[row].astype(np.int32) for row in users(60, seed + 1)]
    shown = HeldOutSet(
        from_lists([row[:6] for row in held]),
        from_lists([row[6:] for row in held]),
        np.arange(60, dtype=np.int32),
    )
    split = Split(
        train=from_lists(train),
        train_users=np.arange(120, dtype=np.int32),
        validation=shown,
        test=shown,
        protocol="unseen-users",
        seed=3,
        num_items=V,
    )
    columns: dict[str, list[str]] = {"item_id": [str(item) for item in range(V)]}
    if authors:
        writers = np.empty(V, object)
        writers[number[1:] - 1] = [f"writer {item // 4}" for item in range(V)]
        columns["authors"] = writers.tolist()
    friendships = np.array([[user, user + 120] for user in range(60)], np.int32)
    return TrainingData(
        replace(split, catalog=Catalog(pl.DataFrame(columns)), friendships=friendships).train,
        L,
        ValidationMetric(split.validation, V),
        NullProgress(),
    )


def fit_model(architecture, data: TrainingData, **settings):
    """A model of this kind, fitted as `kd-tf run` fits it."""
    model = architecture(data.train.num_items, max_length=data.max_length, **settings)
    model.fit(data.train, validation_data=data.validation_metric, progress=data.progress)
    return model


@pytest.fixture(scope="module", params=CLOSED_FORM_TEACHERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def histories() -> Histories:
    return from_lists([row[:7] for row in users(30, 9)] + [np.array([5], np.int32)])


def test_each_teacher_ranks_the_cluster_of_the_user_first(kind: str):
    actual = data()
    model = fit_model(CLOSED_FORM_TEACHERS[kind], actual)
    popularity = actual.train.popularity().astype(np.float32)
    by_popularity = actual.validation_metric(lambda some: np.tile(popularity, (len(some), 1)))
    assert actual.validation_metric(make_score_fn(model)) > by_popularity + 0.2


def test_scores_outside_tensorflow_are_those_of_the_call(kind: str):
    model = fit_model(CLOSED_FORM_TEACHERS[kind], data())
    some = histories()
    expected = model(some.pad(L)).numpy()[:, 1:]
    actual = model.numpy_scores(some)[:, 1:]
    np.testing.assert_allclose(actual, expected, atol=2e-3 * np.abs(expected).max())


def test_saved_and_loaded_it_scores_alike(kind: str, tmp_path):
    model = fit_model(CLOSED_FORM_TEACHERS[kind], data())
    checkpoint.save(model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.numpy_scores(histories()), model.numpy_scores(histories()))


@pytest.mark.parametrize("kind", ["local-ridge", "linear-autoencoder", "spectral"])
def test_other_ids_for_the_same_items_permute_the_scores_and_change_nothing_else(kind: str):
    order = np.concatenate([[0], np.random.default_rng(5).permutation(V) + 1])
    plain = fit_model(CLOSED_FORM_TEACHERS[kind], data())
    moved = fit_model(CLOSED_FORM_TEACHERS[kind], data(order=order))
    some = histories()
    again = Histories(order[some.items].astype(np.int32), some.offsets)
    before = plain.numpy_scores(some)[:, 1:]
    after = moved.numpy_scores(again)[:, order[1:]]
    np.testing.assert_allclose(after, before, atol=2e-3 * np.abs(before).max())


def test_the_linear_autoencoder_is_the_closed_form_with_a_zero_diagonal():
    actual = data(authors=False)
    weights = fit_model(LinearAutoencoderTeacher, actual).item_weights.numpy()
    assert not weights.diagonal().any()
    assert not weights[0].any()
    assert not weights[:, 0].any()
    train = actual.train
    read = np.zeros((len(train), V + 1))
    for row in range(len(train)):
        read[row, train[row]] = len(train[row]) ** -0.25
    gram = (read.T @ read)[1:, 1:]
    scale = np.trace(gram) / len(train.items)
    candidates = []
    for penalty in (20.0, 50.0, 150.0):
        inverse = np.linalg.inv(gram + penalty * scale * np.eye(V))
        expected = -inverse / np.diag(inverse)
        np.fill_diagonal(expected, 0)
        candidates.append(np.abs(expected - weights[1:, 1:]).max())
    assert min(candidates) < 1e-5


def test_a_matrix_that_would_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(ease, "MAX_BYTES", 4 * V**2 - 1)
    with pytest.raises(UserError, match="dense matrices") as refused:
        fit_model(LinearAutoencoderTeacher, data())
    assert "local-ridge" in str(refused.value.hint)


def test_the_spectral_filter_is_the_heat_kernel_of_the_dense_graph():
    actual = data(authors=False)
    model = fit_model(SpectralFilterTeacher, actual)
    train = actual.train
    read = np.zeros((len(train), V + 1))
    for row in range(len(train)):
        read[row, train[row]] = 1
    degree, length = np.maximum(read.sum(axis=0), 1), read.sum(axis=1)
    graph = read / np.sqrt(length)[:, None] / np.sqrt(degree)
    values, vectors = np.linalg.eigh(graph.T @ graph)
    kept = np.argsort(-values)[: model.embedding_dim]
    errors = []
    for heat in (1.0, 2.0, 4.0, 8.0):
        for power in (0.0, 0.25, 0.5):
            kernel = vectors[:, kept] * np.expm1(heat * values[kept] / values.max())
            dense = (kernel @ vectors[:, kept].T) / np.sqrt(degree)[:, None] * degree**power
            expected_scores = model.input_factors.numpy() @ model.output_factors.numpy().T
            errors.append(np.abs(expected_scores - dense)[1:, 1:].max() / np.abs(dense).max())
    assert min(errors) < 1e-3


def test_the_counts_that_a_ridge_was_solved_from_are_found_again():
    actual = data()
    model = fit_model(LocalRidgeTeacher, actual)
    pairs = count_pairs(actual, model.shared_feature_weight, model.use_low_rated)
    ridge = LocalRidge.from_matrix(model.to_matrix())
    assert abs(ridge.to_matrix() - model.to_matrix()).max() == 0
    again = refit(
        pairs, ridge.neighbours, regularization=model.regularization, progress=actual.progress
    )
    np.testing.assert_allclose(again.weights, ridge.weights, atol=1e-6)


def test_a_catalog_beyond_the_limit_takes_the_default_settings(monkeypatch):
    from kd_tf.models.teachers import local_ridge

    monkeypatch.setattr(local_ridge, "MAX_TUNING_ITEMS", V - 1)
    model = fit_model(LocalRidgeTeacher, data())
    assert (model.regularization, model.shared_feature_weight) == (30.0, 3.0)


def test_items_without_users_and_users_of_one_item_do_no_harm(kind: str):
    actual = data()
    train = from_lists([np.array([1], np.int32)] * 5 + [row % 20 + 1 for row in users(60, 2)])
    unique = from_lists([np.unique(train[row]) for row in range(len(train))])
    lonely = TrainingData(
        TrainingSet(
            unique.items,
            unique.offsets,
            users=np.arange(len(unique), dtype=np.int32),
            num_items=V,
            seed=3,
            catalog=actual.catalog,
            friendships=np.array([[0, 5], [5, 6]], np.int32),
        ),
        L,
        actual.validation_metric,
        NullProgress(),
    )
    assert np.isfinite(
        fit_model(CLOSED_FORM_TEACHERS[kind], lonely).numpy_scores(histories())
    ).all()


def test_an_ensemble_is_at_least_as_good_for_those_who_weigh_it_as_its_best_member():
    actual = data()
    members = [fit_model(one, actual) for one in CLOSED_FORM_TEACHERS.values()]
    ensemble = EnsembleTeacher.from_members(members, actual.validation_metric, actual.progress)
    ensemble.create_weights()
    best = max(actual.validation_metric(make_score_fn(one)) for one in members)
    assert actual.validation_metric(make_score_fn(ensemble)) >= best - 1e-6


def test_an_ensemble_survives_saving_with_its_members_and_weights(tmp_path):
    actual = data()
    members = [fit_model(CLOSED_FORM_TEACHERS[name], actual) for name in ("local-ridge", "ials")]
    ensemble = EnsembleTeacher.from_members(members, actual.validation_metric, actual.progress)
    ensemble.create_weights()
    checkpoint.save(ensemble, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert isinstance(loaded, EnsembleTeacher)
    np.testing.assert_allclose(
        loaded.numpy_scores(histories()), ensemble.numpy_scores(histories()), rtol=1e-6
    )
