"""Draws the friends of the synthetic users: most have like taste, some just live next door."""

from __future__ import annotations

import numpy as np

FRIENDS_PER_USER = 5
"""Number of users that each user chooses as friends; those who are chosen have more."""

SAMPLED_USERS = 100
"""Users that somebody meets, and chooses the friend with the most similar taste of."""

CHANCE_RATE = 0.2
"""Share of friends that were not chosen for their taste."""


def draw_friendships(taste: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draws who is a friend of whom.

    Args:
        taste: float [users, themes], at least 0.
        random: Random generator.

    Returns:
        int32 [m, 2], pairs of users, the lower first, each pair once, ascending.

    Example:
        >>> pairs = draw_friendships(np.eye(3)[[0, 1, 2, 0, 1, 2]], np.random.default_rng(0))
        >>> bool((pairs[:, 0] < pairs[:, 1]).all())
        True
    """
    num_users = len(taste)
    directions = taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-12)
    users = np.repeat(np.arange(num_users), FRIENDS_PER_USER)
    met_users = random.integers(0, num_users, (len(users), SAMPLED_USERS))
    # For each of them in turn: [users * friends, met users, themes] would be large.
    similarity = np.stack(
        [(directions[users] * directions[met]).sum(axis=1) for met in met_users.T], axis=1
    )
    similarity[met_users == users[:, None]] = -1
    best = np.where(random.random(len(users)) < CHANCE_RATE, 0, similarity.argmax(axis=1))
    friends = met_users[np.arange(len(users)), best]
    pairs = np.sort(np.stack([users, friends], axis=1), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).astype(np.int32)
