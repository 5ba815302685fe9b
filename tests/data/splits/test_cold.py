"""The protocols cold-items and cold-users: what is hidden, and what is ranked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import kd_tf as kd
from kd_tf.data.split import load
from kd_tf.data.splits.leakage import LeakageError, check_leakage
from kd_tf.errors import UserError
from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate, evaluate_lists
from kd_tf.evaluation.validation import ValidationMetric

DATA = kd.data.bookshop(items=80, users=120, seed=3)


@pytest.fixture(scope="module")
def split() -> kd.Split:
    return kd.split(DATA, "cold-items", cold_items=12, seed=5)


def test_no_training_user_and_no_history_has_a_cold_item(split: kd.Split) -> None:
    for part in (split.validation, split.test):
        for histories in (split.train, split.validation.histories, split.test.histories):
            assert not np.isin(histories.items, part.cold_items).any()
    assert len(split.test.cold_items) == 12
    assert len(split.validation.cold_items) == 3
    assert not np.intersect1d(split.test.cold_items, split.validation.cold_items).size


def test_users_have_all_their_cold_items_as_targets(split: kd.Split) -> None:
    interactions = DATA.interactions
    for row, user in enumerate(split.test.users):
        items = interactions.item[interactions.user == user]
        cold = set(items) & set(split.test.cold_items)
        assert cold == set(split.test.targets[row]) & set(split.test.cold_items)
        assert not set(split.test.targets[row]) & set(split.validation.cold_items)
        assert len(split.test.histories[row])


def test_test_users_are_those_of_unseen_users_with_the_same_seed(split: kd.Split) -> None:
    unseen = kd.split(DATA, "unseen-users", seed=5)
    assert set(split.test.users) <= set(unseen.test.users)
    assert not set(split.test.users) & set(split.train_users)


def test_a_leak_is_found(split: kd.Split) -> None:
    check_leakage(split, DATA.interactions)
    items = split.train.items.copy()
    user = split.train_users[0]
    cold = split.test.cold_items
    own = DATA.interactions.item[DATA.interactions.user == user]
    leaks = np.intersect1d(own, cold)
    if not len(leaks):
        cold = np.append(cold, items[0])
        leaky = dataclasses.replace(
            split, test=dataclasses.replace(split.test, cold_items=np.sort(cold))
        )
    else:
        items[0] = leaks[0]
        leaky = dataclasses.replace(split, train=dataclasses.replace(split.train, items=items))
    with pytest.raises(LeakageError, match="cold test item"):
        check_leakage(leaky, DATA.interactions)


@pytest.mark.parametrize("count", [0, 61, 80])
def test_some_items_must_stay(count: int) -> None:
    with pytest.raises(UserError, match=r"split\.cold_items is"):
        kd.split(DATA, "cold-items", cold_items=count)


def test_cold_items_of_the_test_part_are_no_wrong_answers_in_validation(split: kd.Split) -> None:
    test_items, validation_items = split.test.cold_items, split.validation.cold_items
    assert split.validation.candidate_items is not None
    everything = np.append(split.validation.candidate_items, test_items)
    assert sorted(everything) == list(range(1, split.num_items + 1))
    metric = ValidationMetric(split.validation, split.num_items)
    scores = np.random.default_rng(0).uniform(size=(len(metric), split.num_items + 1))
    scores = scores.astype(np.float32)
    before = metric.evaluate_scores(scores)
    scores[:, test_items] += 10
    assert metric.evaluate_scores(scores) == before
    scores[:, validation_items] += 10
    assert metric.evaluate_scores(scores) != before


def test_cold_candidates_rank_cold_items_only(split: kd.Split) -> None:
    cold = split.test.select_cold_items()
    training = TrainingStatistics.from_split(split)
    # A model that likes every other item more: it can still be right among the cold ones.
    scores = np.ones(81, np.float32)
    scores[split.test.cold_items] = np.linspace(0, 0.5, 12, dtype=np.float32)
    seen_ids = []

    def rank(histories, k):
        order = split.test.cold_items[::-1][:k]
        lists = np.zeros((len(histories), k), np.int32)
        lists[:, : len(order)] = order
        seen_ids.extend(order)
        return lists

    by_scores = evaluate(lambda h: np.tile(scores, (len(h), 1)), cold, training, ks=(5, 12))
    by_lists = evaluate_lists(rank, cold, training, ks=(5, 12))
    assert by_scores.overall["recall@12"] == 1
    assert by_scores.overall["ndcg@5"] == pytest.approx(by_lists.overall["ndcg@5"])
    assert np.isin(cold.targets.items, cold.cold_items).all()


def test_a_list_with_another_item_is_refused(split: kd.Split) -> None:
    cold = split.test.select_cold_items()

    def rank(histories, k):
        lists = np.zeros((len(histories), k), np.int32)
        for row in range(len(histories)):
            known = [*histories[row], *cold.cold_items]
            lists[row, 0] = np.setdiff1d(np.arange(1, 81), known)[0]
        return lists

    with pytest.raises(ValueError, match="no candidate"):
        evaluate_lists(rank, cold, TrainingStatistics.from_split(split), ks=(5,))


def test_what_a_user_read_besides_is_shown_where_cold_items_are_ranked(split: kd.Split) -> None:
    cold = split.test.select_cold_items()
    row_of_user = {user: row for row, user in enumerate(split.test.users)}
    for row, user in enumerate(cold.users):
        known = row_of_user[user]
        targets = split.test.targets[known]
        expected = [*split.test.histories[known], *targets[~np.isin(targets, cold.cold_items)]]
        assert cold.histories[row].tolist() == expected


def test_cold_candidates_need_the_protocol() -> None:
    with pytest.raises(UserError, match="no cold items"):
        kd.split(DATA, "unseen-users").test.select_cold_items()


def test_half_of_the_validation_metric_is_of_cold_items(split: kd.Split) -> None:
    metric = ValidationMetric(split.validation, split.num_items)
    targets = split.validation.targets
    perfect = np.zeros((len(targets), 81), np.float32)
    perfect[np.repeat(np.arange(len(targets)), targets.lengths), targets.items] = 1
    assert metric.evaluate_scores(perfect) == pytest.approx(1)
    blind = perfect.copy()
    blind[:, split.validation.cold_items] = -1
    has_cold = np.array([np.isin(items, split.validation.cold_items).any() for items in targets])
    assert has_cold.any()
    only_cold = np.full_like(perfect, -1)
    only_cold[:, split.validation.cold_items] = perfect[:, split.validation.cold_items]
    without = ValidationMetric(
        dataclasses.replace(split.validation, cold_items=None), split.num_items
    )
    assert metric.evaluate_scores(blind) < without.evaluate_scores(blind)
    assert metric.evaluate_scores(only_cold) > without.evaluate_scores(only_cold)


def test_a_split_with_cold_items_is_kept(tmp_path: Path, split: kd.Split) -> None:
    cold = dataclasses.replace(split, test=split.test.select_cold_items())
    cold.save(tmp_path / "split.npz")
    loaded = load(tmp_path / "split.npz")
    assert loaded.fingerprint() == cold.fingerprint() != split.fingerprint()
    np.testing.assert_array_equal(loaded.test.candidate_items, split.test.cold_items)
    np.testing.assert_array_equal(loaded.validation.cold_items, split.validation.cold_items)


def test_renumbered_items_stay_cold(split: kd.Split) -> None:
    new_ids = np.append(0, np.arange(80, 0, -1)).astype(np.int32)
    renumbered = split.renumber_items(new_ids)
    np.testing.assert_array_equal(renumbered.test.cold_items, np.sort(81 - split.test.cold_items))


def test_cold_users_show_a_few_of_their_newest_items() -> None:
    split = kd.split(DATA, "cold-users", shown_items=3, seed=5)
    unseen = kd.split(DATA, "unseen-users", seed=5)
    assert set(split.test.histories.lengths) == {1, 2, 3}
    for row in range(len(split.test.users)):
        shown = split.test.histories[row].tolist()
        all_shown = unseen.test.histories[row].tolist()
        assert all_shown[-len(shown) :] == shown
        assert split.test.seen_items is not None
        assert split.test.seen_items[row].tolist() == all_shown[: -len(shown)]
        assert split.test.targets[row].tolist() == unseen.test.targets[row].tolist()


def test_cold_users_are_shown_at_least_one_item() -> None:
    with pytest.raises(UserError, match="shown_items must be 1 or more"):
        kd.split(DATA, "cold-users", shown_items=0)
