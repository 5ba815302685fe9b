"""Sampled candidates: uniform, the same for all models, and never a seen item."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet
from kd_tf.errors import UserError
from kd_tf.evaluation import candidates
from kd_tf.evaluation.candidates import (
    SampledCandidates,
    mask_non_candidates,
    parse_candidates,
)

ITEMS = 30


def users(n: int, also_read: Histories | None = None) -> HeldOutSet:
    return HeldOutSet(
        from_lists([[1 + r % 5, 7] for r in range(n)]),
        from_lists([[8], [9, 10]] * (n // 2)),
        np.arange(n, dtype=np.int32),
        also_read,
    )


def test_no_candidate_was_read_or_is_held_out_and_none_comes_twice() -> None:
    held_out = users(200, from_lists([[11, 12]] * 200))
    samples = SampledCandidates(12).draw(held_out, ITEMS)
    assert samples.shape == (200, 12)
    for row in range(200):
        known = {*held_out.histories[row], *held_out.targets[row], 11, 12, 0}
        assert len(set(samples[row].tolist())) == 12
        assert not known & set(samples[row].tolist())


def test_all_unread_items_are_drawn_alike() -> None:
    n = 4000
    held_out = HeldOutSet(
        from_lists([[1]] * n), from_lists([[2]] * n), np.arange(n, dtype=np.int32)
    )
    samples = SampledCandidates(7).draw(held_out, ITEMS)
    counts = np.bincount(samples.ravel(), minlength=ITEMS + 1)
    assert counts[:3].sum() == 0
    expected = 7 * n / (ITEMS - 2)
    # Six standard deviations of a hypergeometric count, rounded up.
    assert np.abs(counts[3:] - expected).max() < 6 * np.sqrt(expected)


def test_where_too_few_are_unread_all_of_them_are_candidates() -> None:
    samples = SampledCandidates(99).draw(users(2), ITEMS)
    assert samples.shape == (2, 99)
    assert sorted(samples[0][samples[0] > 0]) == sorted({*range(1, 31)} - {1, 7, 8})


def test_the_same_seed_draws_the_same_and_another_one_others() -> None:
    held_out = users(50)
    first = SampledCandidates(5, seed=1).draw(held_out, ITEMS)
    np.testing.assert_array_equal(first, SampledCandidates(5, seed=1).draw(held_out, ITEMS))
    assert (first != SampledCandidates(5, seed=2).draw(held_out, ITEMS)).any()


def test_users_are_drawn_for_in_parts_without_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_MAX_KEYS_IN_MEMORY", 10 * (ITEMS + 1))
    n = 40
    held_out = HeldOutSet(
        from_lists([[1]] * n), from_lists([[2]] * n), np.arange(n, dtype=np.int32)
    )
    samples = SampledCandidates(9).draw(held_out, ITEMS)
    assert len({tuple(sorted(row)) for row in samples.tolist()}) == n


def test_only_held_out_and_drawn_items_keep_their_scores() -> None:
    scores = np.arange(12, dtype=np.float32).reshape(2, 6)
    kept = mask_non_candidates(
        scores, from_lists([[2], [1, 3]]), np.array([[5, 0], [4, 5]], np.int32)
    )
    nothing = np.nan
    expected = [[nothing, nothing, 2, nothing, nothing, 5], [nothing, 7, nothing, 9, 10, 11]]
    np.testing.assert_array_equal(kept, expected)


def test_candidates_are_full_or_sampled() -> None:
    assert parse_candidates("full") is None
    assert parse_candidates("cold") is None
    assert parse_candidates("sampled:499", 7) == SampledCandidates(499, 7)
    assert str(SampledCandidates(499)) == "sampled:499"


@pytest.mark.parametrize("text", ["", "sampled", "sampled:", "sampled:0", "sampled:-1", "all:3"])
def test_other_candidates_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="full, cold or sampled:N"):
        parse_candidates(text)
