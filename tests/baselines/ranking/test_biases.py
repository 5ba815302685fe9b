"""Biases of items and users, by hand."""

import numpy as np
import pytest

from kd_tf.baselines.ranking import biases
from kd_tf.baselines.ranking.biases import find_item_place
from kd_tf.data.ranking.examples import Label, RankingSplit

STARS = Label("stars", "rating", low=1.0, high=5.0)


def test_biases_match_the_hand_computed_case(make_split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(biases, "DEFAULT_DAMPINGS", (1.0, 2.0))
    labels = np.array([1, 1, 0, 0, 0.5, 0.5, 0, 0, 0, 0])  # the first six train
    items = np.array([2, 2, 3, 3, 4, 4, 2, 3, 4, 5])
    users = np.array([0, 0, 1, 1, 0, 1, 0, 1, 7, 0])
    split = make_split(STARS, labels, {"item": items}, None, users, {"item": 6}, validates=False)
    model = biases.fit(split)
    # The two ratings of item 2 are .5 above the mean: 1 / (2 + 1).
    assert model.mean == 0.5
    assert model.item_bias == pytest.approx([0, 0, 1 / 3, -1 / 3, 0, 0])
    # Of the three ratings of user 0 two are .5 - 1 / 3 above mean and item: 1 / 3 / (3 + 2).
    assert model.user_bias == pytest.approx([1 / 15, -1 / 15])
    # The last two rows: user 7 is new, and nobody has rated item 5.
    assert model.predict(split.test) == pytest.approx([0.5, 0.5 + 1 / 15])


def test_users_are_averaged_after_items(make_split) -> None:
    random = np.random.default_rng(0)
    users, items = np.repeat(np.arange(20), 50), np.tile(np.arange(50) + 2, 20)
    order = random.permutation(1000)
    bias_of_user, bias_of_item = 0.1 * random.standard_normal(20), 0.1 * random.standard_normal(52)
    labels = 0.5 + bias_of_user[users] + bias_of_item[items]
    split = make_split(STARS, labels[order], {"item": items[order]}, None, users[order])
    errors = biases.fit(split).predict(split.test) - split.test.labels
    assert np.sqrt(np.mean(errors**2)) < 0.03


def test_a_feature_of_the_user_is_not_the_item(ratings: RankingSplit) -> None:
    # "age" has more ids than "item", but one value per user.
    assert ratings.train.layout.categorical[0].num_ids > ratings.train.layout.categorical[1].num_ids
    assert find_item_place(ratings) == 1
