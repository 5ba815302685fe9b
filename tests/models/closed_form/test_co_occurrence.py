"""Shared users against X^T X written out, and shared authors against sets."""

import contextlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories, from_lists
from kd_tf.models.closed_form import co_occurrence as module
from kd_tf.models.closed_form import parallel
from kd_tf.models.closed_form.co_occurrence import (
    add_shared_features,
    count_co_occurrences,
    count_shared_features,
)
from kd_tf.progress import NullProgress

V = 7

histories_lists = st.lists(st.lists(st.integers(1, V), max_size=9), max_size=12)


@st.composite
def weighted_histories(draw) -> Histories:
    plain = from_lists(draw(histories_lists))
    if not draw(st.booleans()):
        return plain
    weight = st.floats(0.125, 8, width=32)
    size = len(plain.items)
    weights = draw(st.lists(weight, min_size=size, max_size=size))
    return Histories(plain.items, plain.offsets, np.array(weights, np.float32))


def dense(histories, items):
    """X^T X of users weighted by length ** -1/4, and the sum of the interactions' weights."""
    read = np.zeros((len(histories), items + 1))
    for user in range(len(histories)):
        for place in range(histories.offsets[user], histories.offsets[user + 1]):
            item = histories.items[place]
            weight = 1.0 if histories.weights is None else histories.weights[place]
            read[user, item] = max(read[user, item], weight)
    total = read.sum()
    for user in read:
        if user.any():
            user *= np.count_nonzero(user) ** -0.25
    return read.T @ read, total


def off_diagonal(gram):
    return gram - np.diag(np.diag(gram))


def same(one, other):
    for field in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(one.gram, field), getattr(other.gram, field))
    np.testing.assert_array_equal(one.item_counts, other.item_counts)
    assert one.mean_weight == other.mean_weight


@given(weighted_histories())
def test_the_counts_are_x_transposed_x_of_weighted_users(histories):
    actual = count_co_occurrences(histories, V, progress=NullProgress())
    gram, total = dense(histories, V)
    np.testing.assert_allclose(actual.gram.toarray(), off_diagonal(gram), rtol=1e-5)
    np.testing.assert_allclose(actual.item_counts, np.diag(gram), rtol=1e-5)
    assert actual.mean_weight == pytest.approx(np.trace(gram) / max(total, 1), rel=1e-5)
    assert actual.num_items == V


@given(weighted_histories())
def test_only_pairs_that_somebody_read_are_stored_in_the_order_of_their_ids(histories):
    gram = count_co_occurrences(histories, V, progress=NullProgress()).gram
    assert (gram.data > 0).all()
    for row in range(V + 1):
        columns = gram.indices[gram.indptr[row] : gram.indptr[row + 1]].tolist()
        assert columns == sorted(set(columns) - {0, row})
    assert gram.indptr[1] == 0


def test_shared_users_by_hand():
    # A user of four items weighs 1/2, one of a single item 1; reading twice is reading once.
    actual = count_co_occurrences(
        from_lists([[1, 2, 3, 4], [2], [1, 1, 1]]), 5, progress=NullProgress()
    )
    expected = np.zeros((6, 6))
    expected[1:5, 1:5] = 0.5
    np.testing.assert_allclose(actual.gram.toarray(), off_diagonal(expected))
    np.testing.assert_allclose(actual.item_counts, [0, 1.5, 1.5, 0.5, 0.5, 0])
    assert actual.mean_weight == pytest.approx(4 / 6)


def test_interactions_count_by_their_weight_and_a_repeat_by_its_greatest():
    histories = Histories(
        np.array([1, 2, 1], np.int32), np.array([0, 3]), np.array([2, 3, 5], np.float32)
    )
    actual = count_co_occurrences(histories, 2, progress=NullProgress())
    assert actual.gram[1, 2] == pytest.approx(15 / np.sqrt(2))
    np.testing.assert_allclose(actual.item_counts, np.array([0, 25, 9]) / np.sqrt(2), rtol=1e-6)
    assert actual.mean_weight == pytest.approx(34 / np.sqrt(2) / 8)


@given(weighted_histories(), st.integers(1, V))
def test_a_small_budget_keeps_the_strongest_neighbours_of_every_item(histories, width):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIN_NEIGHBOURS", 1)
        actual = count_co_occurrences(histories, V, max_entries=width * V, progress=NullProgress())
    gram, total = dense(histories, V)
    gain = off_diagonal(gram) ** 2 / np.maximum(np.diag(gram), 1e-9)
    few = actual.gram.toarray()
    for item in range(V + 1):
        kept = np.flatnonzero(few[item])
        assert len(kept) == min(width, np.count_nonzero(gain[item]))
        strongest = np.sort(gain[item])[::-1][: len(kept)]
        np.testing.assert_allclose(np.sort(gain[item, kept])[::-1], strongest, rtol=1e-5)
        np.testing.assert_allclose(few[item, kept], gram[item, kept], rtol=1e-5)
    np.testing.assert_allclose(actual.item_counts, np.diag(gram), rtol=1e-5)
    assert actual.mean_weight == pytest.approx(np.trace(gram) / max(total, 1), rel=1e-5)


