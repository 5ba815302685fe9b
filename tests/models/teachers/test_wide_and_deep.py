"""The wide part beside the deep part, against dense calculations in NumPy and grid searches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from kd_tf.backend import keras, tf
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.models import batch_scoring
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.teachers import wide_and_deep
from kd_tf.models.teachers.cnn import CNNTeacher
from kd_tf.models.teachers.wide_and_deep import WideAndDeepTeacher
from kd_tf.progress import NullProgress
from kd_tf.training import checkpoint

SHELVES, SHELF = 10, 6
V, L, NUM_WIDE_NEIGHBOURS = SHELVES * SHELF, 6, 12


@keras.saving.register_keras_serializable(package="kd_tf_tests")
class PooledTeacher(WideAndDeepTeacher):
    """The plainest deep part, whose scores can be calculated by hand."""

    def encode(self, rows: tf.Tensor, weights: tf.Tensor, training: bool) -> tf.Tensor:
        return pool_weighted_rows(rows, weights)


def teacher(
    *, shelves: float = 1.0, scale: float = 1.0, recency: float = 1.5, **settings
) -> PooledTeacher:
    """A model whose deep part knows the shelves (by so much) among noise; new items count more.

    Its deep scores are `scale` squared times as large.
    """
    sizes = {
        "num_items": V,
        "max_length": L,
        "embedding_dim": SHELVES,
        "wide_neighbours": NUM_WIDE_NEIGHBOURS,
    }
    model = PooledTeacher(**{**sizes, **settings})
    model.create_weights()
    table = np.random.default_rng(0).normal(0, 0.4, model.table.shape)
    item = np.arange(1, V + 1)
    table[item, (item - 1) // SHELF] += shelves
    model.table.assign(scale * table)
    model.recency.assign(np.linspace(recency, -recency, model.max_length))
    return model


def read(seed: int, count: int) -> list[np.ndarray]:
    """Users who go along three shelves, with an item from anywhere between them."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        parts = [
            np.append(SHELF * shelf + 1 + random.permutation(SHELF)[:2], random.integers(1, V + 1))
            for shelf in random.choice(SHELVES, 3, replace=False)
        ]
        rows.append(np.array(list(dict.fromkeys(np.concatenate(parts))), np.int32))
    return rows


def held_out(seed: int, count: int, shown: int | None = None) -> HeldOutSet:
    """The targets are one to four other items of the last shelf of each user."""
    random = np.random.default_rng(seed + 1000)
    histories, targets = [], []
    for row in read(seed, count):
        shelf = (row[-2] - 1) // SHELF
        others = np.setdiff1d(SHELF * shelf + 1 + np.arange(SHELF), row)
        histories.append(row[-shown:] if shown else row)
        targets.append(random.permutation(others)[: random.integers(1, 5)])
    return HeldOutSet(from_lists(histories), from_lists(targets), np.arange(count, dtype=np.int32))


def split_of(train: list, validation: HeldOutSet) -> Split:
    rows = from_lists(train)
    # Every interaction has another weight, so that no two neighbours of an item are equal.
    weights = np.random.default_rng(3).uniform(0.5, 1.5, len(rows.items)).astype(np.float32)
    return Split(
        train=Histories(rows.items, rows.offsets, weights),
        train_users=np.arange(len(train), dtype=np.int32),
        validation=validation,
        test=HeldOutSet.empty(),
        protocol="unseen-users",
        seed=0,
        num_items=V,
    )


# What the code should find, in float64 and without TensorFlow.


