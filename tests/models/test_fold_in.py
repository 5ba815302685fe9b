"""A user's factors solved inside the model, against the exact solution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.fold_in import FoldInModel
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.training import checkpoint

V, L, d = 300, 12, 8
UNKNOWN = [-(2**31), -1, V + 1, 2**31 - 1]
CLOSE = 1e-3
"""Of the largest score: how near the conjugate gradients come to the exact solution."""


def random_factors(items: int = V, embedding_dim: int = d, seed: int = 0) -> np.ndarray:
    factors = np.random.default_rng(seed).normal(0, 1, (items + 1, embedding_dim))
    factors[0] = 9  # ignored
    return factors.astype(np.float32)


def learned_factors(alpha: float, regularization: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Factors [1001, 64] that implicit learned of users with tastes, and some of the users."""
    random = np.random.default_rng(0)
    items, users = 1000, 1200
    popularity = random.permutation(1 / np.arange(1, items + 1) ** 0.8)
    genre = random.integers(0, 25, items)
    tastes = random.integers(0, 25, (users, 2))
    liked = (genre == tastes[:, :1]) | (genre == tastes[:, 1:])
    # The largest of log p + Gumbel noise are draws without replacement with probability p.
    chance = np.log(popularity) + np.log(30) * liked
    order = np.argsort(-(chance + random.gumbel(size=chance.shape)), axis=1)
    sizes = np.clip(random.lognormal(3.2, 0.7, users), 5, 200).astype(int)
    read = np.arange(items) < sizes[:, None]
    pairs = np.repeat(np.arange(users), sizes), order[read]
    matrix = sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), (users, items))
    solver = AlternatingLeastSquares(
        factors=64,
        alpha=alpha,
        regularization=regularization,
        iterations=4,
        num_threads=1,
        random_state=0,
    )
    solver.fit(matrix, show_progress=False)
    factors = np.concatenate([np.zeros((1, 64), np.float32), solver.item_factors])
    return factors, [row[:50] + 1 for row in order[:20]]


def model(
    factors: np.ndarray | None = None,
    *,
    alpha: float = 40.0,
    regularization: float = 20.0,
    length: int = L,
    prior: bool = True,
) -> FoldInStudent:
    factors = random_factors() if factors is None else factors
    made = FoldInStudent(
        num_items=len(factors) - 1,
        max_length=length,
        embedding_dim=factors.shape[1],
        alpha=alpha,
        regularization=regularization,
    )
    made.create_weights()
    made.assign(factors)
    if prior:
        random = np.random.default_rng(7)
        made.prior.assign(random.normal(0, 0.01, len(factors)).astype(np.float32))
    return made


def exact(factors: np.ndarray, alpha: float, regularization: float, read: set[int]) -> np.ndarray:
    """float64 [V], without the prior: the weighted least squares of the paper, item by item."""
    Y = factors[1:].astype(np.float64)
    expected = np.array([item in read for item in range(1, len(factors))], float)
    weight = np.where(expected > 0, alpha, 1.0)
    gram = (Y * weight[:, None]).T @ Y + regularization * np.eye(Y.shape[1])
    return Y @ np.linalg.solve(gram, Y.T @ (weight * expected))


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float = CLOSE) -> None:
    assert np.abs(actual - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-9)


some_items = st.lists(st.integers(1, V), max_size=L, unique=True)
numbers = st.floats(1, 100)


def padded(items: list[int], length: int = L) -> list[int]:
    return items + [0] * (length - len(items))


@settings(max_examples=25)
@given(items=some_items, alpha=numbers, regularization=numbers)
def test_numpy_scores_are_the_weighted_least_squares_of_the_paper(items, alpha, regularization):
    made = model(alpha=alpha, regularization=regularization)
    actual = made.numpy_scores(from_lists([items]))
    assert actual.dtype == np.float32
    expected = exact(random_factors(), alpha, regularization, set(items)) + made.prior.numpy()[1:]
    assert_close(actual[0, 1:], expected, 1e-5)


@settings(max_examples=25)
@given(items=some_items, alpha=numbers, regularization=numbers, seed=st.integers(0, 9))
def test_the_model_solves_random_factors_within_a_thousandth_of_the_largest_score(
    items, alpha, regularization, seed
):
    factors = random_factors(seed=seed)
    made = model(factors, alpha=alpha, regularization=regularization)
    actual = made(tf.constant([padded(items)], tf.int32)).numpy()[0, 1:]
    expected = exact(factors, alpha, regularization, set(items)) + made.prior.numpy()[1:]
    assert_close(actual, expected)


