"""Train, validation and test: which readers, and which books of theirs are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.errors import UserError

UNSEEN_USERS = "unseen-users"


@dataclass(frozen=True)
class HeldOut:
    """Readers to be judged on: what a model is shown and what it should find.

    Attributes:
        histories: What the model sees; a history may be empty.
        targets: The held-out books of the same readers, at least one each.
        readers: int32 [n], the readers' numbers in `Interactions`.
        also_read: Books that the readers are known to have read beside their histories and
            that are not asked about, so that no list may hold them: the validation books when
            the test is measured, where a protocol does not show them. None where there are none.
    """

    histories: Histories
    targets: Histories
    readers: np.ndarray
    also_read: Histories | None = None


@dataclass(frozen=True)
class Split:
    """A data set divided for training, choosing and judging.

    Attributes:
        train: Histories that models learn from.
        train_readers: int32 [n], the readers' numbers in `Interactions`.
        validation: Readers, or books of readers, that choose (when to stop, which settings).
        test: Those that only the final figures are measured on.
        protocol: The name of the protocol, for tables.
        seed: What drew the readers and the held-out books.
        books: V.
    """

    train: Histories
    train_readers: np.ndarray
    validation: HeldOut
    test: HeldOut
    protocol: str
    seed: int
    books: int

    def popularity(self) -> np.ndarray:
        """int64 [V + 1], in how many training histories each id stands; index 0 is padding."""
        return np.bincount(self.train.items, minlength=self.books + 1)


def unseen_users(
    interactions: Interactions,
    *,
    test_users: int,
    validation_users: int,
    held_out: float = 0.2,
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
    if not 0 < held_out < 1:
        raise UserError(f"held_out must be above 0 and below 1, not {held_out}")
    needed = test_users + validation_users
    if interactions.users <= needed:
        raise UserError(
            f"{interactions.users} readers are left, but {test_users} for the test and "
            f"{validation_users} for validation leave none to learn from",
            hint="Bring more readers, or lower test_users and validation_users.",
        )
    random = np.random.default_rng(seed)
    drawn = random.permutation(interactions.users).astype(np.int32)
    everyone = _histories(interactions, random)
    if len(everyone) and everyone.lengths.min() < 2:
        alone = interactions.user_ids[int(everyone.lengths.argmin())]
        raise UserError(
            f"reader {alone!r} has fewer than two books, so none can be shown and one hidden",
            hint="Set min_user_interactions to 2 or more.",
        )
    test, validation, train = np.split(drawn, [test_users, needed])
    return Split(
        train=everyone.take(np.sort(train)),
        train_readers=np.sort(train),
        validation=_hold_out(everyone, np.sort(validation), held_out),
        test=_hold_out(everyone, np.sort(test), held_out),
        protocol=UNSEEN_USERS,
        seed=seed,
        books=interactions.books,
    )


def _histories(interactions: Interactions, random: np.random.Generator) -> Histories:
    """One history a reader: by time where it is known, in random order where it is not.

    Random and not as the file has it: files sorted by book would leak what is popular.
    """
    tie = random.random(len(interactions))
    keys = (tie,) if interactions.timestamp is None else (tie, interactions.timestamp)
    order = np.lexsort((*keys, interactions.user))
    lengths = np.bincount(interactions.user, minlength=interactions.users)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(interactions.item[order], offsets)


def _hold_out(everyone: Histories, readers: np.ndarray, share: float) -> HeldOut:
    chosen = everyone.take(readers)
    lengths = chosen.lengths
    hidden = np.clip(np.round(lengths * share).astype(np.int64), 1, lengths - 1)
    position = np.arange(len(chosen.items)) - np.repeat(chosen.offsets[:-1], lengths)
    is_hidden = position >= np.repeat(lengths - hidden, lengths)

    def part(rows: np.ndarray, sizes: np.ndarray) -> Histories:
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Histories(chosen.items[rows], offsets)

    return HeldOut(part(~is_hidden, lengths - hidden), part(is_hidden, hidden), readers)
