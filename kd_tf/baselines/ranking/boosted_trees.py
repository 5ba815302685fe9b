"""Gradient-boosted trees of scikit-learn: the strongest baseline on tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from kd_tf.baselines.ranking.base import check_labels
from kd_tf.baselines.ranking.target_encoding import (
    TargetEncoding,
    average_values,
    encode_out_of_fold,
    fit_target_encoding,
)
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.progress import NullProgress, Progress
from kd_tf.runtime.features.layout import FeatureLayout

LEARNING_RATE = 0.05
MAX_ITERATIONS = 1000
PATIENCE = 25
"""Trees without a lower loss on validation rows before training stops."""

DEFAULT_ITERATIONS = 200
"""Number of trees without validation rows."""

MAX_LEAVES = 31
MIN_ROWS_PER_LEAF = 40
L2_REGULARIZATION = 30.0

MAX_CATEGORIES = 255
"""Maximum number of ids of a feature that trees split by sets of ids (a limit of scikit-learn)."""

MAX_INDICATORS = 64
"""Maximum number of ids of a list that get a column each."""

MAX_CELLS = 200_000_000
"""Maximum number of cells of the training table: 1.6 GB of float64, which scikit-learn makes of
it. Of more rows a random sample is used; encodings and counts use all."""

MAX_ROWS_OF_ONE_THREAD = 1_000_000
"""Up to so many rows one thread trains and predicts: it takes seconds, and threads that wait for
each other are slow where other processes use the cores (82 s with two threads, 2.6 s with one, for
80,000 rows on two busy cores)."""

ROWS_AT_ONCE = 200_000


@dataclass(frozen=True)
class BoostedTrees:
    """Predicts with a sum of decision trees; see `fit`.

    Attributes:
        model: The trees.
        table: Makes their columns.
        name: Name in result tables.
    """

    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor
    table: TreeTable
    name: str = "gradient-boosted-trees"

    @property
    def num_parameters(self) -> int:
        """Nodes of all trees, and numbers of the encodings."""
        return sum(len(nodes) for nodes in self._list_nodes()) + self.table.num_parameters

    @property
    def num_bytes(self) -> int:
        """Bytes that they take in memory."""
        return sum(nodes.nbytes for nodes in self._list_nodes()) + 8 * self.table.num_parameters

    def _list_nodes(self) -> list[np.ndarray]:
        # scikit-learn has no public access to the trees of this model.
        return [tree.nodes for trees in self.model._predictors for tree in trees]

    def predict(self, examples: RankingExamples) -> np.ndarray:
        """Returns float32 [n], 0 to 1."""
        predictions = np.empty(len(examples), np.float32)
        with _limit_threads(len(examples)):
            for start in range(0, len(examples), ROWS_AT_ONCE):
                rows = np.arange(start, min(start + ROWS_AT_ONCE, len(examples)))
                columns = self.table.make_columns(examples.take(rows))
                if isinstance(self.model, HistGradientBoostingClassifier):
                    predictions[rows] = self.model.predict_proba(columns)[:, 1]
                else:
                    predictions[rows] = np.clip(self.model.predict(columns), 0, 1)
        return predictions


@dataclass(frozen=True, eq=False)
class TreeTable:
    """Makes the columns that trees split by.

    - A feature of at most `MAX_CATEGORIES` ids is a column of categories.
    - One of more ids is two columns: its target encoding, and the logarithm of its count.
    - A list of at most `MAX_INDICATORS` ids is one column of 0 and 1 per id, and its encoding; of
      more ids, its encoding and the mean logarithm of its counts.
    - Numbers stay as they are.

    Attributes:
        layout: Layout of the rows.
        encodings: The target encoding of each feature that has one, by its index.
    """

    layout: FeatureLayout
    encodings: dict[int, TargetEncoding]

    @classmethod
    def fit(cls, train: RankingExamples) -> TreeTable:
        """Counts the labels of the training rows."""
        encodings = {
            index: fit_target_encoding(
                _get_ids(train, index), np.asarray(train.labels), feature.num_ids
            )
            for index, feature in enumerate(train.layout.categorical)
            if feature.num_values > 1 or feature.num_ids > MAX_CATEGORIES
        }
        return cls(train.layout, encodings)

    @property
    def num_parameters(self) -> int:
        """A count and a sum per id."""
        return sum(2 * len(encoding.counts) for encoding in self.encodings.values())

    @property
    def is_categorical(self) -> list[bool]:
        """Whether each column is one of categories."""
        mask = []
        for index, feature in enumerate(self.layout.categorical):
            if index not in self.encodings:
                mask.append(True)
            elif self._has_indicators(index):
                mask += [False] * (feature.num_ids + 1)
            else:
                mask += [False] * 2
        return mask + [False] * self.layout.num_numeric

    def make_columns(
        self, examples: RankingExamples, encoded_features: dict[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """Returns float32 [n, columns].

        Args:
            examples: n rows.
            encoded_features: float [n] by index of a feature, in place of its target encoding.
        """
        columns = []
        for index, feature in enumerate(self.layout.categorical):
            ids = _get_ids(examples, index)
            if index not in self.encodings:
                columns.append(ids.astype(np.float32))
                continue
            encoding = self.encodings[index]
            means = encoding.encode(ids) if encoded_features is None else encoded_features[index]
            columns.append(means.astype(np.float32)[:, None])
            if self._has_indicators(index):
                indicators = np.zeros((len(ids), feature.num_ids), np.float32)
                np.put_along_axis(indicators, ids, 1, axis=1)
                columns.append(indicators)
            else:
                log_counts = average_values(np.log1p(encoding.counts), ids)
                columns.append(log_counts.astype(np.float32)[:, None])
        return np.concatenate([*columns, examples.numeric], axis=1, dtype=np.float32)

    def make_training_columns(
        self, train: RankingExamples, rows: np.ndarray, seed: int
    ) -> np.ndarray:
        """Returns the columns of some training rows; see `encode_out_of_fold`."""
        labels = np.asarray(train.labels)
        encoded_features = {
            index: encode_out_of_fold(encoding, _get_ids(train, index), labels, seed)[rows]
            for index, encoding in self.encodings.items()
        }
        return self.make_columns(train.take(rows), encoded_features)

    def _has_indicators(self, index: int) -> bool:
        feature = self.layout.categorical[index]
        return feature.num_values > 1 and feature.num_ids <= MAX_INDICATORS


def fit(split: RankingSplit, progress: Progress | None = None) -> BoostedTrees:
    """Trains trees until the loss on validation rows falls no more.

    Source: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017, as
    scikit-learn implements it.

    Args:
        split: Clicks or ratings. Of the test part nothing is used.
        progress: Reports the columns and the trees as one step each.

    Raises:
        UserError: All training labels are equal.
    """
    check_labels(split)
    train, validation = split.train, split.validation
    is_click, has_validation = split.label.kind == "click", len(validation) > 0
    make_model = HistGradientBoostingClassifier if is_click else HistGradientBoostingRegressor
    with (progress or NullProgress()).task("gradient-boosted-trees", 2) as advance:
        table = TreeTable.fit(train)
        rows = np.arange(len(train))
        max_rows = MAX_CELLS // max(len(table.is_categorical), 1)
        if len(rows) > max_rows:
            rows = np.sort(np.random.default_rng(split.seed).permutation(rows)[:max_rows])
        columns = table.make_training_columns(train, rows, split.seed)
        advance()
        model = make_model(
            learning_rate=LEARNING_RATE,
            max_iter=MAX_ITERATIONS if has_validation else DEFAULT_ITERATIONS,
            max_leaf_nodes=MAX_LEAVES,
            min_samples_leaf=MIN_ROWS_PER_LEAF,
            l2_regularization=L2_REGULARIZATION,
            categorical_features=table.is_categorical,
            early_stopping=has_validation,
            n_iter_no_change=PATIENCE,
            scoring="loss",
            random_state=split.seed,
        )
        validation_rows = (
            {
                "X_val": table.make_columns(validation),
                "y_val": _get_targets(validation.labels, is_click),
            }
            if has_validation
            else {}
        )
        with _limit_threads(len(rows)):
            model.fit(columns, _get_targets(train.labels[rows], is_click), **validation_rows)
        advance()
    return BoostedTrees(model, table)


def _limit_threads(num_rows: int) -> threadpool_limits:
    """Lets one thread work where that takes seconds; see `MAX_ROWS_OF_ONE_THREAD`."""
    return threadpool_limits(1 if num_rows <= MAX_ROWS_OF_ONE_THREAD else None, "openmp")


def _get_targets(labels: np.ndarray, is_click: bool) -> np.ndarray:
    return np.asarray(labels > 0.5 if is_click else labels)


def _get_ids(examples: RankingExamples, index: int) -> np.ndarray:
    """Returns the ids of a feature, int32 [n, values]."""
    places = np.flatnonzero(np.array(examples.layout.feature_of_place) == index)
    return np.asarray(examples.categorical[:, places])