@pytest.mark.parametrize(("alpha", "regularization"), [(20.0, 20.0), (80.0, 80.0), (80.0, 200.0)])
def test_the_model_solves_long_histories_by_learned_factors_as_closely(alpha, regularization):
    factors, histories = learned_factors(alpha, regularization)
    made = model(factors, alpha=alpha, regularization=regularization, length=50, prior=False)
    popular = np.argsort(-np.linalg.norm(factors[1:], axis=1))[:50] + 1
    histories += [popular, popular[:20], popular[:5], popular[:1]]
    rows = np.array([padded(items.tolist(), 50) for items in histories], np.int32)
    actual = made(tf.constant(rows)).numpy()[:, 1:]
    for row, items in enumerate(histories):
        assert_close(actual[row], exact(factors, alpha, regularization, set(items.tolist())))


def test_a_user_is_hand_computed_where_there_is_one_dimension():
    made = model(
        np.array([[9], [2], [1], [0.5]], np.float32), alpha=3, regularization=0.75, prior=False
    )
    # Gram 4 + 1 + 1/4, and 3/4: 6. Item 1 read: (6 + 2 * 4) u = 3 * 2. Then 1 and 3 read:
    # (6 + 2 * (4 + 1/4)) u = 3 * 2.5.
    rows = tf.constant([padded([1]), padded([3, 1]), padded([])], tf.int32)
    scores = made(rows).numpy()
    np.testing.assert_allclose(scores[0, 1:], np.array([2, 1, 0.5]) * 6 / 14, rtol=1e-5)
    np.testing.assert_allclose(scores[1, 1:], np.array([2, 1, 0.5]) * 7.5 / 14.5, rtol=1e-5)
    assert not scores[2].any()


def test_an_empty_history_gets_the_prior():
    made = model()
    prior = made.prior.numpy()[1:]
    rows = tf.constant([[0] * L, [V + 1] * L], tf.int32)
    np.testing.assert_array_equal(made(rows)[:, 1:], [prior] * 2)
    np.testing.assert_array_equal(made.numpy_scores(from_lists([[], []]))[:, 1:], [prior] * 2)


def test_padding_repeats_and_unknown_ids_change_no_score_wherever_they_stand():
    made = model()
    expected = made(tf.constant([padded([4, 11, V, 1])])).numpy()
    for nothing in (0, *UNKNOWN, 11):
        rows = [
            padded([*[4, 11, V, 1][:place], nothing, *[4, 11, V, 1][place:], nothing])
            for place in range(5)
        ]
        actual = made(tf.constant(rows, tf.int32)).numpy()
        np.testing.assert_allclose(actual, np.tile(expected, (5, 1)), atol=1e-5)


def test_the_order_of_a_history_does_not_matter():
    made = model()
    actual = made(tf.constant([padded([4, 11, V, 1]), padded([1, V, 4, 11])])).numpy()
    np.testing.assert_allclose(actual[0], actual[1], atol=1e-5)