def test_an_item_of_every_user_is_no_stronger_neighbour(monkeypatch):
    monkeypatch.setattr(module, "MIN_NEIGHBOURS", 1)
    rows = [[1, 2]] * 3 + [[1, 3]] * 2 + [[2]] * 30
    actual = count_co_occurrences(from_lists(rows), 3, max_entries=0, progress=NullProgress())
    assert actual.gram[[1]].indices.tolist() == [3]  # 2 shares more users with 1 than 3 does


def test_the_minimum_number_of_neighbours_is_kept_whatever_the_budget(monkeypatch):
    rows = from_lists([list(range(1, 11))])
    whole = count_co_occurrences(rows, 10, max_entries=0, progress=NullProgress())
    assert np.diff(whole.gram.indptr).tolist() == [0] + [9] * 10
    monkeypatch.setattr(module, "MIN_NEIGHBOURS", 3)
    few = count_co_occurrences(rows, 10, max_entries=0, progress=NullProgress())
    assert np.diff(few.gram.indptr).tolist() == [0] + [3] * 10


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("width", [2, 30])
def test_blocks_and_threads_make_no_difference(at_once, workers, width, monkeypatch):
    monkeypatch.setattr(module, "MIN_NEIGHBOURS", width)
    random = np.random.default_rng(0)
    rows = [random.permutation(20)[: random.integers(0, 9)] + 1 for _ in range(40)]
    expected = count_co_occurrences(from_lists(rows), 20, max_entries=0, progress=NullProgress())
    monkeypatch.setattr(parallel, "BLOCK_SIZE", at_once)
    monkeypatch.setattr(module, "count_threads", lambda: workers)
    same(
        count_co_occurrences(from_lists(rows), 20, max_entries=0, progress=NullProgress()), expected
    )


@given(st.integers(-3, 20), st.integers(0, 50), st.integers(1, 9))
def test_blocks_follow_one_another_from_start_to_end(start, size, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "BLOCK_SIZE", at_once)
        actual = list(parallel.split_into_blocks(start, start + size))
    assert [one for edges in actual for one in range(*edges)] == list(range(start, start + size))
    assert all(0 < end - first <= at_once for first, end in actual)


def test_rows_longer_than_the_first_memory_are_complete():
    items = 2_100
    actual = count_co_occurrences(
        from_lists([np.arange(items) + 1, [1, 2_100]]),
        items,
        max_entries=10**7,
        progress=NullProgress(),
    )
    assert np.diff(actual.gram.indptr).tolist() == [0] + [items - 1] * items
    expected = np.full(items * (items - 1), items**-0.5)
    expected[items - 2] += 2**-0.5
    expected[-(items - 1)] += 2**-0.5
    np.testing.assert_allclose(actual.gram.data, expected, rtol=1e-5)
    others = np.arange(1, items + 1)
    for item in (1, 256, 257, items):
        np.testing.assert_array_equal(actual.gram[[item]].indices, others[others != item])


@pytest.mark.parametrize(
    ("rows", "items", "counts"),
    [
        ([], 3, [0, 0, 0, 0]),
        ([[], []], 2, [0, 0, 0]),
        ([[1]], 1, [0, 1]),
        ([[1], [1, 1]], 1, [0, 2]),
        ([[3], [], [3]], 3, [0, 0, 0, 2]),
    ],
)
def test_without_pairs_nothing_is_read_together(rows, items, counts):
    actual = count_co_occurrences(from_lists(rows), items, progress=NullProgress())
    assert actual.gram.shape == (items + 1, items + 1)
    assert actual.gram.nnz == 0
    np.testing.assert_allclose(actual.item_counts, counts)
    assert actual.mean_weight == float(bool(sum(counts)))


def test_a_stored_count_takes_eight_bytes():
    actual = count_co_occurrences(from_lists([[1, 2, 3], [2, 3]]), 3, progress=NullProgress())
    assert (actual.gram.data.dtype, actual.item_counts.dtype) == (np.float32, np.float32)
    assert actual.gram.indices.dtype == np.int32


def test_progress_counts_every_item_once():
    messages = Told()
    count_co_occurrences(from_lists([[1, 600], [2, 600]]), 600, progress=messages)
    assert messages.total == messages.done == 600


class Told(NullProgress):
    """Adds up what it is told."""

    @contextlib.contextmanager
    def task(self, label, total):
        self.total, self.done = total, 0

        def advance(steps=1, note=""):
            self.done += steps

        yield advance


# Items that share an author or a series.

NAMES = ("Ann", "ANN", " ann ", "Bob", "Zoë", "")


def catalog(**columns):
    size = len(next(iter(columns.values())))
    return Catalog(
        pl.DataFrame(
            {"item_id": [str(item) for item in range(size)], **columns},
            schema_overrides=dict.fromkeys(columns, pl.String),
        )
    )