def ridge_by_hand(train: Histories, regularization: float) -> np.ndarray:
    """[V + 1, V + 1], entry (h, i): the ridge of each i on its strongest neighbours."""
    has = np.zeros((len(train), V + 1))
    has[np.repeat(np.arange(len(train)), train.lengths), train.items] = train.weights
    gram = has.T @ (has / np.sqrt(np.maximum(train.lengths, 1))[:, np.newaxis])
    count, penalty = np.diag(gram).copy(), regularization * np.trace(gram) / max(has.sum(), 1)
    np.fill_diagonal(gram, 0)
    actual = np.zeros_like(gram)
    for item in np.flatnonzero(count):
        gain = gram[item] ** 2 / (count + penalty)
        neighbours = np.argsort(-gain, kind="stable")[: wide_and_deep.NUM_NEIGHBOURS]
        neighbours = neighbours[gram[item, neighbours] > 0]
        system = gram[np.ix_(neighbours, neighbours)] + np.diag(count[neighbours] + penalty)
        actual[neighbours, item] = np.linalg.solve(system, gram[neighbours, item])
    return actual


def strongest_by_hand(matrix: np.ndarray, width: int) -> np.ndarray:
    """The same with only the largest weights of each row."""
    kept = np.zeros_like(matrix)
    for row in range(len(matrix)):
        mask = np.flatnonzero(matrix[row])
        mask = mask[np.argsort(-matrix[row, mask])][:width]
        kept[row, mask] = matrix[row, mask]
    return kept


