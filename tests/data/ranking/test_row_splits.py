"""Every row is in one part, and no part knows what its protocol hides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.data.ranking.negatives import draw_negatives
from kd_tf.data.ranking.row_splits import SplitRules, check_row_leakage, split_rows
from kd_tf.data.splits.leakage import LeakageError
from kd_tf.data.splits.published import PUBLISHED, TEST, TRAIN, VALIDATION
from kd_tf.errors import UserError


@given(st.data(), st.sampled_from(["random", "temporal", "unseen-users"]))
def test_no_split_leaks_whatever_the_rows(data, protocol):
    num_rows = data.draw(st.integers(1, 60))
    users = np.array(data.draw(st.lists(st.integers(0, 9), min_size=num_rows, max_size=num_rows)))
    times = np.array(data.draw(st.lists(st.integers(0, 9), min_size=num_rows, max_size=num_rows)))
    seed = data.draw(st.integers(0, 9))
    rules = SplitRules(protocol, test_share=0.3, validation_share=0.2, seed=seed)
    try:
        parts = split_rows(num_rows, rules, users=users, times=times)
    except UserError:
        return  # a part would be empty
    assert set(parts) == {TRAIN, VALIDATION, TEST}
    check_row_leakage(parts, rules, users=users, times=times)
    if protocol == "temporal":
        assert times[parts == TRAIN].max() < times[parts == VALIDATION].min()
        assert times[parts == VALIDATION].max() < times[parts == TEST].min()
    if protocol == "unseen-users":
        assert all(len(set(parts[users == user])) == 1 for user in set(users))


def test_leaks_are_found():
    parts = np.array([TRAIN, VALIDATION, TEST, TEST])
    with pytest.raises(LeakageError, match="1 users are in training and test"):
        check_row_leakage(parts, SplitRules("unseen-users"), users=np.array([0, 1, 2, 0]))
    with pytest.raises(LeakageError, match="validation and test overlap"):
        check_row_leakage(parts, SplitRules("temporal"), times=np.array([0, 2, 3, 2]))


def test_files_are_parts_and_validation_is_drawn_of_training():
    file_parts = np.array([TRAIN] * 20 + [TEST] * 5, np.int8)
    parts = split_rows(25, SplitRules(PUBLISHED), file_parts=file_parts)
    assert np.bincount(parts).tolist() == [18, 2, 5]
    assert (parts[20:] == TEST).all()


@pytest.mark.parametrize(
    "options",
    [
        {"protocol": "leave-one-out"},
        {"test_share": 0},
        {"test_share": 0.8, "validation_share": 0.2},
        {"num_folds": 2},
        {"num_folds": 3, "fold": 3},
        {"protocol": "temporal", "num_folds": 3},
    ],
)
def test_wrong_rules_are_refused(options):
    with pytest.raises(UserError):
        SplitRules(**options)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40),
    st.integers(1, 3),
)
def test_negatives_are_never_items_that_the_user_has(pairs, num_negatives):
    users, items = map(np.array, zip(*pairs, strict=True))
    parts = np.arange(len(pairs)) % 3
    rows, negatives = draw_negatives(users, items, parts, num_negatives, seed=1)
    assert not set(zip(users[rows].tolist(), negatives.tolist(), strict=True)) & set(pairs)
    train_items = set(items[parts == TRAIN].tolist())
    assert set(negatives[parts[rows] == TRAIN].tolist()) <= train_items
    counts = np.bincount(rows, minlength=len(pairs))
    for row, (user, _) in enumerate(pairs):
        candidates = train_items if parts[row] == TRAIN else set(items.tolist())
        has_rest = bool(candidates - {item for other, item in pairs if other == user})
        assert counts[row] == (num_negatives if has_rest else 0)
