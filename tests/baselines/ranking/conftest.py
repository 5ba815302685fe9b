"""Small splits of the ranking task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kd_tf.data.ranking.examples import Label, RankingExamples, RankingSplit
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout

MakeSplit = Callable[..., RankingSplit]

CLICK = Label("clicked", "click")
STARS = Label("stars", "rating", low=1.0, high=5.0)


@pytest.fixture(scope="session")
def make_split() -> MakeSplit:
    """``make_split(label, labels, ids={name: [n] or [n, values]}, numbers=, users=, num_ids=)``.

    Of the rows, which are in random order, a fifth validates and a fifth tests.
    """

    def build(
        label: Label,
        labels: np.ndarray,
        ids: dict[str, np.ndarray],
        numbers: np.ndarray | None = None,
        users: np.ndarray | None = None,
        num_ids: dict[str, int] | None = None,
        validates: bool = True,
    ) -> RankingSplit:
        n = len(labels)
        columns = {name: values.reshape(n, -1) for name, values in ids.items()}
        sizes = {name: int(values.max()) + 1 for name, values in columns.items()} | (num_ids or {})
        numbers = np.empty((n, 0)) if numbers is None else numbers
        examples = RankingExamples(
            FeatureLayout(
                tuple(
                    CategoricalFeature(name, sizes[name], values.shape[1])
                    for name, values in columns.items()
                ),
                tuple(f"number{index}" for index in range(numbers.shape[1])),
            ),
            np.concatenate([*columns.values(), np.empty((n, 0))], axis=1).astype(np.int32),
            numbers.astype(np.float32),
            np.asarray(labels, np.float32),
            None if users is None else np.asarray(users, np.int32),
        )
        train, validation, test = np.split(np.arange(n), [int(0.6 * n), int(0.8 * n)])
        if not validates:
            validation = validation[:0]
        parts = (examples.take(rows) for rows in (train, validation, test))
        return RankingSplit("rows", "random", 1, label, *parts)

    return build


@pytest.fixture(scope="session")
def clicks(make_split: MakeSplit) -> RankingSplit:
    """Clicks that depend on a device, on genres, on a number and on one of 400 users."""
    random = np.random.default_rng(0)
    n = 6000
    device, user = random.integers(2, 5, n), random.integers(2, 402, n)
    genres = np.stack([random.integers(2, 8, n), random.integers(0, 2, n) * 7], axis=1)
    number = random.standard_normal(n)
    logits = (device - 3) + 1.5 * np.isin(genres, [3, 7]).any(axis=1) + number - 1
    logits += random.standard_normal(402)[user]
    labels = random.random(n) < 1 / (1 + np.exp(-logits))
    ids = {"device": device, "user": user, "genres": genres}
    return make_split(CLICK, labels, ids, number[:, None], user)


@pytest.fixture(scope="session")
def ratings(make_split: MakeSplit) -> RankingSplit:
    """Ratings of 60 items by 50 users, who have an age."""
    random = np.random.default_rng(1)
    n = 6000
    user, item = random.integers(0, 50, n), random.integers(2, 62, n)
    stars = 3 + 0.7 * random.standard_normal(50)[user] + 0.7 * random.standard_normal(62)[item]
    stars = np.clip(np.round(stars + 0.5 * random.standard_normal(n)), 1, 5)
    ids = {"age": user % 6 + 2, "item": item}
    return make_split(STARS, STARS.scale(stars), ids, None, user, {"age": 100})
