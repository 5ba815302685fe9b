"""Small splits to fit baselines to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split

Lists = Sequence[Sequence[int]]
SplitOf = Callable[..., Split]


@pytest.fixture(scope="session")
def split_of() -> SplitOf:
    """``split_of(train, items, weights=..., validation=(histories, targets))``."""

    def build(
        train: Lists,
        items: int,
        weights: Sequence[float] | None = None,
        validation: tuple[Lists, Lists] = ((), ()),
    ) -> Split:
        histories = from_lists([list(row) for row in train])
        if weights is not None:
            histories = Histories(histories.items, histories.offsets, np.array(weights, np.float32))
        shown, held = (from_lists([list(row) for row in part]) for part in validation)
        nobody = HeldOutSet(from_lists([]), from_lists([]), np.empty(0, np.int32))
        return Split(
            train=histories,
            train_users=np.arange(len(histories), dtype=np.int32),
            validation=HeldOutSet(shown, held, np.arange(len(shown), dtype=np.int32)),
            test=nobody,
            protocol="unseen-users",
            seed=42,
            num_items=items,
        )

    return build


@pytest.fixture(scope="session")
def shelves(split_of: SplitOf) -> Split:
    """200 users who keep to one of four shelves of 15 items most of the time.

    With weights of 1 to 3 and 30 users who validate. Items 1 to 60 are on the shelves, 61 to 80
    anywhere, 81 to 83 are read by nobody.
    """
    random = np.random.default_rng(5)

    def user() -> list[int]:
        shelf = random.integers(0, 4) * 15 + random.permutation(15)[:8]
        anywhere = 60 + random.permutation(20)[:2]
        return random.permutation(np.concatenate([shelf, anywhere]) + 1).tolist()

    train = [user() for _ in range(200)]
    validating = [user() for _ in range(30)]
    weights = random.integers(1, 4, sum(len(row) for row in train)).tolist()
    return split_of(
        train,
        83,
        weights,
        ([row[:7] for row in validating], [row[7:] for row in validating]),
    )
