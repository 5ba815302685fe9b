"""The ridge of each item, and of ever fewer neighbours, against dense solves in float64."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kd_tf.data.histories import from_lists
from kd_tf.models.closed_form import local_ridge as module
from kd_tf.models.closed_form import parallel
from kd_tf.models.closed_form.co_occurrence import CoOccurrence, count_co_occurrences
from kd_tf.models.closed_form.local_ridge import (
    LocalRidge,
    fit_local_ridge,
    prune_neighbours,
    refit,
    select_neighbours,
)
from kd_tf.progress import NullProgress

seeds = st.integers(0, 10**6)
regularizations = st.sampled_from([0.1, 1.0, 7.5])


def pairs_of(gram, scale=1.0) -> CoOccurrence:
    """What was counted, from a dense [V + 1, V + 1] with the items' users on the diagonal."""
    gram = np.asarray(gram, np.float32)
    return CoOccurrence(
        sparse.csr_array(gram - np.diag(np.diag(gram))), np.diag(gram).copy(), scale
    )


def random_pairs(seed, items, users=25, density=0.4) -> CoOccurrence:
    """Random users with random weights; some items share none with any other."""
    random = np.random.default_rng(seed)
    read = random.uniform(0.3, 1.5, (users, items + 1))
    read *= random.random(read.shape) < density * random.random(items + 1)
    read[:, 0] = 0
    return pairs_of(read.T @ read, scale=float(random.uniform(0.3, 2)))


def system(pairs, regularization):
    """G + lambda I in float64; entries known on one side only count on both."""
    gram = pairs.gram.toarray().astype(np.float64)
    gram = np.where(gram != 0, gram, gram.T)
    penalty = regularization * pairs.mean_weight
    return gram + np.diag(pairs.item_counts.astype(np.float64) + penalty)


def solve(pairs, regularization, neighbours) -> LocalRidge:
    return fit_local_ridge(
        pairs, num_neighbours=neighbours, regularization=regularization, progress=NullProgress()
    )


@given(seeds, st.integers(1, 10), regularizations, st.integers(0, 3))
def test_with_all_neighbours_the_weights_solve_the_normal_equations(
    seed, items, regularization, spare
):
    pairs = random_pairs(seed, items)
    actual = solve(pairs, regularization, items + spare)
    matrix = actual.to_matrix().toarray()
    full, gram = system(pairs, regularization), pairs.gram.toarray()
    for item in range(items + 1):
        others = np.flatnonzero(gram[item])
        assert sorted(actual.neighbours[item][actual.neighbours[item] > 0]) == others.tolist()
        weights = matrix[others, item].astype(np.float64)
        np.testing.assert_allclose(
            full[np.ix_(others, others)] @ weights, gram[item, others], atol=1e-5, rtol=1e-5
        )
        assert not np.delete(matrix[:, item], others).any()
    assert not np.diag(matrix).any()


def test_with_all_neighbours_it_is_the_ridge_regression_on_users_histories():
    random = np.random.default_rng(0)
    items = 12
    rows = [random.permutation(items)[: random.integers(2, 8)] + 1 for _ in range(40)]
    pairs = count_co_occurrences(from_lists(rows), items, progress=NullProgress())
    actual = solve(pairs, 3.0, items).to_matrix().toarray()

    read = np.zeros((len(rows), items + 1))
    for user, row in enumerate(rows):
        read[user, row] = len(row) ** -0.25
    ridge = np.sqrt(3.0 * (read**2).sum() / sum(len(row) for row in rows))
    for item in range(1, items + 1):
        others = [i for i in range(1, items + 1) if i != item and read[:, i] @ read[:, item] > 0]
        stacked = np.vstack([read[:, others], ridge * np.eye(len(others))])
        target = np.append(read[:, item], np.zeros(len(others)))
        expected = np.zeros(items + 1)
        expected[others] = np.linalg.lstsq(stacked, target)[0]
        np.testing.assert_allclose(actual[:, item], expected, atol=1e-6)


