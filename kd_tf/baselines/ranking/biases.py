"""The bias baseline of ratings: mean, plus what an item and a user are rated or rate above it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from kd_tf.baselines.ranking.base import check_labels
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.errors import UserError
from kd_tf.evaluation.metrics.rating_errors import compute_rmse

DAMPINGS = (1.0, 3.0, 5.0, 10.0, 25.0)
"""Numbers of ratings at the mean that are added to each item, and to each user; validation rows
choose a pair."""

DEFAULT_DAMPINGS = (10.0, 5.0)


@dataclass(frozen=True)
class Biases:
    """Predicts mean + item bias + user bias; see `fit`.

    Attributes:
        mean: Mean training label.
        item_bias: float32 [ids of the items].
        user_bias: float32 [users]; users beyond have none.
        item_place: Column of the items in the categorical array.
        name: Name in result tables.
    """

    mean: float
    item_bias: np.ndarray
    user_bias: np.ndarray
    item_place: int
    name: str = "biases"

    @property
    def num_parameters(self) -> int:
        """All biases and the mean."""
        return len(self.item_bias) + len(self.user_bias) + 1

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        return self.item_bias.nbytes + self.user_bias.nbytes + 4

    def predict(self, examples: RankingExamples) -> np.ndarray:
        """Returns float32 [n], 0 to 1."""
        predictions = self.mean + self.item_bias[examples.categorical[:, self.item_place]]
        if examples.users is not None:
            is_user = (examples.users >= 0) & (examples.users < len(self.user_bias))
            predictions += np.where(
                is_user, self.user_bias[np.where(is_user, examples.users, 0)], 0
            )
        return np.asarray(np.clip(predictions, 0, 1), np.float32)


def fit(split: RankingSplit) -> Biases:
    """Averages what ratings of an item are above the mean, then what those of a user are above.

    The sums are divided by the number of ratings plus a damping. Items are the feature with one
    value, and the most ids, of those that differ between the rows of a user.
    Source: Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", 2010,
    section 2.1.

    Args:
        split: Ratings with users. Of the test part nothing is used.

    Raises:
        UserError: All training labels are equal, or users or items are not known.
    """
    check_labels(split)
    place = find_item_place(split)
    if place < 0 or split.train.users is None:
        raise UserError(
            "biases need the user of each row, and a categorical feature that differs between the "
            "rows of a user"
        )
    if not len(split.validation):
        return _fit_biases(split.train, place, *DEFAULT_DAMPINGS)
    candidates = [
        _fit_biases(split.train, place, *dampings)
        for dampings in itertools.product(DAMPINGS, repeat=2)
    ]
    return min(
        candidates,
        key=lambda model: compute_rmse(split.validation.labels, model.predict(split.validation)),
    )


def find_item_place(split: RankingSplit) -> int:
    """Finds the column of the items in the categorical array; -1 where none is found.

    See `fit`. A feature that is the same in all rows of a user describes the user.
    """
    train = split.train
    if train.users is None or not len(train):
        return -1
    order = np.argsort(train.users, kind="stable")
    same_user = np.diff(train.users[order]) == 0
    best, best_size = -1, 0
    for place, index in enumerate(train.layout.feature_of_place):
        feature = train.layout.categorical[index]
        if feature.num_values > 1 or feature.num_ids <= best_size:
            continue
        if (np.diff(train.categorical[order, place])[same_user] != 0).any():
            best, best_size = place, feature.num_ids
    return best


def _fit_biases(
    train: RankingExamples, place: int, item_damping: float, user_damping: float
) -> Biases:
    items, users = train.categorical[:, place], train.users
    num_items = train.layout.categorical[train.layout.feature_of_place[place]].num_ids
    mean = float(train.labels.mean(dtype=np.float64))
    residuals = train.labels - mean
    item_bias = _average_damped(items, residuals, num_items, item_damping)
    residuals = residuals - item_bias[items]
    assert users is not None
    user_bias = _average_damped(users, residuals, int(users.max()) + 1, user_damping)
    return Biases(mean, item_bias, user_bias, place)


def _average_damped(index: np.ndarray, values: np.ndarray, size: int, damping: float) -> np.ndarray:
    """Returns float32 [size]: sums by index, divided by counts plus a damping."""
    sums = np.bincount(index, values, minlength=size)
    return (sums / (np.bincount(index, minlength=size) + damping)).astype(np.float32)
