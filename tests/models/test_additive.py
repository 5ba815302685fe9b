"""Properties of every model whose score is a sum over the items of the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.backend import tf
from kd_tf.data.histories import from_lists
from kd_tf.models.additive import AdditiveModel, compute_popularity_prior
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.neighbours import NeighboursStudent
from kd_tf.training import checkpoint

V, L, d = 23, 7, 4
UNKNOWN = [-(2**31), -1, V + 1, 2**31 - 1]


@dataclass(frozen=True)
class Numbers:
    """What the models are made of. Row 0 holds numbers that must reach no score."""

    left: np.ndarray
    right: np.ndarray
    target_bias: np.ndarray
    history_bias: np.ndarray
    matrix: np.ndarray
    prior: np.ndarray

    def renumbered(self, new_ids: np.ndarray) -> Numbers:
        """The same items under other ids."""
        changed = {}
        for name, values in vars(self).items():
            changed[name] = moved = np.empty_like(values)
            if name == "matrix":
                moved[np.ix_(new_ids, new_ids)] = values
            else:
                moved[new_ids] = values
        return replace(self, **changed)


def numbers() -> Numbers:
    random = np.random.default_rng(5)

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(0, 1, (V + 1, *shape)).astype(np.float32)

    matrix = np.abs(drawn(V + 1)) + 0.1
    matrix[random.random(matrix.shape) > 0.3] = 0
    matrix[:, 0] = matrix[0] = matrix[:, 5] = matrix[9] = 0
    np.fill_diagonal(matrix, 0)
    return Numbers(drawn(d), drawn(d), drawn(), drawn() - 1, matrix, drawn())


@dataclass(frozen=True)
class Case:
    """A model, and by itself what it ought to compute: [V + 1, V + 1] and [V + 1]."""

    model: AdditiveModel
    added: np.ndarray
    prior: np.ndarray


class Table(AdditiveModel):
    """The least additive model: the whole matrix. It sums as the base class does."""

    def __init__(self, matrix: np.ndarray, **kwargs) -> None:
        super().__init__(**kwargs)
        self.matrix = tf.constant(matrix)

    def item_scores(self, ids):
        return tf.gather(self.matrix, ids)


def table(some: Numbers) -> Case:
    model = Table(some.matrix, num_items=V, max_length=L)
    model.prior.assign(some.prior)
    return Case(model, some.matrix, some.prior)


def low_rank(some: Numbers) -> Case:
    model = LowRankModel(num_items=V, max_length=L, embedding_dim=d)
    model.create_weights()
    model.assign(some.left, some.right)
    model.prior.assign(some.prior)
    return Case(model, some.left.astype(np.float64) @ some.right.T, some.prior)


def compact_low_rank(some: Numbers) -> Case:
    whole = low_rank(some)
    model = whole.model.pack()
    return Case(model, whole.added, model.prior.numpy())


def neighbours(some: Numbers) -> Case:
    matrix = sparse.csr_array(some.matrix)
    model = NeighboursStudent.from_matrix(matrix, max_length=L, prior=some.prior)
    return Case(model, some.matrix, some.prior)


def packed_neighbours(some: Numbers) -> Case:
    # That `unpacked` reads the bits rightly is tested with the student.
    model = neighbours(some).model.pack()
    return Case(model, model.unpack().toarray(), model.prior.numpy())


def item_kernel(some: Numbers) -> Case:
    model = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    model.create_weights()
    table = some.left * 0.5
    model.assign(table, some.target_bias, some.history_bias)
    model.prior.assign(some.prior)
    return Case(model, kernel(table, some.target_bias, some.history_bias), some.prior)


def compact_item_kernel(some: Numbers) -> Case:
    model = item_kernel(some).model.pack()
    biases = model.target_bias.numpy(), model.history_bias.numpy()
    return Case(model, kernel(some.left * 0.5, *biases), model.prior.numpy())


def kernel(table: np.ndarray, target_bias: np.ndarray, history_bias: np.ndarray) -> np.ndarray:
    table = table.astype(np.float64)
    return np.exp(table @ table.T + target_bias + history_bias[:, None])


CASES: dict[str, Callable[[Numbers], Case]] = {
    "table": table,
    "low-rank": low_rank,
    "compact low-rank": compact_low_rank,
    "neighbours": neighbours,
    "packed neighbours": packed_neighbours,
    "item-kernel": item_kernel,
    "compact item-kernel": compact_item_kernel,
}
SHIPPED = {name: make for name, make in CASES.items() if name != "table"}
"""Those of the package."""


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def make(request) -> Callable[[Numbers], Case]:
    return request.param


@pytest.fixture(scope="module")
def case(make) -> Case:
    return make(numbers())


def scores(case: Case, rows: list[list[int]] | np.ndarray) -> np.ndarray:
    """float32 [n, V]: of the items alone."""
    return case.model(tf.constant(rows, tf.int32)).numpy()[:, 1:]


def expected(case: Case, rows: list[list[int]]) -> np.ndarray:
    """float64 [n, V], item by item."""
    actual = np.zeros((len(rows), V))
    for row, history in enumerate(rows):
        actual[row] = case.prior[1:]
        for item in {id for id in history if 1 <= id <= V}:
            actual[row] += case.added[item, 1:]
    return actual


def assert_close(actual: np.ndarray, wanted: np.ndarray) -> None:
    """Up to what sums of float32 in another order differ."""
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


some_id = st.one_of(st.integers(1, V), st.sampled_from([0, *UNKNOWN]))
some_rows = st.lists(st.lists(some_id, min_size=L, max_size=L), min_size=1, max_size=4)
items = st.lists(st.integers(1, V), max_size=L, unique=True)


def padded(items: list[int]) -> list[int]:
    return items + [0] * (L - len(items))


@settings(max_examples=30)
@given(rows=some_rows)
def test_a_score_is_the_prior_and_what_each_distinct_known_item_adds(case, rows):
    assert_close(scores(case, rows), expected(case, rows))


def test_an_empty_history_gets_the_prior(case):
    np.testing.assert_allclose(scores(case, [[0] * L])[0], case.prior[1:], rtol=1e-6)


@pytest.mark.parametrize("nothing", [0, *UNKNOWN])
def test_no_item_changes_no_score_wherever_it_stands(case, nothing):
    history = [4, 11, V, 1]
    rows = [[*history[:place], nothing, *history[place:], 0, 0] for place in range(5)]
    rows.append([nothing, 4, nothing, 11, nothing, V, 1])
    assert_close(scores(case, rows), scores(case, [padded(history)] * len(rows)))


def test_a_repeated_item_changes_no_score_wherever_it_stands(case):
    history = [4, 11, V, 1]
    rows = [[*history[:place], 11, *history[place:], 11, 0] for place in range(5)]
    assert_close(scores(case, rows), scores(case, [padded(history)] * len(rows)))


@settings(max_examples=15)
@given(history=items, data=st.data())
def test_order_does_not_matter(case, history, data):
    other = data.draw(st.permutations(padded(history)))
    assert_close(scores(case, [other]), scores(case, [padded(history)]))


def test_a_traced_model_scores_any_number_of_users_alike(case):
    traced = tf.function(case.model.call, input_signature=[tf.TensorSpec([None, L], tf.int32)])
    rows = [padded([3, 1, 4]), padded([]), [7, 7, -1, 2, 0, V, V + 1], padded([9])]
    for count in (1, 2, 4):
        actual = traced(tf.constant(rows[:count], tf.int32)).numpy()[:, 1:]
        assert_close(actual, expected(case, rows[:count]))


def contributions(case: Case, rows: list[list[int]], item: int) -> np.ndarray:
    return case.model.contributions(
        tf.constant(rows, tf.int32), tf.constant([item] * len(rows), tf.int32)
    ).numpy()


@settings(max_examples=20)
@given(rows=some_rows, item=st.integers(1, V))
def test_contributions_are_what_each_item_adds_and_nothing_for_padding_and_repeats(
    case, rows, item
):
    wanted = np.zeros((len(rows), L))
    for row, history in enumerate(rows):
        for place, read in enumerate(history):
            if 1 <= read <= V and read not in history[:place]:
                wanted[row, place] = case.added[read, item]
    actual = contributions(case, rows, item)
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5 * np.abs(case.added).max())
    assert not actual[wanted == 0].any()


@settings(max_examples=20)
@given(rows=some_rows, item=st.integers(1, V))
def test_contributions_sum_to_the_score_without_the_prior(case, rows, item):
    actual = contributions(case, rows, item).sum(axis=1)
    wanted = scores(case, rows)[:, item - 1] - case.prior[item]
    np.testing.assert_allclose(actual, wanted, atol=2e-5 * np.abs(case.added).max())


def test_nothing_contributes_to_padding(case):
    for nothing in (0, -1, -(2**31)):
        assert not contributions(case, [padded([3, 1, 4])], nothing).any()


def test_nothing_contributes_to_an_item_outside_the_catalog(case):
    for nothing in (V + 1, 2**31 - 1):
        assert not contributions(case, [padded([3, 1, 4])], nothing).any()


def test_similar_is_what_an_item_adds(case):
    ids = tf.range(1, V + 1)
    actual = case.model.similar(ids).numpy()
    np.testing.assert_array_equal(actual, case.model.item_scores(ids))
    assert_close(actual[:, 1:], case.added[1:, 1:])


def test_nothing_is_similar_to_an_unknown_item(case):
    assert not case.model.similar(tf.constant([0, *UNKNOWN])).numpy()[:, 1:].any()


@pytest.mark.slow
@settings(max_examples=15)
@given(rows=some_rows, data=st.data())
def test_candidate_scores_are_those_of_the_whole_catalog_and_0_for_padding(case, rows, data):
    candidates = np.array(
        [data.draw(st.lists(some_id, min_size=6, max_size=6)) for _ in rows], np.int64
    )
    actual = case.model.score(
        tf.constant(rows, tf.int32), tf.constant(candidates, tf.int32)
    ).numpy()
    known = (candidates >= 1) & (candidates <= V)
    wanted = np.take_along_axis(expected(case, rows), np.where(known, candidates - 1, 0), axis=1)
    assert_close(actual, np.where(known, wanted, 0))
    assert not actual[~known].any()


@pytest.mark.parametrize("make_shipped", SHIPPED.values(), ids=SHIPPED)
def test_the_way_outside_tensorflow_gives_the_same_scores(make_shipped):
    case = make_shipped(numbers())
    rows = [[3, 1, 4], [], [7] * L, list(range(1, L + 1)), [V, 9, V], [5]]
    # Weights belong to training: a model scores without them.
    histories = from_lists(rows)
    weighed = replace(histories, weights=np.full(len(histories.items), 3, np.float32))
    for some in (histories, weighed):
        actual = case.model.numpy_scores(some)
        assert actual.dtype == np.float32
        assert_close(actual[:, 1:], scores(case, histories.pad(L)))


@pytest.mark.parametrize("make_shipped", SHIPPED.values(), ids=SHIPPED)
def test_users_without_any_item_are_scored_outside_tensorflow(make_shipped):
    case = make_shipped(numbers())
    actual = case.model.numpy_scores(from_lists([[], []]))
    np.testing.assert_allclose(actual[:, 1:], [case.prior[1:]] * 2, rtol=1e-6)


@pytest.mark.slow
@settings(max_examples=8)
@given(rows=some_rows, order=st.permutations(range(1, V + 1)))
def test_other_ids_for_the_same_items_permute_the_scores_and_change_nothing_else(make, rows, order):
    new_ids = np.array([0, *order])
    before, after = make(numbers()), make(numbers().renumbered(new_ids))
    renamed = [[int(new_ids[id]) if 1 <= id <= V else id for id in row] for row in rows]
    assert_close(scores(after, renamed)[:, new_ids[1:] - 1], scores(before, rows))


@pytest.mark.parametrize("make_shipped", SHIPPED.values(), ids=SHIPPED)
def test_a_saved_model_scores_alike_when_it_is_loaded(make_shipped, tmp_path):
    case = make_shipped(numbers())
    rows = [padded([3, 1, 4]), padded([]), list(range(1, L + 1))]
    checkpoint.save(case.model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    assert type(loaded) is type(case.model)
    np.testing.assert_array_equal(
        loaded(tf.constant(rows, tf.int32)), case.model(tf.constant(rows, tf.int32))
    )
    histories = from_lists([[3, 1, 4]])
    np.testing.assert_array_equal(
        loaded.numpy_scores(histories), case.model.numpy_scores(histories)
    )


def test_a_model_without_item_scores_raises():
    with pytest.raises(NotImplementedError):
        AdditiveModel(num_items=V, max_length=L).item_scores(tf.constant([1]))


def test_the_popularity_prior_is_0_for_unread_and_the_strength_for_the_most_read_items():
    counts = np.array([99, 0, 1, 7, 3])
    prior = compute_popularity_prior(counts, 0.5)
    assert prior.dtype == np.float32
    # log2 of 1 + count is 0, 1, 3 and 2: shares of 3, whatever the base.
    np.testing.assert_allclose(prior, [0, 0, 0.5 / 3, 0.5, 1 / 3], rtol=1e-6)
    assert counts[0] == 99


def test_items_without_users_have_a_prior_of_0():
    assert not compute_popularity_prior(np.zeros(4, np.int64), 1.0).any()
