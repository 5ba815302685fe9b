import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.examples.augmentation import apply_item_dropout, apply_mixup, augment
from kd_tf.data.examples.sequences import Examples

seeds = st.integers(0, 2**16)


@st.composite
def examples(draw) -> Examples:
    """Passes of users with distinct items each, some with none."""
    passes, users, L, M = (draw(st.integers(1, most)) for most in (3, 6, 7, 3))
    random = np.random.default_rng(draw(seeds))
    history = np.zeros((passes, users, L), np.int32)
    for where in np.ndindex(passes, users):
        length = random.integers(0, L + 1)
        history[where][:length] = random.permutation(12)[:length] + 1
    return Examples(history, random.integers(1, 13, (passes, users, M)).astype(np.int32))


def items(row: np.ndarray) -> list[int]:
    """The ids of a padded row, after checking that zeros stand only at the end."""
    actual = row[row > 0].tolist()
    assert row.tolist() == actual + [0] * (len(row) - len(actual))
    return actual


def follows(part: list[int], whole: list[int]) -> bool:
    """Whether `part` is some of `whole`, in order."""
    rest = iter(whole)
    return all(item in rest for item in part)


def many(*rows: list[int], times: int = 3000) -> Examples:
    """One pass of these histories, each so many times."""
    history = np.tile(np.array(rows, np.int32), (times, 1))[None]
    return Examples(history, np.ones((1, len(history[0]), 2), np.int32))


def check_without_targets(made: Examples, given: Examples) -> None:
    assert made.history.shape == given.history.shape
    assert made.targets.shape == given.targets.shape
    assert made.history.dtype == made.targets.dtype == np.int32
    assert not made.targets.any()


@given(examples(), st.sampled_from([0.0, 0.3, 0.7, 0.999]), seeds)
def test_item_dropout_keeps_at_least_one_item_and_the_order(given, share, seed):
    made = apply_item_dropout(given, share, seed)
    check_without_targets(made, given)
    for where in np.ndindex(given.history.shape[:2]):
        before, after = items(given.history[where]), items(made.history[where])
        assert follows(after, before)
        assert bool(after) == bool(before)
        if share == 0:
            assert after == before


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_an_item_is_dropped_with_the_given_probability(share):
    actual = apply_item_dropout(many([1, 2, 3, 4, 0]), share, seed=0).history[0]
    remaining = np.stack([(actual == item).any(axis=1).mean() for item in (1, 2, 3, 4)])
    # Where all would go one stays, each as often as the others.
    np.testing.assert_allclose(remaining, 1 - share + share**4 / 4, atol=0.03)


@given(examples(), seeds)
def test_mixup_holds_items_of_two_users_once_each_in_the_order_of_each(given, seed):
    made = apply_mixup(given, seed)
    check_without_targets(made, given)
    for number, one_pass in enumerate(given.history):
        histories = [items(row) for row in one_pass]
        for user, row in enumerate(made.history[number]):
            actual = items(row)
            assert len(set(actual)) == len(actual)
            assert any(
                set(actual) <= {*histories[user], *other}
                and follows([one for one in actual if one not in other], histories[user])
                and follows([one for one in actual if one not in histories[user]], other)
                for other in histories
            )
            if histories[user]:
                assert actual


@given(examples(), seeds)
def test_every_user_is_the_partner_in_exactly_one_mixup_of_another_user(given, seed):
    users, L = given.history.shape[1:]
    # Every user has one item, the user's own number; one item is always kept.
    history = np.zeros_like(given.history)
    history[:, :, 0] = np.arange(users) + 1
    made = apply_mixup(Examples(history, given.targets), seed)
    if users < 2 or L < 2:
        return
    for one_pass in made.history:
        assert (one_pass > 0).sum(axis=1).tolist() == [2] * users
        assert (one_pass[:, 0] == np.arange(users) + 1).all()
        assert sorted(one_pass[:, 1]) == list(range(1, users + 1))


def test_mixup_has_about_half_of_the_items_of_each_user():
    actual = apply_mixup(many([1, 2, 3, 4, 5, 6, 0, 0], [11, 12, 13, 14, 15, 16, 0, 0]), seed=0)
    rows = mixed(actual.history[0])
    assert len(rows) > 1000
    for item in (1, 6, 11, 16):
        assert 0.45 < (rows == item).any(axis=1).mean() < 0.55


def mixed(rows: np.ndarray) -> np.ndarray:
    """Blends of a user of items up to 10 and one of items above."""
    return rows[(rows > 10).any(axis=1) & ((rows > 0) & (rows < 10)).any(axis=1)]


