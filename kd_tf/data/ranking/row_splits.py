"""Splits rows into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.data.splits.leakage import LeakageError
from kd_tf.data.splits.published import PUBLISHED, TEST, TRAIN, VALIDATION
from kd_tf.data.splits.random_holdout import RANDOM
from kd_tf.data.splits.temporal import TEMPORAL
from kd_tf.data.splits.unseen_users import UNSEEN_USERS
from kd_tf.errors import UserError

ROW_PROTOCOLS = (RANDOM, TEMPORAL, UNSEEN_USERS, COLD_ITEMS, PUBLISHED)
"""How rows can be split."""

_GROUPS = {UNSEEN_USERS: "user", COLD_ITEMS: "item"}
"""What protocols draw that do not draw rows: all rows of a user or item are in one part."""

PART_NAMES = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}


@dataclass(frozen=True)
class SplitRules:
    """How rows are split.

    Attributes:
        protocol: ``random``; ``temporal``: training before one time, test after a later one;
            ``unseen-users``: validation and test users are not in training; ``cold-items``: their
            items are not; ``published``: the files are the parts.
        test_share: Share of the rows, of the users, or of the items, for test.
        validation_share: The same for validation; of the training rows where the files are the
            parts and none is for validation.
        seed: Seed that draws rows, users or items.
        num_folds: k of k-fold cross-validation; None for one split. Validation rows are drawn from
            those of the other folds.
        fold: The fold that is tested, from 0.

    Example:
        >>> SplitRules("random", test_share=0.1).validation_share
        0.1
    """

    protocol: str = RANDOM
    test_share: float = 0.2
    validation_share: float = 0.1
    seed: int = 42
    num_folds: int | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        if self.protocol not in ROW_PROTOCOLS:
            raise UserError(
                f"rows cannot be split by the protocol {self.protocol!r}",
                hint=f"Choose from {', '.join(ROW_PROTOCOLS)}.",
            )
        shares = (self.test_share, self.validation_share)
        if not (min(shares) > 0 and sum(shares) < 1):
            raise UserError(
                "test_share and validation_share must be above 0, and their sum below 1, not "
                f"{self.test_share} and {self.validation_share}"
            )
        has_folds = self.protocol in (RANDOM, UNSEEN_USERS, COLD_ITEMS)
        if self.num_folds is not None and not has_folds:
            raise UserError(
                f"the protocol {self.protocol} has no folds",
                hint=f"Choose {RANDOM}, {UNSEEN_USERS} or {COLD_ITEMS}.",
            )
        if self.num_folds is not None and not (self.num_folds >= 3 and self.fold in self.folds):
            raise UserError(
                f"num_folds must be at least 3 and fold below it, not {self.num_folds} and "
                f"{self.fold}"
            )

    @property
    def folds(self) -> range:
        """The numbers of the folds."""
        return range(self.num_folds or 1)


def split_rows(
    num_rows: int,
    rules: SplitRules,
    *,
    users: np.ndarray | None = None,
    items: np.ndarray | None = None,
    times: np.ndarray | None = None,
    file_parts: np.ndarray | None = None,
) -> np.ndarray:
    """Says for each row which part it belongs to.

    Args:
        num_rows: n, the number of rows.
        rules: How rows are split.
        users: int32 [n], the user of each row, for ``unseen-users``.
        items: int32 [n], the item of each row, for ``cold-items``.
        times: int64 [n], the time of each row, for ``temporal``. Equal times are never separated:
            all of them are on the later side.
        file_parts: int8 [n], the part of each row's file, for ``published``.

    Returns:
        int8 [n]: `TRAIN`, `VALIDATION` or `TEST`.

    Raises:
        UserError: What the protocol needs is missing, or a part has no rows.

    Example:
        >>> parts = split_rows(10, SplitRules("random", test_share=0.3, validation_share=0.2))
        >>> np.bincount(parts).tolist()
        [5, 2, 3]
    """
    random = np.random.default_rng(rules.seed)
    if rules.protocol == TEMPORAL:
        if times is None:
            raise UserError(
                "a temporal split needs times", hint="Name the column with the times: time."
            )
        parts = _split_by_time(times, rules)
    elif rules.protocol in _GROUPS:
        what = _GROUPS[rules.protocol]
        groups = {"user": users, "item": items}[what]
        if groups is None:
            raise UserError(
                f"a split by {what}s needs {what}s",
                hint=f"Name the column with the {what}s: {what}.",
            )
        distinct_groups, group_of_row = np.unique(groups, return_inverse=True)
        parts = _draw_parts(len(distinct_groups), rules, random)[group_of_row]
    elif rules.protocol == PUBLISHED:
        assert file_parts is not None
        parts = file_parts.copy()
        if not (parts == VALIDATION).any():
            train = np.flatnonzero(parts == TRAIN)
            count = min(max(round(len(train) * rules.validation_share), 1), len(train) - 1)
            parts[random.permutation(train)[: max(count, 0)]] = VALIDATION
    else:
        parts = _draw_parts(num_rows, rules, random)
    for part, name in PART_NAMES.items():
        if not (parts == part).any():
            raise UserError(
                f"no row is left for {name} ({num_rows} rows, protocol {rules.protocol})",
                hint="Give more rows, or other shares: test_share, validation_share.",
            )
    return parts


def _draw_parts(count: int, rules: SplitRules, random: np.random.Generator) -> np.ndarray:
    """Draws the parts of rows, users or items."""
    parts = np.full(count, TRAIN, np.int8)
    order = random.permutation(count)
    if rules.num_folds is not None:
        folds = np.empty(count, np.int64)
        folds[order] = np.arange(count) % rules.num_folds
        parts[folds == rules.fold] = TEST
        rest = order[folds[order] != rules.fold]
        num_validation = min(round(count * rules.validation_share), len(rest) - 1)
        parts[rest[:num_validation]] = VALIDATION
        return parts
    num_test = round(count * rules.test_share)
    num_validation = round(count * rules.validation_share)
    parts[order[:num_test]] = TEST
    parts[order[num_test : num_test + num_validation]] = VALIDATION
    return parts


def _split_by_time(times: np.ndarray, rules: SplitRules) -> np.ndarray:
    ordered_times = np.sort(times)
    first, second = (
        ordered_times[int(len(times) * (1 - share))]
        for share in (rules.test_share + rules.validation_share, rules.test_share)
    )
    parts = np.full(len(times), TRAIN, np.int8)
    parts[times >= first] = VALIDATION
    parts[times >= second] = TEST
    return parts


def check_row_leakage(
    parts: np.ndarray,
    rules: SplitRules,
    *,
    users: np.ndarray | None = None,
    items: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> None:
    """Raises LeakageError where the parts of a split break the promise of its protocol.

    - Unseen users, cold items: no user or item is in two parts.
    - Temporal: all training rows are older than all validation rows, and these than test rows.

    Args:
        parts: int8 [n], the part of each row.
        rules: How the rows were split.
        users: int32 [n], the user of each row, or None.
        items: int32 [n], the item of each row, or None.
        times: int64 [n], the time of each row, or None.

    Raises:
        LeakageError: There is a leak; the message names it.
    """
    what = _GROUPS.get(rules.protocol, "")
    groups = {"user": users, "item": items}.get(what)
    pairs = ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST))
    for early, late in pairs:
        names = f"{PART_NAMES[early]} and {PART_NAMES[late]}"
        if groups is not None:
            both = np.intersect1d(groups[parts == early], groups[parts == late])
            if len(both):
                raise LeakageError(f"{len(both)} {what}s are in {names}; the first: {both[0]}")
        if rules.protocol == TEMPORAL and times is not None:
            newest, oldest = times[parts == early].max(), times[parts == late].min()
            if newest >= oldest:
                raise LeakageError(f"{names} overlap: {newest} is not before {oldest}")
