"""Boosted trees find what pairs of columns say, and are not deceived by rare ids."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from kd_tf.baselines.ranking import boosted_trees, linear
from kd_tf.data.ranking.examples import Label

CLICK = Label("clicked", "click")


def test_pairs_of_columns_are_found_where_a_linear_model_finds_nothing(make_split) -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(2, 12, (2, 8000))
    labels = random.random(8000) < np.where((a + b) % 2, 0.9, 0.1)
    split = make_split(CLICK, labels, {"a": a, "b": b})
    trees, line = boosted_trees.fit(split), linear.fit_logistic_regression(split)
    assert roc_auc_score(split.test.labels, trees.predict(split.test)) > 0.87  # at best .9
    assert roc_auc_score(split.test.labels, line.predict(split.test)) < 0.6


def test_ids_that_occur_a_few_times_do_not_leak_their_labels(make_split) -> None:
    # Labels at random, and ids of two rows each: whoever encodes a row with its own label believes
    # to know it.
    random = np.random.default_rng(1)
    labels, user = random.random(6000) < 0.3, random.permutation(6000) // 2 + 2
    split = make_split(CLICK, labels, {"user": user})
    predictions = boosted_trees.fit(split).predict(split.test)
    prior = np.full(len(split.test), split.train.labels.mean())
    assert log_loss(split.test.labels, predictions) < log_loss(split.test.labels, prior) + 0.005


def test_users_of_a_large_vocabulary_are_told_apart(make_split) -> None:
    random = np.random.default_rng(2)
    rates = random.beta(1, 1, 602)
    user = random.integers(2, 602, 12_000)
    split = make_split(CLICK, random.random(12_000) < rates[user], {"user": user})
    # The best that the training rows tell: the posterior mean of a uniform prior.
    user_of_row, labels = split.train.categorical[:, 0], split.train.labels
    counts, sums = np.bincount(user_of_row, minlength=602), np.bincount(user_of_row, labels, 602)
    best = ((sums + 1) / (counts + 2))[split.test.categorical[:, 0]]
    actual = boosted_trees.fit(split).predict(split.test)
    assert roc_auc_score(split.test.labels, actual) > roc_auc_score(split.test.labels, best) - 0.01


@pytest.mark.parametrize("num_ids", [20, 100])
def test_lists_of_few_and_of_many_ids_are_used(make_split, num_ids: int) -> None:
    random = np.random.default_rng(3)
    genres = random.integers(2, num_ids, (6000, 2)) * [1, 1]
    genres[random.random(6000) < 0.3, 1] = 0
    effect = random.standard_normal(num_ids)
    effect[0] = 0
    labels = random.random(6000) < 1 / (1 + np.exp(-2 * effect[genres].sum(axis=1)))
    split = make_split(CLICK, labels, {"genres": genres}, num_ids={"genres": num_ids})
    model = boosted_trees.fit(split)
    assert len(model.table.is_categorical) == (21 if num_ids == 20 else 2)
    assert roc_auc_score(split.test.labels, model.predict(split.test)) > 0.75


def test_of_very_many_rows_a_sample_trains_trees(clicks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosted_trees, "MAX_CELLS", 500 * 13)
    shapes = []
    make_columns = boosted_trees.TreeTable.make_columns

    def record(table, examples, *arguments) -> np.ndarray:
        columns = make_columns(table, examples, *arguments)
        shapes.append(columns.shape)
        return columns

    monkeypatch.setattr(boosted_trees.TreeTable, "make_columns", record)
    boosted_trees.fit(clicks)
    assert shapes[0] == (500, 13)