def test_a_ridge_by_hand():
    # Item 3 on 1 and 2: (10 + 2) w1 + 4 w2 = 6 and 4 w1 + (6 + 2) w2 = 2.
    gram = np.zeros((5, 5))
    gram[1:, 1:] = [[10, 4, 6, 0], [4, 6, 2, 0], [6, 2, 9, 0], [0, 0, 0, 5]]
    actual = solve(pairs_of(gram, scale=0.5), 4.0, 3)
    assert actual.neighbours[3].tolist() == [1, 2, 0]
    np.testing.assert_allclose(actual.weights[3], [0.5, 0, 0], atol=1e-7)
    assert not actual.neighbours[4].any()  # nobody read it with another item
    assert not actual.weights[4].any()


@given(seeds, st.integers(1, 8), st.integers(1, 8))
def test_the_matrix_holds_what_an_item_of_the_history_adds_to_a_candidate(seed, items, neighbours):
    actual = solve(random_pairs(seed, items), 1.0, neighbours)
    assert actual.neighbours.shape == actual.weights.shape == (items + 1, neighbours)
    assert (actual.neighbours.dtype, actual.weights.dtype) == (np.int32, np.float32)
    assert actual.saliency is None
    expected = np.zeros((items + 1, items + 1), np.float32)
    for candidate in range(items + 1):
        for partner, weight in zip(
            actual.neighbours[candidate], actual.weights[candidate], strict=True
        ):
            if partner:
                expected[partner, candidate] = weight
            else:
                assert weight == 0
    matrix = actual.to_matrix()
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.dtype == np.float32
    assert not expected[0].any()
    assert not expected[:, 0].any()


@given(
    st.lists(st.integers(0, 4), min_size=21, max_size=21),
    st.lists(st.integers(1, 9), min_size=7, max_size=7),
    st.integers(1, 7),
    st.sampled_from([1, 3]),
)
def test_neighbours_are_those_that_explain_most_alone_and_ties_go_to_the_first_id(
    shared, counts, neighbours, regularization
):
    gram = np.zeros((8, 8))
    gram[1:, 1:][np.triu_indices(7, 1)] = shared
    gram += gram.T + np.diag([0, *counts])
    actual = select_neighbours(
        pairs_of(gram, scale=2.0), neighbours, regularization, NullProgress()
    )
    for item in range(8):
        # Exact fractions, so that what ties here ties.
        gain = {
            one: Fraction(int(gram[item, one]) ** 2, counts[one - 1] + 2 * regularization)
            for one in range(1, 8)
            if one != item and gram[item, one]
        }
        best = sorted(gain, key=lambda one: (-gain[one], one))[:neighbours]
        assert actual[item].tolist() == best + [0] * (neighbours - len(best))


def test_of_many_equal_neighbours_the_first_ids_are_taken():
    gram = np.pad(np.ones((100, 100)), (1, 0))
    actual = select_neighbours(pairs_of(gram), 40, 1.0, NullProgress())
    for item in range(1, 101):
        assert actual[item].tolist() == [one for one in range(1, 42) if one != item][:40]


def test_a_larger_ridge_prefers_the_neighbour_with_more_users():
    gram = np.zeros((4, 4))
    gram[1:, 1:] = [[50, 3, 10], [3, 4, 0], [10, 0, 60]]  # 9 / 4 against 100 / 60
    assert solve(pairs_of(gram), 0.1, 1).neighbours[1].tolist() == [2]
    assert solve(pairs_of(gram), 10.0, 1).neighbours[1].tolist() == [3]


def test_few_neighbours_keep_the_strongest_and_a_lonely_item_has_none():
    rows = [[1, 2], [1, 2], [1, 3], [2, 1], [4]]
    actual = (
        solve(count_co_occurrences(from_lists(rows), 4, progress=NullProgress()), 30.0, 1)
        .to_matrix()
        .toarray()
    )
    assert actual[2, 1] > 0
    assert actual[3, 1] == 0
    assert not actual[:, 4].any()