def test_the_newest_of_both_stand_near_the_end():
    rows = apply_mixup(many([1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]), seed=1).history[0]
    place = mixed(rows) % 10
    for earlier in range(5):
        filled = place[:, earlier + 1] > 0
        assert (place[filled, earlier] <= place[filled, earlier + 1]).all()
    rows = apply_mixup(many([1, 2, 3, 4, 0, 0], [11, 12, 0, 0, 0, 0]), seed=1).history[0]
    assert [1, 11, 2, 3, 12, 4] in mixed(rows).tolist()


def test_where_there_is_no_room_the_oldest_go():
    rows = mixed(apply_mixup(many([1, 2], [11, 12], times=8000), seed=1).history[0])
    # Of a user the old item is drawn, the new one, or both: 3/8, 3/8, 1/4. Old and both, 6/64,
    # are newest first two items of one user, and so none of these.
    ages, counts = np.unique(np.sort(rows % 10, axis=1), axis=0, return_counts=True)
    assert ages.tolist() == [[1, 1], [1, 2], [2, 2]]
    np.testing.assert_allclose(counts / len(rows), [9 / 58, 24 / 58, 25 / 58], atol=0.02)


def test_an_item_of_both_users_stands_once():
    rows = apply_mixup(many([1, 2, 3, 4], times=1000), seed=0).history[0]
    lengths = (rows > 0).sum(axis=1)
    distinct = np.array([len(set(row[row > 0].tolist())) for row in rows])
    np.testing.assert_array_equal(lengths, distinct)
    assert lengths.max() == 4
    # It is there unless both draws leave it out.
    left_out = 0.5 - 0.5**4 / 4
    for item in (1, 4):
        assert abs((rows == item).any(axis=1).mean() - (1 - left_out**2)) < 0.05


@given(examples(), st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), seeds)
@settings(max_examples=50)
def test_rows_are_appended_to_every_pass(given, dropout_share, mixup_share, s):
    made = augment(given, dropout_share=dropout_share, mixup_share=mixup_share, seed=s)
    added = round(dropout_share * given.examples_per_pass) + round(
        mixup_share * given.examples_per_pass
    )
    assert (made.num_passes, made.examples_per_pass) == (
        given.num_passes,
        given.examples_per_pass + added,
    )
    np.testing.assert_array_equal(made.history[:, : given.examples_per_pass], given.history)
    np.testing.assert_array_equal(made.targets[:, : given.examples_per_pass], given.targets)
    assert not made.targets[:, given.examples_per_pass :].any()
    assert made.history.dtype == made.targets.dtype == np.int32


def test_what_is_added_is_drawn_anew_for_every_pass_and_from_different_users():
    history = np.zeros((2, 40, 4), np.int32)
    history[:, :, 0] = np.arange(40) + 1
    given = Examples(history, np.ones((2, 40, 1), np.int32))
    rows = augment(given, dropout_share=0.5, seed=0).history[:, 40:, 0]
    assert [len(set(one.tolist())) for one in rows] == [20, 20]
    assert set(rows[0].tolist()) != set(rows[1].tolist())


@given(examples(), seeds)
def test_the_seed_alone_decides_and_one_kind_does_not_move_the_other(given, seed):
    both = augment(given, dropout_share=1.0, mixup_share=1.0, seed=seed)
    again = augment(given, dropout_share=1.0, mixup_share=1.0, seed=seed)
    np.testing.assert_array_equal(both.history, again.history)
    alone = augment(given, mixup_share=1.0, seed=seed)
    np.testing.assert_array_equal(
        both.history[:, 2 * given.examples_per_pass :], alone.history[:, given.examples_per_pass :]
    )


def test_another_seed_draws_others():
    given = many([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], times=20)
    for make in (lambda s: apply_item_dropout(given, 0.5, s), lambda s: apply_mixup(given, s)):
        assert (make(0).history != make(1).history).any()
    # Of one item nothing can be left out: which users are taken is all that is drawn.
    single = Examples(np.arange(1, 41, dtype=np.int32).reshape(1, 40, 1), given.targets[:, :40])
    one, other = (augment(single, dropout_share=0.5, seed=seed).history for seed in (0, 1))
    assert set(one[0, 40:, 0]) != set(other[0, 40:, 0])


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_would_leave_nothing_is_refused(share):
    with pytest.raises(ValueError, match=f"from 0 to below 1, not {share}"):
        apply_item_dropout(many([1, 2], times=1), share, seed=0)


@pytest.mark.parametrize("name", ["dropout_share", "mixup_share"])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_of_the_users_out_of_range_are_refused(name, share):
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1, not {share}"):
        augment(many([1, 2], times=1), seed=0, **{name: share})
