"""Items that were read but not liked."""

from __future__ import annotations

import numpy as np

from kd_tf.data.clean import CleaningRules, clean
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import load
from kd_tf.data.splits.low_rated import add_low_rated
from kd_tf.data.splits.unseen_users import split_unseen_users


def rated(seed: int = 0) -> Interactions:
    """60 users of 12 of 30 items each, rated 1 to 5; some rate an item twice."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(60), 14).astype(np.int32)
    item = np.concatenate(
        [np.append(samples := random.permutation(30)[:12] + 1, samples[:2]) for _ in range(60)]
    )
    return Interactions(
        user=user,
        item=item.astype(np.int32),
        rating=random.integers(1, 6, len(user)).astype(np.float32),
        timestamp=None,
        user_ids=[f"reader {row}" for row in range(60)],
        num_items=30,
    )


def test_it_is_what_training_users_rated_lower_and_nothing_else(tmp_path):
    raw = rated()
    interactions, _ = clean(raw, CleaningRules(min_rating=4, min_user_interactions=2))
    split = split_unseen_users(interactions, test_users=10, validation_users=5)
    actual = add_low_rated(split, interactions, raw, 4.0)
    assert actual.low_rated is not None
    assert len(actual.low_rated) == len(split.train)
    for row, user in enumerate(split.train_users):
        expected_scores = raw.user_ids.index(interactions.user_ids[user])
        mine = raw.user == expected_scores
        last_ratings = dict(zip(raw.item[mine].tolist(), raw.rating[mine].tolist(), strict=True))
        high = {item for item, rating in last_ratings.items() if rating >= 4}
        low = set(raw.item[mine & (raw.rating < 4)].tolist())
        assert sorted(actual.low_rated[row].tolist()) == sorted(low - high)
    actual.save(tmp_path / "split.npz")
    again = load(tmp_path / "split.npz")
    assert again.low_rated is not None
    np.testing.assert_array_equal(again.low_rated.items, actual.low_rated.items)
    assert again.fingerprint() == actual.fingerprint() != split.fingerprint()