@given(seeds, st.integers(2, 9), regularizations)
def test_other_ids_for_the_items_give_the_same_weights_under_those_ids(seed, items, regularization):
    pairs = random_pairs(seed, items)
    gram = pairs.gram.toarray() + np.diag(pairs.item_counts)
    other = np.append(0, np.random.default_rng(seed).permutation(items) + 1)
    renamed = pairs_of(gram[np.ix_(other, other)], pairs.mean_weight)
    np.testing.assert_allclose(
        solve(renamed, regularization, items).to_matrix().toarray(),
        solve(pairs, regularization, items).to_matrix().toarray()[np.ix_(other, other)],
        atol=1e-5,
    )


@pytest.mark.parametrize("regularization", [0.0, -1.0, float("nan")])
def test_a_ridge_of_nothing_is_refused(regularization):
    pairs = random_pairs(0, 5)
    ridge = solve(pairs, 1.0, 3)
    for call in (
        lambda: solve(pairs, regularization, 3),
        lambda: refit(
            pairs, ridge.neighbours, regularization=regularization, progress=NullProgress()
        ),
        lambda: prune_neighbours(
            pairs, ridge, 2, regularization=regularization, progress=NullProgress()
        ),
    ):
        with pytest.raises(ValueError, match=f"above 0, not {regularization}"):
            call()


def test_a_negative_ridge_that_cancels_the_users_is_refused_too():
    gram = np.zeros((3, 3))
    gram[1:, 1:] = [[2, 1], [1, 2]]
    with pytest.raises(ValueError, match="above 0"):
        solve(pairs_of(gram), -2.0, 2)


def test_keeping_no_neighbour_is_refused():
    pairs = random_pairs(0, 5)
    with pytest.raises(ValueError, match="num_kept must be at least 1, not 0"):
        prune_neighbours(
            pairs, solve(pairs, 1.0, 3), 0, regularization=1.0, progress=NullProgress()
        )


@given(seeds, st.integers(1, 9), regularizations)
def test_refitting_solves_given_neighbours_in_place(seed, items, regularization):
    pairs = random_pairs(seed, items)
    random = np.random.default_rng(seed)
    neighbours = np.zeros((items + 1, items), np.int32)
    for item in range(1, items + 1):
        neighbours[item] = random.permutation(items) + 1
        neighbours[item, neighbours[item] == item] = 0
        neighbours[item, random.random(items) < 0.4] = 0
    actual = refit(pairs, neighbours, regularization=regularization, progress=NullProgress())
    np.testing.assert_array_equal(actual.neighbours, neighbours)
    full, gram = system(pairs, regularization), pairs.gram.toarray()
    for item in range(items + 1):
        some = neighbours[item] > 0
        others = neighbours[item, some]
        expected = np.linalg.solve(full[np.ix_(others, others)], gram[item, others])
        np.testing.assert_allclose(actual.weights[item, some], expected, atol=1e-5)
        assert not actual.weights[item, ~some].any()


# Fewer neighbours.


def ridge_loss(full, gram, item, others):
    """The least of ||y - X w||^2 + lambda ||w||^2 over w, less the constant ||y||^2."""
    others = list(others)
    target = gram[item, others]
    return -target @ np.linalg.solve(full[np.ix_(others, others)], target) if others else 0.0


def brute_force(full, gram, item, neighbours):
    """Who goes first, second, ... and by how much the loss rises each time: by trying all."""
    remaining, gone = [int(one) for one in neighbours if one], []
    while remaining:
        before = ridge_loss(full, gram, item, remaining)
        rises = {
            one: ridge_loss(full, gram, item, [other for other in remaining if other != one])
            - before
            for one in remaining
        }
        first = min(rises, key=rises.__getitem__)
        gone.append((first, rises[first]))
        remaining.remove(first)
    return gone


