"""Selects the features that a small student of the ranking task keeps."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.metrics import mutual_info_score

from kd_tf.baselines.ranking.one_hot import encode_one_hot
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import UserError
from kd_tf.runtime.features.layout import MISSING_ID, FeatureLayout

SelectionMethod = Literal["mutual-information", "l1"]

MAX_ROWS = 100_000
"""Training rows that are looked at."""

NUM_NUMBER_BINS = 32
"""Ranges of a number, with equally many rows each, of which mutual information is computed."""

MAX_CLASSES = 32
"""A label with more values than this is put into as many ranges."""

MAX_L1_ITERATIONS = 300
"""Sweeps over all columns, after which the order of features changes little."""

L1_ROWS = 2.0
"""The L1 penalty: a value of a feature has a weight only if its rows have so many more or fewer
clicks than the other features say."""


def score_features(
    train: RankingExamples, method: SelectionMethod, seed: int = 0
) -> dict[str, float]:
    """Scores how much each feature says of the label.

    - ``mutual-information``: of the feature and the label, in nats, without what chance adds: the
      plug-in estimate minus (values - 1) (classes - 1) / (2 rows), Miller (1955). Every feature is
      looked at alone.
    - ``l1``: the standard deviation, over rows, of what the feature adds to the label in a linear
      model with an L1 penalty on one-hot ids; Tibshirani, "Regression Shrinkage and Selection via
      the Lasso" (1996). Of two features that say the same, one gets little or nothing.

    Args:
        train: Training rows.
        method: How features are scored.
        seed: Draws rows where there are more than `MAX_ROWS`.

    Returns:
        Score by name of the feature; 0 or less for one that says nothing.

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature
        >>> random = np.random.default_rng(0)
        >>> ids, noise = random.integers(2, 4, 1000), random.integers(2, 40, 1000)
        >>> rows = RankingExamples(
        ...     FeatureLayout((CategoricalFeature("a", 4), CategoricalFeature("noise", 40)), ()),
        ...     np.stack([ids, noise], axis=1).astype(np.int32),
        ...     np.empty((1000, 0), np.float32),
        ...     (ids - 2).astype(np.float32),
        ... )
        >>> scores = score_features(rows, "mutual-information")
        >>> [name for name, score in scores.items() if score > 0.01]
        ['a']
    """
    if len(train) > MAX_ROWS:
        rows = np.random.default_rng(seed).choice(len(train), MAX_ROWS, replace=False)
        train = train.take(np.sort(rows))
    if method == "mutual-information":
        return _score_by_mutual_information(train)
    return _score_by_l1(train)


def select_features(
    layout: FeatureLayout, scores: dict[str, float], max_features: int | None
) -> FeatureLayout:
    """Selects the features with the best scores, of those that say something.

    Args:
        layout: All features.
        scores: Score by name of the feature.
        max_features: How many are kept at most; None for all that say something.

    Raises:
        UserError: No feature says anything.
    """
    useful_names = [name for name, score in scores.items() if score > 0]
    useful_names.sort(key=lambda name: -scores[name])
    names = set(useful_names[:max_features])
    if not names:
        raise UserError(
            "no feature says anything of the label, so the student would have none",
            hint="Leave student.features.select out, or give more rows.",
        )
    return FeatureLayout(
        tuple(feature for feature in layout.categorical if feature.name in names),
        tuple(name for name in layout.numeric if name in names),
    )


def _score_by_mutual_information(train: RankingExamples) -> dict[str, float]:
    layout, classes = train.layout, _number_classes(train.labels)
    scores, begin = {}, 0
    for feature in layout.categorical:
        ids = train.categorical[:, begin : begin + feature.num_values]
        begin += feature.num_values
        # Each value of a list is an observation of its own.
        is_used = ids != MISSING_ID
        is_used[:, 0] |= ~is_used.any(axis=1)
        rows, _ = np.nonzero(is_used)
        scores[feature.name] = _estimate_information(ids[is_used], classes[rows])
    for index, name in enumerate(layout.numeric):
        bins = _bin_numbers(train.numeric[:, index], NUM_NUMBER_BINS)
        scores[name] = _estimate_information(bins, classes)
    return scores


def _number_classes(labels: np.ndarray) -> np.ndarray:
    """Numbers the values of a label, or ranges of them: int64 [n]."""
    values, classes = np.unique(labels, return_inverse=True)
    return classes if len(values) <= MAX_CLASSES else _bin_numbers(labels, MAX_CLASSES)


def _bin_numbers(numbers: np.ndarray, num_bins: int) -> np.ndarray:
    """Returns ranges of numbers with about equally many rows each: int64 [n]."""
    bounds = np.unique(np.quantile(numbers, np.arange(1, num_bins) / num_bins))
    return np.asarray(np.searchsorted(bounds, numbers, side="right"))


def _estimate_information(values: np.ndarray, classes: np.ndarray) -> float:
    """Estimates mutual information, without what chance adds."""
    values = np.unique(values, return_inverse=True)[1].ravel()
    counts = sparse.csr_matrix((np.ones(len(values), np.int64), (values, classes)))
    num_values, num_classes = counts.shape
    chance = (num_values - 1) * (num_classes - 1) / (2 * len(values))
    return float(mutual_info_score(None, None, contingency=counts) - chance)


def _score_by_l1(train: RankingExamples) -> dict[str, float]:
    # In single precision, columns that say nearly the same get ever larger opposite weights.
    matrix = encode_one_hot(train).tocsc().astype(np.float64)
    with warnings.catch_warnings():
        # Weights that have not quite settled order features as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = (
            Lasso(L1_ROWS / len(train), max_iter=MAX_L1_ITERATIONS)
            .fit(matrix, train.labels.astype(np.float64))
            .coef_
        )
    layout, scores, begin = train.layout, {}, 0
    for feature in layout.categorical:
        columns = slice(begin, begin + feature.num_ids)
        scores[feature.name] = float(np.std(matrix[:, columns] @ weights[columns]))
        begin += feature.num_ids
    for index, name in enumerate(layout.numeric):
        scores[name] = float(np.std(train.numeric[:, index] * weights[begin + index]))
    return scores
