"""A saved split comes back as it was, or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split, load
from kd_tf.errors import UserError


def some_split(weights: bool = False, seen_items: bool = False) -> Split:
    train = from_lists([[1, 2], [3]])
    if weights:
        train = Histories(train.items, train.offsets, np.array([1, 2.5, 3], np.float32))
    users = np.array([4, 7], np.int32)
    held_out = HeldOutSet(
        from_lists([[1], []]),
        from_lists([[2], [3, 1]]),
        users,
        from_lists([[3], []]) if seen_items else None,
    )
    return Split(
        train,
        np.array([0, 2], np.int32),
        held_out,
        dataclasses.replace(held_out, targets=from_lists([[5], [6]])),
        "given",
        7,
        9,
        ("a note",),
    )


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("seen_items", [False, True])
def test_what_was_saved_comes_back(tmp_path: Path, weights: bool, seen_items: bool) -> None:
    split = some_split(weights, seen_items)
    split.save(tmp_path / "split.npz")
    actual = load(tmp_path / "split.npz")
    assert actual.fingerprint() == split.fingerprint()
    assert (actual.protocol, actual.seed, actual.num_items, actual.notes) == (
        "given",
        7,
        9,
        ("a note",),
    )
    for one, other in (
        (actual.train, split.train),
        (actual.test.histories, split.test.histories),
        (actual.test.targets, split.test.targets),
        (actual.validation.targets, split.validation.targets),
    ):
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.offsets, other.offsets)
    assert (actual.train.weights is None) == (not weights)
    assert (actual.test.seen_items is None) == (not seen_items)
    assert [path.name for path in tmp_path.iterdir()] == ["split.npz"]


def test_different_splits_have_different_fingerprints() -> None:
    split = some_split()
    others = [
        some_split(weights=True),
        some_split(seen_items=True),
        dataclasses.replace(split, seed=8),
        dataclasses.replace(split, num_items=10),
        dataclasses.replace(split, protocol="random"),
        dataclasses.replace(split, validation=split.test, test=split.validation),
        dataclasses.replace(split, train=from_lists([[1], [2, 3]])),
        dataclasses.replace(split, train_users=np.array([0, 3], np.int32)),
    ]
    assert len({one.fingerprint() for one in (split, *others)}) == 1 + len(others)
    assert some_split().fingerprint() == split.fingerprint()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.npz"
    some_split().save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["test_targets_items"] = arrays["test_targets_items"] + 1
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="changed after it was saved"):
        load(path)


@pytest.mark.parametrize("at", [0, 10, 200, -30])
def test_a_damaged_file_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "split.npz"
    some_split().save(path)
    content = bytearray(path.read_bytes())
    content[at : at + 20 if at >= 0 else None] = b"x" * 20
    path.write_bytes(bytes(content))
    with pytest.raises(UserError):
        load(path)


def test_another_file_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "none.npz")
    for content in (b"", b"hello", b"PK"):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(UserError, match="not a saved split"):
            load(tmp_path / "other.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="not a saved split"):
        load(tmp_path / "other.npz")
    np.savez(tmp_path / "other.npz", a=np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(UserError, match="not a saved split"):
        load(tmp_path / "other.npz")


def test_renumbered_items_are_the_same_items_in_every_part() -> None:
    split = some_split()
    numbers = np.append(0, np.random.default_rng(0).permutation(split.num_items) + 1).astype(
        np.int32
    )
    actual = split.renumber_items(numbers)
    for expected_scores, new in (
        (split.train, actual.train),
        (split.validation.histories, actual.validation.histories),
        (split.test.histories, actual.test.histories),
        (split.test.targets, actual.test.targets),
    ):
        np.testing.assert_array_equal(numbers[expected_scores.items], new.items)
        np.testing.assert_array_equal(expected_scores.offsets, new.offsets)
    np.testing.assert_array_equal(actual.test.users, split.test.users)
    np.testing.assert_array_equal(actual.popularity()[numbers], split.popularity())
    assert actual.fingerprint() != split.fingerprint()