def features_of(authors, series):
    """For each item the set of what it could share."""
    return [
        {("author", name.strip().casefold()) for name in (who or "").split(",")[:2]}
        | {("series", (which or "").strip().casefold())}
        for who, which in zip(authors, series, strict=True)
    ]


@given(
    st.lists(
        st.tuples(
            st.none() | st.lists(st.sampled_from(NAMES), max_size=3).map(",".join),
            st.none() | st.sampled_from(NAMES),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_shared_features_are_the_common_elements_of_two_sets(items):
    authors, series = zip(*items, strict=True)
    actual = count_shared_features(catalog(authors=authors, series=series))
    sets = features_of(authors, series)
    groups = [one for has in sets for one in has if one[1]]
    real = {one for one in groups if groups.count(one) > 1}
    expected = np.zeros((len(items) + 1, len(items) + 1))
    expected[1:, 1:] = [[len(one & other & real) for other in sets] for one in sets]
    np.testing.assert_array_equal(actual.toarray(), expected)
    assert actual.dtype == np.float32


def test_shared_features_by_hand():
    actual = count_shared_features(
        catalog(
            authors=["Ann Lee, Bob", "BOB,  ann lee", "Cid, Dan, Bob", None, "Eve"],
            series=["Saga", None, "saga ", "", "Ann Lee"],
        )
    ).toarray()
    # 1 and 2 share both authors. Of 3 Bob is no more than the third. 4 has nothing, and that a
    # series bears an author's name says nothing.
    expected = np.zeros((6, 6))
    expected[1, 1:4] = [3, 2, 1]
    expected[2, 1:3] = [2, 2]
    expected[3, [1, 3]] = [1, 1]
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("size", "shared"), [(1, 0), (2, 1), (200, 1), (201, 0)])
def test_a_group_of_one_or_of_hundreds_is_no_hint(size, shared):
    actual = count_shared_features(catalog(authors=["Various"] * size + [None])).toarray()
    np.testing.assert_array_equal(actual[1 : size + 1, 1 : size + 1], shared)
    assert not actual[0].any()
    assert not actual[size + 1].any()


def counted():
    return count_co_occurrences(from_lists([[1, 2, 3], [2, 4], [2]]), 5, progress=NullProgress())


def test_sharing_adds_users_off_the_diagonal_and_on_it():
    pairs = counted()
    before = pairs.gram.toarray(), pairs.item_counts.copy()
    items = catalog(authors=["A", "A, B", None, "B", "A"], series=["S", "S", None, None, None])
    actual = add_shared_features(pairs, items, 3.0)
    common = np.zeros((6, 6))
    common[1, [1, 2, 5]] = [2, 2, 1]
    common[2, [1, 2, 4, 5]] = [2, 3, 1, 1]
    common[4, [2, 4]] = 1
    common[5, [1, 2, 5]] = 1
    worth = 3 * pairs.mean_weight
    expected = before[0] + worth * off_diagonal(common)
    np.testing.assert_allclose(actual.gram.toarray(), expected, rtol=1e-6)
    np.testing.assert_allclose(actual.item_counts, before[1] + worth * np.diag(common), rtol=1e-6)
    assert actual.mean_weight == pairs.mean_weight
    assert actual.gram.nnz == np.count_nonzero(expected)
    assert (actual.gram.dtype, actual.item_counts.dtype) == (np.float32, np.float32)
    for row in range(6):
        columns = actual.gram.indices[actual.gram.indptr[row] : actual.gram.indptr[row + 1]]
        assert (np.diff(columns) > 0).all()
    np.testing.assert_array_equal(pairs.gram.toarray(), before[0])
    np.testing.assert_array_equal(pairs.item_counts, before[1])


def test_a_stored_count_takes_eight_bytes_with_shared_features_too():
    actual = add_shared_features(counted(), catalog(authors=["A"] * 5), 3.0)
    assert actual.gram.indices.dtype == np.int32


def test_a_strength_of_0_changes_nothing():
    pairs = counted()
    assert add_shared_features(pairs, catalog(authors=["A"] * 5), 0.0) is pairs


@pytest.mark.parametrize(
    "columns", [{"title": ["T"] * 5}, {"authors": [None] * 5}, {"authors": list("ABCDE")}]
)
def test_a_catalog_without_two_items_of_an_author_changes_nothing(columns):
    pairs = counted()
    assert add_shared_features(pairs, catalog(**columns), 3.0) is pairs


def test_items_that_were_also_read_count_as_if_they_were_in_the_history():
    liked = from_lists([np.array(row, np.int32) for row in ([1, 2], [3], [2, 4])])
    other = from_lists([np.array(row, np.int32) for row in ([3], [], [2, 5])])
    both = from_lists([np.array(row, np.int32) for row in ([1, 2, 3], [3], [2, 4, 5])])
    actual = count_co_occurrences(liked, 5, low_rated=other, progress=NullProgress())
    expected = count_co_occurrences(both, 5, progress=NullProgress())
    np.testing.assert_allclose(actual.gram.toarray(), expected.gram.toarray())
    np.testing.assert_allclose(actual.item_counts, expected.item_counts)
    assert actual.mean_weight == expected.mean_weight
