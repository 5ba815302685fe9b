"""Strong generalisation: models are judged on readers whom they never saw."""

from __future__ import annotations

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.data.splits.user_order import build_histories, sort_chronologically
from kd_tf.errors import UserError

UNSEEN_USERS = "unseen-users"


def split_unseen_users(
    interactions: Interactions,
    *,
    test_users: int,
    validation_users: int,
    held_out_share: float = 0.2,
    seed: int = 42,
) -> Split:
    """Strong generalisation: test readers are nowhere in training, part of their books is shown.

    Of each validation and test reader the share `held_out` of books is hidden, at least one,
    and at least one is shown: the newest where there are timestamps, else drawn by `seed`.
    Source of the protocol: Liang et al., "Variational Autoencoders for Collaborative
    Filtering", 2018, section 4.1.

    Args:
        interactions: Each pair of reader and book at most once (see `kd_tf.data.clean`).
        test_users: How many readers are drawn for the test.
        validation_users: How many are drawn for validation.
        held_out: Share of a reader's books that is hidden, above 0 and below 1.
        seed: Draws readers and books.

    Raises:
        UserError: There are too few readers, or one has fewer than two books.
    """
    if not 0 < held_out_share < 1:
        raise UserError(f"held_out must be above 0 and below 1, not {held_out_share}")
    needed = test_users + validation_users
    if interactions.num_users <= needed:
        raise UserError(
            f"{interactions.num_users} readers are left, but {test_users} for the test and "
            f"{validation_users} for validation leave none to learn from",
            hint="Bring more readers, or lower test_users and validation_users.",
        )
    random = np.random.default_rng(seed)
    drawn = random.permutation(interactions.num_users).astype(np.int32)
    everyone = build_histories(interactions, sort_chronologically(interactions, random))
    require_two_items(interactions, everyone)
    test, validation, train = np.split(drawn, [test_users, needed])
    return Split(
        train=everyone.take(np.sort(train)),
        train_users=np.sort(train),
        validation=hold_out_last(everyone, np.sort(validation), held_out_share),
        test=hold_out_last(everyone, np.sort(test), held_out_share),
        protocol=UNSEEN_USERS,
        seed=seed,
        num_items=interactions.num_items,
    )


def require_two_items(interactions: Interactions, histories: Histories) -> None:
    """Raises UserError where a reader has fewer than two books."""
    if len(histories) and histories.lengths.min() < 2:
        alone = interactions.user_ids[int(histories.lengths.argmin())]
        raise UserError(
            f"reader {alone!r} has fewer than two books, so none can be shown and one hidden",
            hint="Set min_user_interactions to 2 or more.",
        )


def hold_out_last(histories: Histories, users: np.ndarray, share: float) -> HeldOutSet:
    """Hides the last `share` of the books of some readers, at least one, and shows the others."""
    chosen = histories.take(users)
    lengths = chosen.lengths
    hidden = np.clip(np.round(lengths * share).astype(np.int64), 1, lengths - 1)
    position = np.arange(len(chosen.items)) - np.repeat(chosen.offsets[:-1], lengths)
    is_hidden = position >= np.repeat(lengths - hidden, lengths)
    return HeldOutSet(chosen.keep(~is_hidden), chosen.keep(is_hidden), users)