def parts_by_hand(
    model: PooledTeacher, rows: list | Histories, matrix: np.ndarray, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Deep and wide scores, each [n, V + 1]."""
    table, recency = model.table.numpy().astype(np.float64), model.recency.numpy()
    deep, wide_scores = [], []
    for row in rows:
        ids = list(dict.fromkeys(int(item) for item in row if 1 <= item <= model.num_items))
        ids = ids[-model.max_length :]
        counts = np.log1p(np.exp(recency[: len(ids)][::-1].astype(np.float64)))
        deep.append(table @ (counts @ table[ids]) / np.sqrt(max(counts.sum(), 1.0)))
        wide_scores.append(counts**power @ matrix[ids])
    return np.array(deep), np.array(wide_scores)


def ndcg_by_hand(scores: np.ndarray, users: HeldOutSet) -> float:
    actual = []
    for row, score in enumerate(scores.copy()):
        score[[0, *users.histories[row]]] = -np.inf
        ranked, targets = np.argsort(-score, kind="stable")[:10], users.targets[row]
        gained = sum(1 / np.log2(rank + 2) for rank, id in enumerate(ranked) if id in targets)
        actual.append(gained / sum(1 / np.log2(r + 2) for r in range(min(len(targets), 10))))
    return float(np.mean(actual))


def searched(model: PooledTeacher, split: Split) -> dict[tuple[float, float, float], float]:
    """NDCG@10 of everything that is tried: by regularization, weight and recency."""
    actual = {}
    for regularization in wide_and_deep.REGULARIZATIONS:
        matrix = strongest_by_hand(
            ridge_by_hand(split.train, regularization), model.wide_neighbours
        )
        for power in wide_and_deep.RECENCY_POWERS:
            users = split.validation
            deep, wide_scores = parts_by_hand(model, users.histories, matrix, power)
            for weight in wide_and_deep.WIDE_WEIGHTS:
                scores = deep + weight * wide_scores
                actual[regularization, weight, power] = ndcg_by_hand(scores, users)
    return actual


def loss_by_hand(logits: np.ndarray, users: HeldOutSet, temperature: float) -> float:
    """How badly softmax(logits / temperature) over the unread items explains the targets."""
    actual = []
    for row, score in enumerate(logits.astype(np.float64) / temperature):
        score[[0, *users.histories[row]]] = -np.inf
        actual.append(special.logsumexp(score) - score[users.targets[row]].mean())
    return float(np.mean(actual))


def wide_matrix_of(model: WideAndDeepTeacher) -> np.ndarray:
    """The wide part as a dense [V + 1, V + 1]."""
    dense = np.zeros((model.num_items + 1, model.num_items + 1))
    rows = np.repeat(np.arange(model.num_items + 1), model.wide_neighbours)
    np.add.at(
        dense, (rows, model.wide_ids.numpy().ravel()), model.wide_item_weights.numpy().ravel()
    )
    return dense


def fitted(model: WideAndDeepTeacher) -> tuple[float, ...]:
    """Weight, recency and temperature."""
    numbers = (model.wide_weight, model.recency_power, model.temperature)
    return tuple(float(number.numpy()) for number in numbers)


def everything(model: WideAndDeepTeacher) -> list[np.ndarray]:
    """All numbers that it answers with."""
    return [weight.numpy() for weight in checkpoint.get_inference_weights(model)]


def logits_of(model: PooledTeacher, users: HeldOutSet) -> np.ndarray:
    """Scores before they are divided by the temperature, by hand."""
    weight, power, _ = fitted(model)
    deep, wide_scores = parts_by_hand(model, users.histories, wide_matrix_of(model), power)
    return deep + weight * wide_scores


def assert_same(one: WideAndDeepTeacher, other: WideAndDeepTeacher) -> None:
    for actual, expected in zip(everything(one), everything(other), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture(scope="module")
def split() -> Split:
    return split_of(read(1, 150), held_out(2, 60))


def fit_on(split: Split, **settings) -> PooledTeacher:
    model = teacher(**settings)
    model.fit_wide(split.train, split.validation, NullProgress())
    return model


@pytest.fixture(scope="module")
def fitted_model(split: Split) -> PooledTeacher:
    return fit_on(split)


@pytest.fixture(scope="module")
def probe() -> PooledTeacher:
    """Random wide weights everywhere, also of the padding."""
    model, random = teacher(), np.random.default_rng(5)
    model.wide_ids.assign(random.integers(0, V + 1, (V + 1, NUM_WIDE_NEIGHBOURS)))
    model.wide_item_weights.assign(random.normal(0, 1, (V + 1, NUM_WIDE_NEIGHBOURS)))
    model.wide_weight.assign(16.0)
    model.temperature.assign(4.0)
    return model


# Scores.


def test_a_score_by_hand():
    model = PooledTeacher(num_items=4, max_length=3, embedding_dim=1, wide_neighbours=2)
    model.create_weights()
    model.table.assign([[9.0], [1.0], [2.0], [3.0], [4.0]])
    model.recency.assign(np.log(np.expm1([1.0, 2.0, 4.0])))  # an item counts 1, 2, 4 by its age
    model.wide_ids.assign([[4, 3], [3, 4], [4, 0], [1, 2], [1, 2]])
    model.wide_item_weights.assign([[99, 99], [0.5, 0.25], [1, 0], [7, 7], [7, 7]])
    model.wide_weight.assign(8.0)
    model.recency_power.assign(2.0)
    model.temperature.assign(2.0)
    # The older item 2 counts 2 and the newer item 1 counts 1; in the wide part 4 and 1.
    expected_scores = (2 * 2 + 1 * 1) / np.sqrt(2 + 1)
    wide_scores = [0, 0, 1 * 0.5, 1 * 0.25 + 4 * 1]
    expected = [(expected_scores * item + 8 * wide_scores[item - 1]) / 2 for item in (1, 2, 3, 4)]
    np.testing.assert_allclose(model(tf.constant([[2, 1, 0]]))[0, 1:], expected, rtol=1e-5)


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(-3, V + 3), max_size=L), min_size=1, max_size=4))
def test_padding_repeated_and_unknown_ids_never_change_a_score(probe, rows):
    padded = np.array([row + [0] * (L - len(row)) for row in rows], np.int32)
    for power in (0.0, 2.0):
        probe.recency_power.assign(power)
        deep, wide_scores = parts_by_hand(probe, rows, wide_matrix_of(probe), power)
        expected = (deep + 16 * wide_scores) / 4
        actual = probe(tf.constant(padded)).numpy()
        np.testing.assert_allclose(actual[:, 1:], expected[:, 1:], rtol=1e-4, atol=1e-4)


def test_learning_sees_and_changes_the_deep_part_alone(probe):
    deep, _ = parts_by_hand(probe, [[3, 1]], wide_matrix_of(probe), 0.0)
    history = tf.constant([[3, 1, 0, 0, 0, 0]])
    np.testing.assert_allclose(probe(history, training=True), deep, rtol=1e-4, atol=1e-5)
    assert {id(one) for one in probe.trainable_weights} == {id(probe.table), id(probe.recency)}


def test_a_teacher_without_wide_neighbours_is_its_deep_part(split):
    model = fit_on(split, wide_neighbours=0, shelves=6.0)
    assert_same(model, teacher(wide_neighbours=0, shelves=6.0))
    deep, _ = parts_by_hand(model, [[3, 1]], np.zeros((V + 1, V + 1)), 0.0)
    np.testing.assert_allclose(model(tf.constant([[3, 1, 0, 0, 0, 0]])), deep, atol=1e-5)


def test_a_negative_number_of_wide_neighbours_is_refused():
    with pytest.raises(ValueError, match="not -1"):
        teacher(wide_neighbours=-1)


# The wide part and its weight.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regularization", "width"),
    [
        *((one, NUM_WIDE_NEIGHBOURS) for one in wide_and_deep.REGULARIZATIONS),
        (5.0, 1),
        (5.0, V + 9),
    ],
)
def test_the_wide_part_holds_the_largest_weights_of_the_ridge(
    regularization, width, split, monkeypatch
):
    monkeypatch.setattr(wide_and_deep, "REGULARIZATIONS", (regularization,))
    model = fit_on(split, wide_neighbours=width)
    expected = strongest_by_hand(ridge_by_hand(split.train, regularization), width)
    np.testing.assert_allclose(wide_matrix_of(model), expected, atol=1e-6)


def assert_best_is_kept(model: PooledTeacher, split: Split) -> tuple[float, float, float]:
    """Nothing that is tried ranks better than the regularization, weight and recency kept."""
    weight, power, _ = fitted(model)
    ndcg, kept = searched(model, split), []
    for one in wide_and_deep.REGULARIZATIONS:
        ridge = strongest_by_hand(ridge_by_hand(split.train, one), model.wide_neighbours)
        if np.allclose(wide_matrix_of(model), ridge, atol=1e-6):
            kept.append(one)
    assert len(kept) == 1
    assert ndcg[kept[0], weight, power] == pytest.approx(max(ndcg.values()), abs=1e-9)
    return kept[0], weight, power


@pytest.mark.slow
def test_what_ranks_best_for_validation_users_is_kept(split):
    cases = [
        {"shelves": 1.0},
        {"shelves": 0.0},
        {"shelves": 6.0},
        {"shelves": 6.0, "recency": 0.4},  # any weight of the wide part does harm
        {"shelves": 0.5, "recency": 0.4},
    ]
    actual = [assert_best_is_kept(fit_on(split, **deep), split) for deep in cases]
    # The cases differ, or the search would prove little.
    regularizations, weights, powers = (set(each) for each in zip(*actual, strict=True))
    assert regularizations == set(wide_and_deep.REGULARIZATIONS)
    assert powers == set(wide_and_deep.RECENCY_POWERS)
    assert len(weights) >= 3
    assert 0 in weights


def test_a_wide_part_of_noise_gets_weight_0():
    half = V // 2
    model = teacher(embedding_dim=half)
    # Item and item + 30 go together, says the deep part, and so it is.
    model.table.assign(np.concatenate([np.zeros((1, half)), np.eye(half), np.eye(half)]))
    random = np.random.default_rng(0)
    shown = [1 + random.permutation(half)[:4] for _ in range(50)]
    validation = HeldOutSet(
        from_lists(shown), from_lists([row + half for row in shown]), np.arange(50, dtype=np.int32)
    )
    split = split_of([1 + random.permutation(V)[:8] for _ in range(100)], validation)
    model.fit_wide(split.train, split.validation, NullProgress())
    assert wide_matrix_of(model).any()
    assert model.wide_weight == 0
    matrix = wide_matrix_of(model)
    deep, wide_scores = parts_by_hand(model, validation.histories, matrix, 0.0)
    assert ndcg_by_hand(deep, validation) == pytest.approx(1)
    assert ndcg_by_hand(deep + max(wide_and_deep.WIDE_WEIGHTS) * wide_scores, validation) < 0.9


@pytest.mark.parametrize("train", [[], [[1 + item] for item in range(V)]])
def test_where_no_two_items_share_a_user_the_wide_part_is_empty_with_weight_0(train):
    model = fit_on(split_of(train, held_out(2, 30)))
    assert not wide_matrix_of(model).any()
    assert model.wide_weight == 0
    assert np.isfinite(model(tf.constant([[1, 2, 3, 0, 0, 0]]))).all()


def test_an_item_without_users_is_not_in_the_wide_part_and_keeps_its_score():
    unread = np.arange(V - SHELF + 1, V + 1)
    train = [row[row < unread[0]] for row in read(1, 150)]
    model = fit_on(split_of(train, held_out(2, 60)))
    matrix = wide_matrix_of(model)
    assert matrix.any()
    assert not matrix[unread].any()
    assert not matrix[:, unread].any()
    weight, power, temperature = fitted(model)
    assert weight > 0
    rows = [[1, 7, 55], [60]]
    deep, wide_scores = parts_by_hand(model, rows, matrix, power)
    actual = model(tf.constant([row + [0] * (L - len(row)) for row in rows])).numpy()
    np.testing.assert_allclose(actual, (deep + weight * wide_scores) / temperature, rtol=1e-4)
    np.testing.assert_allclose(actual[:, unread], deep[:, unread] / temperature, rtol=1e-4)


def test_users_with_one_item_or_none_do_no_harm():
    train = [row[:1] for row in read(5, 50)] + read(1, 150) + [np.empty(0, np.int32)]
    shown = held_out(2, 60)
    lengths = np.arange(60) % 3  # 0, 1 and 2 items
    histories = [row[:length] for row, length in zip(shown.histories, lengths, strict=True)]
    split = split_of(train, dataclasses.replace(shown, histories=from_lists(histories)))
    model = fit_on(split)
    _, weight, _ = assert_best_is_kept(model, split)
    assert weight > 0
    assert np.isfinite(model(tf.zeros([1, L], tf.int32))).all()


def test_without_validation_users_the_scores_stay_those_of_the_deep_part():
    model = fit_on(split_of(read(1, 50), held_out(2, 0)))
    history = tf.constant([[1, 2, 3, 0, 0, 0]])
    np.testing.assert_array_equal(model(history), teacher()(history))


def test_many_validation_users_are_drawn_from_all_and_the_same_for_every_choice(split, monkeypatch):
    calls: list[tuple[int, ...]] = []

    def watched(scores, histories, k):
        calls.extend(tuple(row.tolist()) for row in histories)
        return select_unseen_top_k(scores, histories, k)

    monkeypatch.setattr(wide_and_deep, "MAX_FITTING_USERS", 20)
    monkeypatch.setattr(wide_and_deep, "select_unseen_top_k", watched)
    model = fit_on(split)
    rows = [tuple(row.tolist()) for row in split.validation.histories]
    samples = np.array(sorted({rows.index(row) for row in calls}))
    assert len(samples) == 20
    assert all(np.count_nonzero((samples >= part) & (samples < part + 20)) for part in (0, 20, 40))
    choices = (
        len(wide_and_deep.REGULARIZATIONS)
        * len(wide_and_deep.WIDE_WEIGHTS)
        * len(wide_and_deep.RECENCY_POWERS)
    )
    assert len(calls) == 20 * choices
    asked_for = split.validation.targets.take(samples)
    few = HeldOutSet(split.validation.histories.take(samples), asked_for, samples)
    assert_best_is_kept(model, dataclasses.replace(split, validation=few))


@pytest.mark.slow
def test_how_many_users_are_scored_at_once_makes_no_difference(split, monkeypatch):
    at_once = fit_on(split, shelves=0.0)
    most = len(split.validation.users) - 1  # and a last one alone
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", most * (V + 1))
    assert_same(fit_on(split, shelves=0.0), at_once)


def test_an_earlier_fit_makes_no_difference(split, fitted_model, probe):
    model = teacher()
    model.set_weights(probe.get_weights())
    model.recency_power.assign(2.0)
    model.temperature.assign(100.0)
    model.fit_wide(split.train, split.validation, NullProgress())
    assert_same(model, fitted_model)


# Calibration.


@pytest.mark.slow
@pytest.mark.parametrize("deep", [{}, {"shelves": 0.0}, {"shelves": 6.0}, {"scale": 0.7}])
def test_the_temperature_explains_the_validation_users_best(deep):
    users = held_out(2, 60, shown=L)
    # Items of other shelves as well, which the more certain scores are punished for.
    everywhere = read(3, 60)
    targets = [
        np.append(np.setdiff1d(far, np.append(shown, near)), near)
        for far, shown, near in zip(everywhere, users.histories, users.targets, strict=True)
    ]
    split = split_of(read(1, 150), dataclasses.replace(users, targets=from_lists(targets)))
    model = fit_on(split, **deep)
    logits = logits_of(model, split.validation)

    def loss(log_temperature: float) -> float:
        return loss_by_hand(logits, split.validation, 2**log_temperature)

    best = optimize.minimize_scalar(loss, bounds=(-6, 12), method="bounded").x
    actual = np.log2(fitted(model)[-1])
    tried = np.log2(wide_and_deep.TEMPERATURES)
    assert actual == pytest.approx(min(tried, key=loss))
    assert abs(actual - best) <= np.diff(tried).max() + 1e-3  # a neighbour of the optimum
    assert loss(actual) < loss(best) + 0.02  # nats: the grid is fine enough


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.5, 2.0, 4.0])
def test_a_constant_factor_on_the_logits_is_undone(scale, split, fitted_model):
    model = fit_on(split, scale=scale)
    factor = scale**2
    expected = [
        factor * fitted_model.wide_weight,
        fitted_model.recency_power,
        factor * fitted_model.temperature,
    ]
    assert fitted(model) == tuple(expected)
    histories = split.validation.histories
    np.testing.assert_allclose(
        make_score_fn(model)(histories),
        make_score_fn(fitted_model)(histories),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.slow
def test_the_temperature_never_changes_a_ranking(split, fitted_model):
    histories = split.validation.histories
    model = teacher()
    model.set_weights(fitted_model.get_weights())
    model.temperature.assign(1.0)
    ranked = select_unseen_top_k(make_score_fn(model)(histories), histories, V)
    for temperature in wide_and_deep.TEMPERATURES:
        model.temperature.assign(temperature)
        again = select_unseen_top_k(make_score_fn(model)(histories), histories, V)
        np.testing.assert_array_equal(again, ranked)


# On disk.


@pytest.mark.slow
def test_saved_and_loaded_it_gives_equal_scores(split, tmp_path):
    model = CNNTeacher(
        num_items=V,
        max_length=L,
        embedding_dim=4,
        filters=5,
        hidden=7,
        wide_neighbours=NUM_WIDE_NEIGHBOURS,
        name="reader",
    )
    model.create_weights()
    model.fit_wide(split.train, split.validation, NullProgress())
    assert model.wide_weight > 0
    checkpoint.save(model, tmp_path / "teacher")
    loaded = checkpoint.load(tmp_path / "teacher")
    assert isinstance(loaded, CNNTeacher)
    assert_same(loaded, model)
    assert loaded.get_config() == model.get_config()
    histories = split.validation.histories
    np.testing.assert_array_equal(make_score_fn(loaded)(histories), make_score_fn(model)(histories))
