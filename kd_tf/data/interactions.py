"""Interactions: validated columns with contiguous ids, and the external user ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interactions:
    """A table of interactions: one row each time a user read, rated or opened an item.

    Attributes:
        user: int32 [n], user indices 0..U-1, every value at least once.
        item: int32 [n], model ids 1..V: catalog row + 1.
        rating: float32 [n], finite, or NaN where it is unknown; or None.
        timestamp: int64 [n], seconds since 1970 (negative before), or
            `kd_tf.data.values.times.NO_TIME` where it is unknown; or None.
        user_ids: External user ids; ``user_ids[u]`` is the id of user ``u``.
        num_items: V, the number of items in the catalog.
        weight: float32 [n], above 0: the weight of each row, or None for equal weights.

    Raises:
        ValueError: Columns differ in length, or an item id is out of range.

    Example:
        >>> import numpy as np
        >>> interactions = Interactions(
        ...     user=np.array([0, 0, 1], np.int32), item=np.array([2, 1, 2], np.int32),
        ...     rating=None, timestamp=None, user_ids=["ann", "bob"], num_items=3
        ... )
        >>> interactions.count()
        Counts(interactions=3, users=2, items=2)
        >>> interactions.keep(interactions.item == 1).user_ids
        ['ann']
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray | None
    timestamp: np.ndarray | None
    user_ids: list[str]
    num_items: int
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = len(self.user)
        for name, column in (
            ("item", self.item),
            ("rating", self.rating),
            ("timestamp", self.timestamp),
            ("weight", self.weight),
        ):
            if column is not None and len(column) != rows:
                raise ValueError(f"{name} has {len(column)} rows, user has {rows}")
        if rows and (self.item.min() < 1 or self.item.max() > self.num_items):
            raise ValueError(f"item must be in 1..{self.num_items}")

    def __len__(self) -> int:
        return len(self.user)

    @property
    def num_users(self) -> int:
        """U, the number of users."""
        return len(self.user_ids)

    def count(self) -> Counts:
        """Counts rows, users, and items with at least one row."""
        return Counts(len(self), self.num_users, len(np.unique(self.item)))

    def keep(self, mask: np.ndarray) -> Interactions:
        """Keeps the rows where the boolean `mask` [n] is true; removes users without any row."""
        users, user = np.unique(self.user[mask], return_inverse=True)
        return Interactions(
            user=user.astype(np.int32),
            item=self.item[mask],
            rating=None if self.rating is None else self.rating[mask],
            timestamp=None if self.timestamp is None else self.timestamp[mask],
            user_ids=[self.user_ids[u] for u in users],
            num_items=self.num_items,
            weight=None if self.weight is None else self.weight[mask],
        )


@dataclass(frozen=True)
class Counts:
    """The size of a data set before or after a cleaning step.

    Attributes:
        interactions: Number of rows.
        users: Number of users.
        items: Number of items with at least one row.
    """

    interactions: int
    users: int
    items: int
