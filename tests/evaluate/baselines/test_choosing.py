"""What settings of baselines are chosen by."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOut
from kd_tf.evaluate.baselines import choosing
from kd_tf.evaluate.baselines.choosing import ndcg_of


def held_out(histories: list, targets: list) -> HeldOut:
    return HeldOut(
        from_lists(histories), from_lists(targets), np.arange(len(targets), dtype=np.int32)
    )


def downwards(histories: Histories) -> np.ndarray:
    """Ranks books 1, 2, 3, ..., 20."""
    return np.tile(-np.arange(21, dtype=np.float32), (len(histories), 1))


def test_it_is_the_mean_ndcg_of_readers_with_a_history() -> None:
    # Without book 1 of the history, book 3 is second: 1 / log2(3). Book 12 is below the tenth.
    validation = held_out([[1], [5], []], [[3], [12], [1]])
    assert ndcg_of(downwards, validation) == pytest.approx((1 / np.log2(3) + 0) / 2)


def test_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = [random.permutation(20)[:6] + 1 for _ in range(7)]
    validation = held_out([row[:3] for row in rows], [row[3:] for row in rows])
    whole = ndcg_of(downwards, validation)
    monkeypatch.setattr(choosing, "_AT_ONCE", 3)
    assert ndcg_of(downwards, validation) == pytest.approx(whole)


def test_no_more_readers_are_asked_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "READERS", 1)
    assert ndcg_of(downwards, held_out([[], [2], [1]], [[1], [1], [20]])) == pytest.approx(1)


def test_without_a_reader_to_ask_it_is_0() -> None:
    assert ndcg_of(downwards, held_out([[]], [[1]])) == 0