def test_a_user_gets_the_same_scores_alone_and_in_a_batch():
    made = model()
    rows = [padded([3, 1, 4]), padded([]), list(range(1, L + 1)), padded([7])]
    together = made(tf.constant(rows)).numpy()
    alone = np.concatenate([made(tf.constant([row])).numpy() for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_traced_model_scores_any_number_of_users_alike():
    made = model()
    traced = tf.function(made.call, input_signature=[tf.TensorSpec([None, L], tf.int32)])
    rows = tf.constant([padded([3, 1, 4]), padded([]), list(range(1, L + 1))])
    np.testing.assert_allclose(traced(rows), made(rows), atol=1e-5)
    np.testing.assert_allclose(traced(rows[:1]), made(rows[:1]), atol=1e-5)


def test_similar_items_are_those_recommended_for_one_item_up_to_its_confidence():
    made = model(prior=False)
    items = tf.constant([3, 9, V])
    alone = made(tf.constant([padded([3]), padded([9]), padded([V])])).numpy()
    similar = made.similar(items).numpy()
    for row in range(3):
        ratio = alone[row, 1:] / similar[row, 1:]
        assert ratio.min() > 0
        np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)
    np.testing.assert_array_equal(similar.argsort(axis=1)[:, -20:], alone.argsort(axis=1)[:, -20:])


def test_nothing_is_similar_to_an_unknown_item():
    assert not model().similar(tf.constant([0, *UNKNOWN])).numpy().any()


def test_contributions_are_the_shares_of_the_sum_that_the_score_is():
    made = model()
    history, item = [8, 3, V], 21
    actual = made.contributions(tf.constant([[8, 0, 3, V + 1, V, *[0] * 7]]), tf.constant([item]))
    factors = random_factors().astype(np.float64)[1:]
    read = factors[np.array(history) - 1]
    normal = factors.T @ factors + 20 * np.eye(d) + (40 - 1) * read.T @ read
    expected = np.zeros(L)
    expected[[0, 2, 4]] = 40 * read @ np.linalg.solve(normal, factors[item - 1])
    np.testing.assert_allclose(actual[0], expected, atol=2 * CLOSE * np.abs(expected).max())
    score = exact(random_factors(), 40, 20, set(history))[item - 1]
    assert expected.sum() == pytest.approx(score, rel=1e-9)


@pytest.mark.parametrize("item", [0, *UNKNOWN])
def test_nothing_contributes_to_an_unknown_item(item):
    actual = model().contributions(tf.constant([padded([8, 3, V])]), tf.constant([item]))
    assert not actual.numpy().any()


def test_a_repeated_item_contributes_once_and_as_much_as_if_it_stood_there_once():
    made = model()
    once, twice = made.contributions(
        tf.constant([padded([8, 3, V]), padded([8, 3, V, 8, 8])]), tf.constant([21, 21])
    ).numpy()
    assert not twice[3:].any()
    np.testing.assert_allclose(twice, once, atol=1e-5)


@pytest.mark.slow
@settings(max_examples=10)
@given(items=some_items, order=st.randoms(use_true_random=False))
def test_other_ids_for_the_same_items_permute_the_scores_and_change_nothing_else(items, order):
    new_ids = np.arange(V + 1)
    new_ids[1:] = order.sample(range(1, V + 1), V)
    factors = random_factors()
    moved = np.empty_like(factors)
    moved[new_ids] = factors
    before = model(factors, prior=False)(tf.constant([padded(items)], tf.int32)).numpy()[0]
    renamed = padded([int(new_ids[item]) for item in items])
    after = model(moved, prior=False)(tf.constant([renamed], tf.int32)).numpy()[0]
    assert_close(after[new_ids[1:]], before[1:], 1e-4)


def test_the_compact_model_differs_by_the_rounding_of_its_prior_alone():
    made = model()
    compact = made.pack()
    assert type(compact) is FoldInStudent
    assert compact.is_quantized
    prior = made.prior.numpy()
    half_a_step = (prior.max() - prior.min()) / 255 / 2
    rows = tf.constant([padded([3, 1, 4]), padded([]), list(range(1, L + 1))])
    difference = np.abs(compact(rows) - made(rows))[:, 1:]
    assert 0 < difference.max() <= half_a_step * 1.001 + 1e-6
    assert made.is_quantized is False


def test_a_saved_model_scores_alike_when_it_is_loaded(tmp_path):
    rows = tf.constant([padded([3, 1, 4]), padded([]), list(range(1, L + 1))])
    for name, made in (("float", model()), ("is_quantized", model().pack())):
        checkpoint.save(made, tmp_path / name)
        loaded = checkpoint.load(tmp_path / name)
        assert (loaded.alpha, loaded.regularization) == (40, 20)
        np.testing.assert_array_equal(loaded(rows), made(rows))
        histories = from_lists([[3, 1, 4]])
        np.testing.assert_array_equal(loaded.numpy_scores(histories), made.numpy_scores(histories))


@pytest.mark.parametrize("shape", [(V, d), (V + 2, d), (V + 1, d + 1), (V + 1,)])
def test_factors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="another catalog") as refused:
        model().assign(np.zeros(shape, np.float32))
    assert str(list(shape)) in str(refused.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_factors_that_are_not_finite_are_refused_and_nothing_is_taken(value):
    made = model()
    before = made.get_weights()
    factors = random_factors()
    factors[5, 2] = value
    with pytest.raises(ValueError, match="finite"):
        made.assign(factors)
    for old, now in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(now, old)


def test_assigning_does_not_change_the_given_factors():
    factors = random_factors()
    model().assign(factors)
    np.testing.assert_array_equal(factors, random_factors())


def test_items_without_factors_have_no_score_of_their_own_and_speak_for_none():
    factors = random_factors()
    factors[7] = 0
    made = model(factors, prior=False)
    with_it, without = made(tf.constant([padded([3, 7, 4]), padded([3, 4])])).numpy()
    assert with_it[7] == 0
    np.testing.assert_allclose(with_it, without, atol=1e-6)
    assert not made(tf.constant([padded([7])])).numpy().any()


@pytest.mark.parametrize(
    "wrong",
    [{"embedding_dim": 0}, {"alpha": 0.5}, {"regularization": 0.0}, {"regularization": -1.0}],
)
def test_a_wrong_setting_is_refused_with_its_value(wrong):
    settings = {"embedding_dim": d, "alpha": 2.0, "regularization": 3.0, **wrong}
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        FoldInModel(num_items=V, max_length=L, **settings)


def test_the_way_outside_tensorflow_follows_factors_that_were_trained():
    made, histories = model(), from_lists([[1, 5, 7], [2]])
    before = made.numpy_scores(histories)
    changed = 1.5 * made.factors.numpy()[::-1].copy()
    changed[0] = 0
    made.factors.assign(changed)
    fresh = model()
    fresh.assign(changed)
    fresh.prior.assign(made.prior.numpy())
    np.testing.assert_array_equal(made.numpy_scores(histories), fresh.numpy_scores(histories))
    assert np.abs(made.numpy_scores(histories) - before).max() > 1e-3
