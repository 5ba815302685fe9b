"""The Gibbs sampler: each step against its definition, whole fits against known truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.special import ndtr

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.ranking.bayesian.columns import (
    Prior,
    SharedSets,
    SparseColumns,
    make_feature_columns,
)
from kd_tf.models.ranking.bayesian.sampler import Sample, compute_predictions, sample_posterior
from kd_tf.models.ranking.teachers.bayesian_factorization_machine import (
    BayesianFactorizationMachineTeacher,
    limit_samples,
)
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout

USERS, ITEMS = 30, 20
GENRES = range(USERS + 2, USERS + 9)
LAYOUT = FeatureLayout(
    (
        CategoricalFeature("user", USERS + 2),
        CategoricalFeature("genres", 7, num_values=3),
        CategoricalFeature("item", ITEMS + 2),
    ),
    ("price", "age"),
)


def make_rows(num_rows: int = 400, seed: int = 0) -> RankingExamples:
    random = np.random.default_rng(seed)
    genres = random.integers(1, 7, (num_rows, 3))
    lengths = random.integers(0, 4, num_rows)  # 0: a list without values
    genres[np.arange(3) >= lengths[:, None]] = 0
    ids = [random.integers(0, USERS + 2, num_rows), *genres.T, random.integers(0, 22, num_rows)]
    numbers = random.normal(size=(num_rows, 2)) * (random.random((num_rows, 2)) < 0.8)
    return RankingExamples(
        LAYOUT,
        np.stack(ids, axis=1).astype(np.int32),
        numbers.astype(np.float32),
        random.random(num_rows).astype(np.float32),
    )


def make_groups(rows: RankingExamples, pool: ThreadPoolExecutor) -> list:
    has_set = np.arange(USERS + 2) > 1
    sets = SharedSets(
        np.ascontiguousarray(rows.categorical[:, 0]),
        np.ascontiguousarray(rows.categorical[:, 4]),
        USERS + 2, ITEMS + 2, has_set,
    )  # fmt: skip
    return [*make_feature_columns(rows, pool), sets]


def make_matrices(rows: RankingExamples) -> list[np.ndarray]:
    """The columns of `make_groups`, written out as dense matrices."""
    num_rows = len(rows)
    user, genres, item = rows.categorical[:, 0], rows.categorical[:, 1:4], rows.categorical[:, 4]
    genre_matrix = np.zeros((num_rows, 7))
    sets = np.zeros((USERS + 2, ITEMS + 2))
    for row in range(num_rows):
        values = [genre for genre in genres[row] if genre] or [0]
        for genre in values:
            genre_matrix[row, genre] += 1 / len(values)
        if user[row] > 1 and item[row] > 1:
            sets[user[row], item[row]] = 1
    sets /= np.sqrt(np.maximum(sets.sum(axis=1, keepdims=True), 1))
    return [
        np.eye(USERS + 2)[user], genre_matrix, np.eye(ITEMS + 2)[item],
        rows.numeric.astype(float), sets[user],
    ]  # fmt: skip


def test_predictions_are_those_of_the_definition():
    rows, random = make_rows(), np.random.default_rng(1)
    matrices = make_matrices(rows)
    linear = [random.normal(size=matrix.shape[1]) for matrix in matrices]
    vectors = [random.normal(size=(3, matrix.shape[1])) for matrix in matrices]
    with ThreadPoolExecutor(2) as pool:
        groups = make_groups(rows, pool)
        predictions = compute_predictions(groups, Sample(0.5, linear, vectors), len(rows))
    x, weights = np.concatenate(matrices, axis=1), np.concatenate(linear)
    factors = np.concatenate(vectors, axis=1)
    for row in range(0, len(rows), 37):
        pairs = sum(
            x[row, i] * x[row, j] * (factors[:, i] @ factors[:, j])
            for i in np.flatnonzero(x[row])
            for j in np.flatnonzero(x[row])
            if i < j and not (i in GENRES and j in GENRES)
        )
        assert predictions[row] == pytest.approx(0.5 + x[row] @ weights + pairs, abs=1e-9)


@pytest.mark.parametrize("is_linear", [True, False])
@pytest.mark.parametrize("group_index", range(5), ids=["user", "list", "item", "numbers", "sets"])
def test_a_step_samples_each_weight_from_its_posterior(group_index, is_linear):
    rows, random = make_rows(), np.random.default_rng(2)
    matrices = make_matrices(rows)
    x = matrices[group_index]
    theta = random.normal(size=x.shape[1])
    others = random.normal(size=len(rows))  # the element summed over the other groups
    sums, residuals = others + x @ theta, random.normal(size=len(rows))
    normals = random.normal(size=x.shape[1])
    prior = Prior(mean=0.3, precision=2.0, alpha=1.7)
    new_theta, new_sums, new_residuals = theta.copy(), sums.copy(), residuals.copy()
    for column in range(x.shape[1]):  # by the formulas, one weight after the other
        # The values of a list do not interact.
        part = x @ new_theta if group_index == 1 else x[:, column] * new_theta[column]
        slope = x[:, column] * (1 if is_linear else new_sums - part)
        target = new_residuals + slope * new_theta[column]
        precision = prior.precision + prior.alpha * (slope @ slope)
        mean = (prior.precision * prior.mean + prior.alpha * (slope @ target)) / precision
        change = mean + normals[column] / np.sqrt(precision) - new_theta[column]
        new_theta[column] += change
        new_residuals -= change * slope
        new_sums += change * x[:, column]
    with ThreadPoolExecutor(2) as pool:
        group = make_groups(rows, pool)[group_index]
        group.sample(theta, residuals, None if is_linear else sums, normals, prior)
    np.testing.assert_allclose(theta, new_theta, atol=1e-6)
    np.testing.assert_allclose(residuals, new_residuals, atol=1e-5)
    if not is_linear:
        np.testing.assert_allclose(sums, new_sums, atol=1e-6)


def test_threads_change_nothing(monkeypatch):
    random = np.random.default_rng(3)
    columns = random.integers(0, 50, 30_000).astype(np.int32)
    residuals, sums = random.normal(size=(2, 30_000))
    prior, results = Prior(0.0, 1.0, 1.0), []
    for threads in (1, 3):
        monkeypatch.setattr("kd_tf.models.ranking.bayesian.columns.count_threads", lambda: threads)  # noqa: B023
        theta, new_residuals, new_sums = np.zeros(50), residuals.copy(), sums.copy()
        with ThreadPoolExecutor(threads) as pool:
            group = SparseColumns(None, columns, 50, None, 30_000, pool)
            group.sample(theta, new_residuals, new_sums, np.ones(50), prior)
        results.append((theta, new_residuals, new_sums))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_residuals_stay_those_of_the_definition():
    rows = make_rows()
    labels = (rows.labels - 0.5) / 0.3
    with ThreadPoolExecutor(2) as pool:
        groups = make_groups(rows, pool)
        draws = sample_posterior(groups, labels, dim=2, is_binary=False, seed=4)
        samples = [next(draws) for _ in range(6)]
        residuals = draws.gi_frame.f_locals["residuals"]
        predictions = compute_predictions(groups, samples[-1], len(rows))
    np.testing.assert_allclose(residuals, labels - predictions, atol=1e-4)


def make_planted_rows(num_rows: int, seed: int) -> tuple[RankingExamples, np.ndarray]:
    """Rows of users and items with a known score: biases and one taste."""
    random = np.random.default_rng(seed)
    truth = np.random.default_rng(5)
    user_bias, item_bias = truth.normal(0, 0.4, USERS + 2), truth.normal(0, 0.4, ITEMS + 2)
    taste, kind = truth.normal(size=USERS + 2), truth.normal(size=ITEMS + 2)
    user, item = random.integers(2, USERS + 2, num_rows), random.integers(2, ITEMS + 2, num_rows)
    score = user_bias[user] + item_bias[item] + taste[user] * kind[item]
    layout = FeatureLayout((LAYOUT.categorical[0], LAYOUT.categorical[2]), ())
    ids = np.stack([user, item], axis=1).astype(np.int32)
    labels = np.zeros(num_rows, np.float32)
    return RankingExamples(layout, ids, np.empty((num_rows, 0), np.float32), labels), score


@pytest.mark.parametrize("history", [None, ("user", "item")])
def test_clicks_of_known_probabilities_are_found(history):
    (train, scores), (test, test_scores) = make_planted_rows(6000, 6), make_planted_rows(1000, 7)
    clicked = np.random.default_rng(8).random(len(train)) < ndtr(scores)
    train.labels[:] = clicked
    teacher = BayesianFactorizationMachineTeacher(
        train.layout, embedding_dim=2, num_samples=20, sweeps=60, history_features=history
    )
    history_of_fit = teacher.fit(train, seed=1, validation_data=test, epochs=1, verbose=0).history
    assert history_of_fit.keys() == {"val_auc", "val_log_loss"}
    errors = teacher.predict_probabilities(test) - ndtr(test_scores)
    assert np.sqrt(np.mean(np.square(errors))) < 0.075  # .33 without any model
    assert abs(errors.mean()) < 0.02


def test_ratings_are_predicted_and_saved(tmp_path):
    from kd_tf.training import checkpoint

    (train, scores), (test, test_scores) = make_planted_rows(4000, 9), make_planted_rows(500, 10)
    noise = np.random.default_rng(11).normal(0, 0.3, len(train))
    train.labels[:] = np.clip(0.5 + 0.1 * (scores + noise), 0, 1)
    teacher = BayesianFactorizationMachineTeacher(
        train.layout, label_kind="rating", embedding_dim=2, num_samples=10, sweeps=40,
        history_features=("user", "item"),
    )  # fmt: skip
    teacher.fit(train, seed=1)
    predictions = teacher.predict_probabilities(test)
    assert np.sqrt(np.mean(np.square(predictions - 0.5 - 0.1 * test_scores))) < 0.02
    checkpoint.save(teacher, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_probabilities(test), predictions)
    again = BayesianFactorizationMachineTeacher.from_config(teacher.get_config())
    again.fit(train, seed=1)
    np.testing.assert_array_equal(again.predict_probabilities(test), predictions)


def test_the_histories_become_part_of_the_vectors():
    rows = make_rows(300)
    teacher = BayesianFactorizationMachineTeacher(
        LAYOUT,
        label_kind="rating",
        embedding_dim=2,
        num_samples=1,
        sweeps=3,
        history_features=("user", "item"),
    )
    samples = {}
    fold = teacher._fold_sets

    def remember(sample, sets, num_groups):
        samples["sample"], samples["sets"] = sample, sets
        return fold(sample, sets, num_groups)

    teacher._fold_sets = remember
    teacher.fit(rows, seed=1)
    with ThreadPoolExecutor(2) as pool:
        groups = [*make_feature_columns(rows, pool), *samples["sets"].values()]
        scores = compute_predictions(groups, samples["sample"], len(rows))
    offset, factor = teacher.scale.numpy()
    predictions = np.clip(offset + factor * scores, 1e-3, 1 - 1e-3)
    np.testing.assert_allclose(teacher.predict_probabilities(rows), predictions, atol=2e-5)


def test_large_tables_keep_fewer_samples():
    large = FeatureLayout((CategoricalFeature("user", 1_000_000),), ())
    assert limit_samples(LAYOUT, 8, 50) == 50
    assert limit_samples(large, 8, 50) == 8
    assert limit_samples(large, 8, 5) == 5


def test_an_unknown_history_is_refused():
    with pytest.raises(ValueError, match="no categorical feature with one value is called 'genre"):
        BayesianFactorizationMachineTeacher(LAYOUT, history_features=("genres", "item"))