@settings(max_examples=60)
@given(seeds, st.integers(2, 9), st.integers(1, 6), st.integers(1, 7), regularizations)
def test_the_neighbour_without_which_the_ridge_loss_rises_least_goes_first(
    seed, items, neighbours, kept, regularization
):
    pairs = random_pairs(seed, items, density=1.0)
    ridge = solve(pairs, regularization, neighbours)
    actual = prune_neighbours(
        pairs, ridge, kept, regularization=regularization, progress=NullProgress()
    )
    full, gram = system(pairs, regularization), pairs.gram.toarray()
    for item in range(items + 1):
        gone = brute_force(full, gram, item, ridge.neighbours[item])
        survivors = {one for one, _ in gone[max(len(gone) - kept, 0) :]}
        assert set(actual.neighbours[item]) - {0} == survivors
        place = {int(one): place for place, one in enumerate(ridge.neighbours[item])}
        rises = [actual.saliency[item, place[one]] for one, _ in gone]
        np.testing.assert_allclose(rises, [rise for _, rise in gone], rtol=1e-3, atol=1e-6)
        assert not actual.saliency[item, ridge.neighbours[item] == 0].any()


@given(seeds, st.integers(2, 9), st.integers(1, 8), st.integers(1, 9), regularizations)
def test_after_elimination_the_weights_are_the_ridge_on_the_survivors(
    seed, items, neighbours, kept, regularization
):
    pairs = random_pairs(seed, items, density=0.8)
    ridge = solve(pairs, regularization, neighbours)
    actual = prune_neighbours(
        pairs, ridge, kept, regularization=regularization, progress=NullProgress()
    )
    again = refit(pairs, actual.neighbours, regularization=regularization, progress=NullProgress())
    np.testing.assert_allclose(actual.weights, again.weights, atol=1e-5)
    before = np.count_nonzero(ridge.neighbours, axis=1)
    np.testing.assert_array_equal(
        np.count_nonzero(actual.neighbours, axis=1), np.minimum(before, kept)
    )
    assert ((actual.neighbours == ridge.neighbours) | (actual.neighbours == 0)).all()
    assert (actual.weights[actual.neighbours == 0] == 0).all()
    assert (actual.saliency[ridge.neighbours > 0] > 0).all()
    assert (actual.neighbours.dtype, actual.weights.dtype) == (np.int32, np.float32)
    assert actual.saliency.dtype == np.float32


@given(seeds, st.integers(2, 9), st.integers(1, 8), st.integers(0, 2), regularizations)
def test_keeping_all_neighbours_adds_only_the_saliencies(
    seed, items, neighbours, spare, regularization
):
    pairs = random_pairs(seed, items)
    ridge = solve(pairs, regularization, neighbours)
    actual = prune_neighbours(
        pairs, ridge, neighbours + spare, regularization=regularization, progress=NullProgress()
    )
    np.testing.assert_array_equal(actual.neighbours, ridge.neighbours)
    np.testing.assert_allclose(actual.weights, ridge.weights, atol=1e-5)


@given(seeds, st.integers(4, 9), st.integers(2, 7), st.integers(1, 6), regularizations)
def test_eliminating_in_two_goes_is_eliminating_in_one(seed, items, between, kept, regularization):
    pairs = random_pairs(seed, items, density=0.8)
    ridge = solve(pairs, regularization, items)

    def fewer(from_, kept):
        return prune_neighbours(
            pairs, from_, kept, regularization=regularization, progress=NullProgress()
        )

    some = fewer(ridge, max(between, kept))  # with gaps where neighbours were
    twice, once = fewer(some, kept), fewer(ridge, kept)
    np.testing.assert_array_equal(twice.neighbours, once.neighbours)
    np.testing.assert_allclose(twice.weights, once.weights, atol=1e-5)
    remaining = some.neighbours > 0
    np.testing.assert_allclose(
        twice.saliency[remaining], once.saliency[remaining], rtol=1e-3, atol=1e-6
    )
    assert not twice.saliency[~remaining].any()


def test_an_elimination_by_hand():
    # Both neighbours share 6 users with item 3. Alone, 1 explains 36 / 12 and 2 explains 36 / 9.
    gram = np.zeros((4, 4))
    gram[1:, 1:] = [[10, 0, 6], [0, 7, 6], [6, 6, 20]]
    pairs = pairs_of(gram)
    actual = prune_neighbours(
        pairs, solve(pairs, 2.0, 2), 1, regularization=2.0, progress=NullProgress()
    )
    assert actual.neighbours[3].tolist() == [2, 0]  # 2 is the stronger neighbour and stands first
    np.testing.assert_allclose(actual.weights[3], [6 / 9, 0], rtol=1e-6)
    np.testing.assert_allclose(actual.saliency[3], [4, 3], rtol=1e-6)


