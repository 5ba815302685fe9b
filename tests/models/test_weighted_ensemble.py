"""Weighted ensembles of models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.base import HistoryModel
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.students.fold_in import FoldInStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.neighbours import NeighboursStudent, PackedNeighbours
from kd_tf.models.weighted_ensemble import WeightedEnsemble, fit_ensemble_weights
from kd_tf.training import checkpoint

V, L = 20, 6
UNKNOWN = [-(2**31), -1, V + 1, 2**31 - 1]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def low_rank(length: int = L, items: int = V) -> LowRankModel:
    made = LowRankModel(num_items=items, max_length=length, embedding_dim=3)
    made.create_weights()
    made.assign(drawn(items + 1, 3, seed=1), drawn(items + 1, 3, seed=2))
    made.prior.assign(drawn(items + 1, seed=3))
    return made


def neighbours() -> NeighboursStudent:
    dense = np.abs(drawn(V + 1, V + 1, seed=4)) * (drawn(V + 1, V + 1, seed=5) > 0.5)
    dense[0] = dense[:, 0] = 0
    np.fill_diagonal(dense, 0)
    prior = drawn(V + 1, seed=6)
    return NeighboursStudent.from_matrix(sparse.csr_array(dense), max_length=L, prior=prior)


def fold_in() -> FoldInStudent:
    made = FoldInStudent(num_items=V, max_length=L, embedding_dim=4, alpha=5.0, regularization=3.0)
    made.create_weights()
    made.assign(drawn(V + 1, 4, seed=7))
    made.prior.assign(drawn(V + 1, seed=8))
    return made


def mlp() -> MLPStudent:
    made = MLPStudent(num_items=V, max_length=L, embedding_dim=4, hidden=5)
    made.create_weights()
    return made


def parts() -> list[HistoryModel]:
    """Of every kind: additive, solved and neural."""
    return [low_rank(), neighbours(), fold_in(), mlp()]


WEIGHTS, POWERS = (0.5, 2.0, -1.5, 0.7), (0.0, 0.5, -0.5, 1.0)


def blend(some: Sequence[HistoryModel] | None = None, **settings) -> WeightedEnsemble:
    settings = settings or {"weights": WEIGHTS, "exponents": POWERS}
    made = WeightedEnsemble(members=parts() if some is None else some, **settings)
    made.create_weights()
    return made


@pytest.fixture(scope="module")
def mixed() -> WeightedEnsemble:
    return blend()


def padded(*items: int) -> list[int]:
    return [*items] + [0] * (L - len(items))


some_id = st.one_of(st.integers(1, V), st.sampled_from([0, *UNKNOWN]))
some_rows = st.lists(st.lists(some_id, min_size=L, max_size=L), min_size=1, max_size=4)


def confidences(rows: list[list[int]], powers: Sequence[float] = POWERS) -> np.ndarray:
    """float64 [parts, n]."""
    count = np.array([max(len({id for id in row if 1 <= id <= V}), 1) for row in rows], float)
    return np.stack([count**power for power in powers])


@settings(max_examples=15)
@given(rows=some_rows)
def test_a_score_is_the_weighted_sum_with_powers_of_the_number_of_distinct_items(mixed, rows):
    history = tf.constant(rows, tf.int32)
    expected = np.zeros((len(rows), V + 1))
    for part, weight, by_row in zip(mixed.members, WEIGHTS, confidences(rows), strict=True):
        expected += weight * by_row[:, None] * part(history).numpy()
    np.testing.assert_allclose(mixed(history), expected, rtol=1e-4, atol=1e-4)


def test_the_number_of_items_counts_by_hand():
    part = low_rank()
    made = blend([part], weights=[3.0], exponents=[2.0])
    rows = [padded(), padded(4), padded(4, 9), [4, 9, 4, 0, -1, V + 1], padded(1, 2, 3)]
    expected = part(tf.constant(rows)).numpy() * np.array([3, 3, 12, 12, 27])[:, None]
    np.testing.assert_allclose(made(tf.constant(rows)), expected, rtol=1e-5)


def test_members_have_equal_weights_by_default():
    some = [low_rank(), neighbours()]
    history = tf.constant([padded(3, 1, 4), padded()])
    made = WeightedEnsemble(members=some)
    assert (made.member_weights, made.exponents) == ((1.0, 1.0), (0.0, 0.0))
    np.testing.assert_allclose(made(history), some[0](history) + some[1](history), rtol=1e-5)


def test_padding_repeats_and_unknown_ids_change_no_score(mixed):
    clean = mixed(tf.constant([padded(3, 1, 4)])).numpy()
    for nothing in (0, *UNKNOWN, 3):
        rows = tf.constant([[3, nothing, 1, nothing, 4, nothing]], tf.int32)
        np.testing.assert_allclose(mixed(rows), clean, atol=1e-4)


def test_a_traced_ensemble_scores_any_number_of_users_alike(mixed):
    traced = tf.function(mixed.call, input_signature=[tf.TensorSpec([None, L], tf.int32)])
    rows = tf.constant([padded(3, 1, 4), padded(), [7, 7, -1, 2, 0, V]])
    np.testing.assert_allclose(traced(rows), mixed(rows), atol=1e-4)
    np.testing.assert_allclose(traced(rows[:1]), mixed(rows[:1]), atol=1e-4)


def test_candidate_scores_are_those_of_the_whole_catalog_and_0_for_padding(mixed):
    history = tf.constant([padded(3, 1, 4), padded()])
    candidates = np.array([[5, 0, V, -1], [1, V + 1, 2, 2]])
    actual = mixed.score(history, tf.constant(candidates, tf.int32)).numpy()
    whole = mixed(history).numpy()
    expected = [[whole[0, 5], 0, whole[0, V], 0], [whole[1, 1], 0, whole[1, 2], whole[1, 2]]]
    np.testing.assert_allclose(actual, np.array(expected, np.float32), rtol=1e-5, atol=1e-6)
    assert not actual[[0, 0, 1], [1, 3, 1]].any()


def test_similar_is_the_weighted_sum_whatever_the_powers(mixed):
    items = tf.constant([3, V])
    expected = sum(
        weight * part.similar(items).numpy()
        for weight, part in zip(WEIGHTS, mixed.members, strict=True)
    )
    np.testing.assert_allclose(mixed.similar(items), expected, rtol=1e-4, atol=1e-5)


def test_contributions_of_additive_parts_sum_to_the_score_without_the_priors():
    made = blend([low_rank(), neighbours()], weights=(2.0, -3.0), exponents=(0.5, -1.0))
    rows = [padded(3, 1, 4), [5, 5, 0, 2, -1, 9], padded()]
    items = np.array([7, 8, 9], np.int32)
    actual = made.contributions(tf.constant(rows), tf.constant(items)).numpy()
    assert (actual[1][[1, 2, 4]] == 0).all()
    assert not actual[2].any()
    priors = np.zeros((3, V + 1))
    by_part = zip(made.members, (2.0, -3.0), confidences(rows, (0.5, -1.0)), strict=True)
    for part, weight, by_row in by_part:
        priors += weight * by_row[:, None] * part.prior.numpy()
    scores = (made(tf.constant(rows)).numpy() - priors)[np.arange(3), items]
    np.testing.assert_allclose(actual.sum(axis=1), scores, atol=1e-4)


def test_the_way_outside_tensorflow_gives_the_same_scores():
    made = blend([low_rank(), neighbours()], weights=(2.0, -3.0), exponents=(0.5, -1.0))
    rows = [[3, 1, 4], [], [5, 5, 2], list(range(1, L + 1)), [V]]
    histories = from_lists(rows)
    actual = made.numpy_scores(histories)
    assert actual.dtype == np.float32
    expected = made(tf.constant(histories.pad(L))).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


def test_solved_parts_come_as_near_outside_tensorflow_as_they_do_alone():
    made = blend([low_rank(), fold_in()], weights=(1.0, 2.0), exponents=(0.0, 0.5))
    histories = from_lists([[3, 1, 4], [], list(range(1, L + 1))])
    expected = made(tf.constant(histories.pad(L))).numpy()
    actual = made.numpy_scores(histories)
    np.testing.assert_allclose(actual, expected, atol=1e-3 * np.abs(expected).max())


def test_there_is_no_way_outside_tensorflow_where_one_part_has_none(mixed):
    assert mixed.numpy_scores(from_lists([[3, 1]])) is None


def test_the_packed_ensemble_is_the_ensemble_of_the_packed_members(mixed):
    compact = mixed.pack()
    assert isinstance(compact.members[1], PackedNeighbours)
    assert compact.members[0].is_quantized
    assert compact.members[2].is_quantized
    rows = tf.constant([padded(3, 1, 4), padded(), padded(9, 8, 7, 6, 5, 4)])
    expected = np.zeros((3, V + 1))
    by_part = zip(mixed.members, WEIGHTS, confidences(rows.numpy().tolist()), strict=True)
    for part, weight, by_row in by_part:
        expected += weight * by_row[:, None] * part.pack()(rows).numpy()
    np.testing.assert_allclose(compact(rows), expected, rtol=1e-4, atol=1e-4)
    assert 0 < np.abs(compact(rows) - mixed(rows)).max() < 0.1 * np.abs(mixed(rows)).max()


def test_a_saved_ensemble_scores_alike_when_it_is_loaded(mixed, tmp_path):
    rows = tf.constant([padded(3, 1, 4), padded(), padded(9, 8, 7, 6, 5, 4)])
    for name, made in (("whole", mixed), ("compact", mixed.pack())):
        checkpoint.save(made, tmp_path / name)
        loaded = checkpoint.load(tmp_path / name)
        assert [type(part) for part in loaded.members] == [type(part) for part in made.members]
        assert (loaded.member_weights, loaded.exponents) == (WEIGHTS, POWERS)
        np.testing.assert_array_equal(loaded(rows), made(rows))


def test_an_ensemble_of_ensembles_survives_saving(tmp_path):
    inner = blend([low_rank(), neighbours()], weights=(2.0, -3.0), exponents=(0.5, -1.0))
    made = blend([inner, fold_in()], weights=(0.5, 0.25), exponents=(1.0, 0.0))
    checkpoint.save(made, tmp_path / "model")
    rows = tf.constant([padded(3, 1, 4), padded()])
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "model")(rows), made(rows))


def test_a_configuration_makes_more_than_one_ensemble():
    config = blend([low_rank(), neighbours()], weights=(2.0, 1.0)).get_config()
    first, second = WeightedEnsemble.from_config(config), WeightedEnsemble.from_config(config)
    assert first.get_config() == second.get_config() == config


def test_gradients_reach_every_trainable_weight_of_every_part(mixed):
    history = tf.constant([[3, 1, 4, 9, 2, 6], [5, 7, 8, 10, 11, 12]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(mixed(history) ** 2)
    assert len(mixed.trainable_weights) == sum(len(one.trainable_weights) for one in mixed.members)
    for weight, gradient in zip(
        mixed.trainable_weights, tape.gradient(loss, mixed.trainable_weights), strict=True
    ):
        assert gradient is not None, weight.name
        assert np.abs(tf.convert_to_tensor(gradient)).sum() > 0, weight.name


def test_an_ensemble_needs_the_memory_of_all_its_members(mixed):
    assert mixed.peak_score_rows == sum(part.peak_score_rows for part in mixed.members)


@pytest.mark.parametrize("other", [{"items": V + 1}, {"length": L + 1}])
def test_parts_of_different_catalogs_or_lengths_are_refused(other):
    with pytest.raises(ValueError, match="same number of items and the same max_length") as refused:
        WeightedEnsemble(members=[low_rank(), low_rank(**other)])
    assert str(next(iter(other.values()))) in str(refused.value)


def test_an_ensemble_without_members_is_refused():
    with pytest.raises(ValueError, match="no members"):
        WeightedEnsemble(members=[])


@pytest.mark.parametrize("wrong", [{"weights": [1.0]}, {"exponents": [0.0] * 3}])
def test_weights_and_powers_of_another_number_are_refused(wrong):
    with pytest.raises(ValueError, match="2 members need as many"):
        WeightedEnsemble(members=[low_rank(), neighbours()], **wrong)


class Judge:
    """Judges each user's scores by their cosine with wanted ones: like a ranking, it does not
    see their size. Rounded, for no part to be a help by how floats are rounded."""

    def __init__(self, expected: np.ndarray) -> None:
        self.wanted = expected / np.linalg.norm(expected, axis=1, keepdims=True)

    def __call__(self, scores: np.ndarray) -> float:
        size = np.maximum(np.linalg.norm(scores, axis=1), 1e-9)
        return round(float(((scores * self.wanted).sum(axis=1) / size).mean()), 5)


def fitted_ensemble(
    scores: list[np.ndarray], counts: np.ndarray, weights: list[float], powers: list[float]
) -> np.ndarray:
    """As `BlendModel` does it."""
    n = np.maximum(counts, 1).astype(float)[:, None]
    return sum(
        weight * n**power * one for one, weight, power in zip(scores, weights, powers, strict=True)
    )


COUNTS = np.array([1, 4, 9, 16, 25, 4, 100, 1])


def test_a_fitted_ensemble_reaches_the_reported_metric_and_beats_each_member():
    scores = [drawn(len(COUNTS), 30, seed=seed) * 10.0**seed for seed in range(3)]
    judge = Judge(sum(one / 10.0**seed for seed, one in enumerate(scores)))
    weights, powers, ndcg = fit_ensemble_weights(scores, COUNTS, judge)
    assert judge(fitted_ensemble(scores, COUNTS, weights, powers)) == pytest.approx(ndcg, abs=2e-5)
    assert ndcg > max(judge(one) for one in scores) + 0.2
    assert ndcg > 0.98


@pytest.mark.parametrize("power", [-0.5, 0.5])
@pytest.mark.parametrize("counts", [COUNTS, np.where(COUNTS == 1, 0, COUNTS)])
def test_a_confidence_that_changes_with_the_history_is_found(power, counts):
    scores = [drawn(len(counts), 30, seed=seed) for seed in (1, 2)]
    judge = Judge(fitted_ensemble(scores, counts, [1.0, 6.5**-power], [0.0, power]))
    weights, powers, ndcg = fit_ensemble_weights(scores, counts, judge)
    assert judge(fitted_ensemble(scores, counts, weights, powers)) == pytest.approx(ndcg, abs=2e-5)
    assert ndcg > 0.97
    assert powers[1] - powers[0] == power
    assert min(weights) > 0


def test_a_member_that_does_not_help_gets_weight_0():
    expected = drawn(len(COUNTS), 30, seed=1)
    weights, _, ndcg = fit_ensemble_weights(
        [-expected, expected, -expected], COUNTS, Judge(expected)
    )
    assert weights[0] == weights[2] == 0
    assert weights[1] > 0
    assert ndcg == pytest.approx(1, abs=1e-6)


def test_a_part_of_zeros_is_fitted_without_a_fault():
    expected = drawn(len(COUNTS), 30, seed=1)
    weights, _, ndcg = fit_ensemble_weights([expected, 0 * expected], COUNTS, Judge(expected))
    assert np.isfinite(weights).all()
    assert ndcg == pytest.approx(1, abs=1e-6)


def test_one_part_alone_is_taken_as_it_is():
    expected = drawn(len(COUNTS), 30, seed=1)
    weights, powers, ndcg = fit_ensemble_weights([expected], COUNTS, Judge(expected))
    assert len(weights) == len(powers) == 1
    assert weights[0] > 0
    assert ndcg == pytest.approx(1, abs=1e-6)


def test_its_vectors_are_those_of_the_first_part_that_has_any():
    history = tf.constant([padded(3, 1), padded()])
    both = WeightedEnsemble(members=[neighbours(), fold_in(), mlp()])
    np.testing.assert_array_equal(both.item_embeddings(), both.members[1].item_embeddings())
    np.testing.assert_array_equal(
        both.user_embeddings(history), both.members[1].user_embeddings(history)
    )
    with pytest.raises(
        ValueError, match=r"none of its members \(NeighboursStudent, LowRankModel\) has"
    ):
        WeightedEnsemble(members=[neighbours(), low_rank()]).item_embeddings()
