"""Books that were read but not liked."""

from __future__ import annotations

import numpy as np

from kd_tf.data.clean import CleaningRules, clean
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import load
from kd_tf.data.splits.also_read import with_also_read
from kd_tf.data.splits.unseen_users import unseen_users


def rated(seed: int = 0) -> Interactions:
    """60 readers of 12 of 30 books each, rated 1 to 5; some rate a book twice."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(60), 14).astype(np.int32)
    item = np.concatenate(
        [np.append(drawn := random.permutation(30)[:12] + 1, drawn[:2]) for _ in range(60)]
    )
    return Interactions(
        user=user,
        item=item.astype(np.int32),
        rating=random.integers(1, 6, len(user)).astype(np.float32),
        timestamp=None,
        user_ids=[f"reader {row}" for row in range(60)],
        books=30,
    )


def test_it_is_what_training_readers_rated_lower_and_nothing_else(tmp_path):
    raw = rated()
    interactions, _ = clean(raw, CleaningRules(min_rating=4, min_user_interactions=2))
    split = unseen_users(interactions, test_users=10, validation_users=5)
    found = with_also_read(split, interactions, raw, 4.0)
    assert found.also_read is not None
    assert len(found.also_read) == len(split.train)
    for row, reader in enumerate(split.train_readers):
        own = raw.user_ids.index(interactions.user_ids[reader])
        mine = raw.user == own
        low = set(raw.item[mine & (raw.rating < 4)].tolist())
        high = set(raw.item[mine & (raw.rating >= 4)].tolist())
        assert sorted(found.also_read[row].tolist()) == sorted(low - high)
    found.save(tmp_path / "split.npz")
    again = load(tmp_path / "split.npz")
    assert again.also_read is not None
    np.testing.assert_array_equal(again.also_read.items, found.also_read.items)
    assert again.fingerprint() == found.fingerprint() != split.fingerprint()
