"""The closed form against a dense solve of every book."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import from_lists
from kd_tf.models.teachers.local_ridge import HISTORY_POWER, local_ridge, strongest_targets
from kd_tf.progress import Silent

BOOKS = 12


def test_with_all_neighbours_it_is_the_ridge_regression_of_each_book() -> None:
    random = np.random.default_rng(0)
    rows = [random.permutation(BOOKS)[: random.integers(2, 8)] + 1 for _ in range(40)]
    found = local_ridge(
        from_lists(rows), BOOKS, neighbours=BOOKS, regularization=3.0, progress=Silent()
    ).toarray()

    read = np.zeros((len(rows), BOOKS + 1))
    for reader, row in enumerate(rows):
        read[reader, row] = len(row) ** HISTORY_POWER
    gram = read.T @ read
    ridge = 3.0 * np.trace(gram) / sum(len(row) for row in rows)
    for book in range(1, BOOKS + 1):
        others = [i for i in range(1, BOOKS + 1) if i != book and gram[book, i] > 0]
        system = gram[np.ix_(others, others)] + ridge * np.eye(len(others))
        expected = np.zeros(BOOKS + 1)
        expected[others] = np.linalg.solve(system, gram[others, book])
        np.testing.assert_allclose(found[:, book], expected, atol=1e-6)
    assert not found.diagonal().any()
    assert not found[0].any()
    assert not found[:, 0].any()


def test_few_neighbours_keep_the_strongest_and_a_lonely_book_has_none() -> None:
    rows = [[1, 2], [1, 2], [1, 3], [2, 1], [4]]
    found = local_ridge(
        from_lists([list(row) for row in rows]), 4, neighbours=1, progress=Silent()
    ).toarray()
    assert found[2, 1] > 0
    assert found[3, 1] == 0
    assert not found[:, 4].any()


def test_strongest_targets_are_those_of_a_plain_sort() -> None:
    weights = local_ridge(from_lists([[1, 2, 3], [2, 3], [1, 3, 4]]), 4, progress=Silent())
    ids, values = strongest_targets(weights, 2)
    dense = weights.toarray()
    for row in range(5):
        stored = weights.indices[weights.indptr[row] : weights.indptr[row + 1]]
        best = sorted(stored.tolist(), key=lambda i: -dense[row, i])[:2]
        assert ids[row].tolist() == best + [0] * (2 - len(best))
        np.testing.assert_allclose(values[row, : len(best)], dense[row, best])