# Counts that were cut off.


@pytest.mark.parametrize(("row", "column"), [(1, 2), (2, 1)])
def test_a_count_known_on_one_side_of_a_pair_counts_on_both(row, column):
    gram = np.zeros((4, 4), np.float32)
    gram[1:, 1:] = [[10, 0, 6], [0, 6, 2], [6, 2, 9]]
    gram[row, column] = 4
    pairs = pairs_of(gram)
    np.testing.assert_allclose(
        solve(pairs, 2.0, 2).to_matrix().toarray()[1:3, 3], [0.5, 0], atol=1e-7
    )
    whole = prune_neighbours(
        pairs, solve(pairs, 2.0, 2), 2, regularization=2.0, progress=NullProgress()
    )
    np.testing.assert_allclose(whole.weights[3], [0.5, 0], atol=1e-7)


def test_counts_cut_off_so_far_that_they_contradict_each_other_are_still_solved():
    # 1 goes with 2 and 2 with 3, but of 1 and 3 nothing is left: no users are like that.
    gram = np.zeros((5, 5))
    gram[1:, 1:] = [[1, 0.95, 0, 0.5], [0.95, 1, 0.95, 0.6], [0, 0.95, 1, 0.7], [0, 0, 0, 1]]
    gram[4, 1:4] = gram[1:4, 4]
    pairs = pairs_of(gram)
    full = system(pairs, 0.01)[1:4, 1:4]
    assert np.linalg.eigvalsh(full)[0] < 0
    ridge = solve(pairs, 0.01, 3)
    weights = ridge.to_matrix().toarray()[1:4, 4].astype(np.float64)
    assert np.isfinite(ridge.weights).all()
    # They solve the system of a larger ridge, the same share more for each neighbour.
    more = (gram[4, 1:4] - full @ weights) / (np.diag(full) * weights)
    np.testing.assert_allclose(more, more[0], rtol=1e-3)
    assert 0 < more[0] < 1

    few = prune_neighbours(pairs, ridge, 2, regularization=0.01, progress=NullProgress())
    assert np.isfinite(few.weights).all()
    assert (few.saliency[ridge.neighbours > 0] > 0).all()
    assert np.count_nonzero(few.neighbours[4]) == 2


@settings(max_examples=60)
@given(seeds, st.integers(3, 9))
def test_any_cut_off_counts_give_finite_weights(seed, items):
    random = np.random.default_rng(seed)
    gram = np.triu(random.uniform(0.8, 1, (items + 1, items + 1)), 1)
    gram *= random.random(gram.shape) < 0.6
    gram[0] = 0
    pairs = pairs_of(gram + gram.T + np.diag([0.0] + [1.0] * items))
    ridge = solve(pairs, 0.001, items)
    few = prune_neighbours(pairs, ridge, 2, regularization=0.001, progress=NullProgress())
    for actual in (ridge.weights, few.weights, few.saliency):
        assert np.isfinite(actual).all()
    assert (
        (few.neighbours > 0).sum(axis=1) == np.minimum((gram + gram.T > 0).sum(axis=1), 2)
    ).all()


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("workers", [1, 4])
def test_blocks_and_threads_make_no_difference(at_once, workers, monkeypatch):
    pairs = random_pairs(3, 20, density=1.0)

    def both():
        ridge = solve(pairs, 2.0, 6)
        few = prune_neighbours(pairs, ridge, 3, regularization=2.0, progress=NullProgress())
        return ridge.neighbours, ridge.weights, few.neighbours, few.weights, few.saliency

    expected = both()
    monkeypatch.setattr(parallel, "BLOCK_SIZE", at_once)
    monkeypatch.setattr(module, "count_threads", lambda: workers)
    for actual, one in zip(both(), expected, strict=True):
        np.testing.assert_array_equal(actual, one)
