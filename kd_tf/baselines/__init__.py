"""Baselines without a neural network, by their names in the result tables.

Example:
    >>> import kd_tf as kd
    >>> split = kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)
    >>> baseline = kd.baselines.popularity.fit(split)
    >>> 0 < kd.evaluate(baseline, split.test)["ndcg@10"] < 1
    True
"""

from __future__ import annotations

from collections.abc import Callable

from kd_tf.baselines import content, ease, friends, ials, item_knn, popularity, random_order
from kd_tf.baselines.base import Baseline
from kd_tf.data.catalog import Catalog
from kd_tf.data.split import Split
from kd_tf.progress import Progress

BASELINES: dict[str, Callable[[Split, Catalog, Progress], Baseline]] = {
    "random": lambda split, catalog, progress: random_order.fit(split),
    "popularity": lambda split, catalog, progress: popularity.fit(split),
    "content": lambda split, catalog, progress: content.fit(split, catalog),
    "frozen-text": lambda split, catalog, progress: content.fit_frozen(split),
    "friends": lambda split, catalog, progress: friends.fit(split),
    "item-knn": lambda split, catalog, progress: item_knn.fit(split),
    "item-knn-history": lambda split, catalog, progress: item_knn.fit(split, side="history"),
    "item-knn-bm25": lambda split, catalog, progress: item_knn.fit(split, weighting="bm25"),
    "ials": lambda split, catalog, progress: ials.fit(split, progress=progress),
    "ease": lambda split, catalog, progress: ease.fit(split, progress=progress),
}
"""Functions that fit a baseline to a split. They raise UserError if the data do not suit it, for
example a catalog that is too large."""


def _has_texts(split: Split) -> bool:
    return split.content is not None and split.content.whole_text is not None


def _has_friends(split: Split) -> bool:
    return split.friendships is not None and len(split.friendships) > 0


REQUIREMENTS: dict[str, Callable[[Split], bool]] = {
    "frozen-text": _has_texts,
    "friends": _has_friends,
}
"""What a split must have for some baselines: encoded texts, or friends."""


def list_baselines(split: Split) -> list[str]:
    """Lists the baselines that can be fitted to a split."""
    return [name for name in BASELINES if name not in REQUIREMENTS or REQUIREMENTS[name](split)]
