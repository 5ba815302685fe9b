"""Computes side features of items and users, fitted to the training users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from kd_tf.data.catalog import Catalog
from kd_tf.data.histories import Histories
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split
from kd_tf.errors import UserError

Scaling = Literal["standard", "min-max"]

_SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Features:
    """A feature matrix: one row per item or user.

    Attributes:
        names: Names of the columns.
        matrix: float32 CSR [rows, columns].
    """

    names: list[str]
    matrix: sparse.csr_array


class ItemFeatures:
    """Computes features of all items, fitted to the training users.

    - ``popularity``: log(1 + training users).
    - ``age``: years from the item's publication to that of the newest item with a training user;
      negative for items that are newer.
    - ``days-since-read``: days from the item's last training interaction to the last one of all
      items, where there are timestamps.
    - ``text``: TF-IDF of the terms in title, authors, series, genre and text, rows of length 1.

    All but ``text`` are scaled. Missing values become the median, and a column ``... is missing``
    marks them. Statistics (medians, means, ranges, terms and their weights) come only from
    training interactions and items with a training user, so held-out data cannot leak.

    Args:
        scaling: ``standard`` for mean 0 and standard deviation 1; ``min-max`` for 0..1 over the
            fitted items.
        max_terms: Number of the most frequent terms that become columns; 0 for no text.

    Example:
        >>> from kd_tf.data.splits.unseen_users import split_unseen_users
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> dataset = generate_bookshop(num_items=100, num_users=50)
        >>> split = split_unseen_users(dataset.interactions, test_users=10, validation_users=5)
        >>> features = ItemFeatures(max_terms=0).fit(split, dataset.catalog).transform()
        >>> features.names, features.matrix.shape
        (['popularity', 'age'], (101, 2))
    """

    def __init__(self, *, scaling: Scaling = "standard", max_terms: int = 1000) -> None:
        self.scaling = scaling
        self.max_terms = max_terms

    def fit(
        self, split: Split, catalog: Catalog, interactions: Interactions | None = None
    ) -> ItemFeatures:
        """Fits the statistics to the training users.

        Args:
            split: The split; only its training part is used.
            catalog: The items.
            interactions: Interactions with timestamps, for ``days-since-read``; only rows of the
                training part are used.

        Raises:
            UserError: There is no training user.
        """
        self._columns, names = _compute_item_columns(split, catalog, interactions)
        fitted_rows = np.flatnonzero(split.popularity()[1:] > 0)
        if not len(fitted_rows):
            raise UserError("there are no training users to fit item features to")
        self._scaler = _make_scaling_pipeline(self.scaling).fit(self._columns[fitted_rows])
        missing = self._scaler[0].indicator_
        self.names = names + [f"{names[column]} is missing" for column in missing.features_]
        self._texts, self._vectorizer = catalog.to_texts(), None
        if self.max_terms and any(self._texts):
            vectorizer = TfidfVectorizer(
                sublinear_tf=True, max_features=self.max_terms, dtype=np.float32
            )
            self._vectorizer = vectorizer.fit([self._texts[row] for row in fitted_rows])
            self.names += [f"text: {term}" for term in vectorizer.get_feature_names_out()]
        return self

    def transform(self) -> Features:
        """Returns features [V + 1, columns]; row 0, the padding, is zero."""
        parts = [sparse.csr_array(self._scaler.transform(self._columns).astype(np.float32))]
        if self._vectorizer is not None:
            parts.append(sparse.csr_array(self._vectorizer.transform(self._texts)))
        items = sparse.hstack(parts, format="csr")
        padding = sparse.csr_array((1, items.shape[1]), dtype=np.float32)
        return Features(self.names, sparse.csr_array(sparse.vstack([padding, items], format="csr")))


class UserFeatures:
    """Computes features of any users, in training or not, from their histories.

    - ``activity``: log(1 + items).
    - ``mean-popularity``: mean of log(1 + training users) over the items of the history.

    Both are 0 for an empty history before scaling.

    Args:
        scaling: As in `ItemFeatures`, over the training users.

    Example:
        >>> from kd_tf.data.splits.unseen_users import split_unseen_users
        >>> from kd_tf.data.synthetic.bookshop import generate_bookshop
        >>> dataset = generate_bookshop(num_items=100, num_users=50)
        >>> split = split_unseen_users(dataset.interactions, test_users=10, validation_users=5)
        >>> features = UserFeatures().fit(split).transform(split.test.histories)
        >>> features.names, features.matrix.shape
        (['activity', 'mean-popularity'], (10, 2))
    """

    def __init__(self, *, scaling: Scaling = "standard") -> None:
        self.scaling = scaling

    def fit(self, split: Split) -> UserFeatures:
        """Fits the statistics to the training users."""
        popularity = np.log1p(split.popularity())
        popularity[0] = 0
        measure = FeatureUnion(
            [
                ("activity", FunctionTransformer(_compute_activity)),
                (
                    "mean-popularity",
                    FunctionTransformer(_average_values, kw_args={"values": popularity}),
                ),
            ]
        )
        self._num_items = split.num_items
        self._pipeline = Pipeline([("measure", measure), ("scale", _make_scaler(self.scaling))])
        self._pipeline.fit(split.train.to_csr_matrix(split.num_items))
        return self

    def transform(self, histories: Histories) -> Features:
        """Returns features [n, 2]."""
        matrix = self._pipeline.transform(histories.to_csr_matrix(self._num_items))
        names = [name for name, _ in self._pipeline["measure"].transformer_list]
        return Features(names, sparse.csr_array(matrix.astype(np.float32)))


def _compute_activity(matrix: sparse.csr_array) -> np.ndarray:
    """Returns log(1 + items) of each history, float [n, 1]."""
    return np.asarray(np.log1p(np.diff(matrix.indptr))[:, None])


def _average_values(matrix: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """Averages the values of the items of each history, float [n, 1]; 0 for an empty one."""
    binary = sparse.csr_array(matrix, copy=True)
    binary.data[:] = 1
    return np.asarray((binary @ values / np.maximum(np.diff(binary.indptr), 1))[:, None])


def _make_scaler(scaling: Scaling) -> StandardScaler | MinMaxScaler:
    """Creates the scaler of this name."""
    return StandardScaler() if scaling == "standard" else MinMaxScaler()


def _make_scaling_pipeline(scaling: Scaling) -> Pipeline:
    """Creates a pipeline that imputes the median, marks missing values and scales."""
    # keep_empty_features: a column without any training value becomes 0 and is not removed.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(imputer, _make_scaler(scaling))


def _compute_item_columns(
    split: Split, catalog: Catalog, interactions: Interactions | None
) -> tuple[np.ndarray, list[str]]:
    """Computes the unscaled columns, float64 [V, columns], NaN where unknown, and their names."""
    popularity = split.popularity()[1:]
    columns = {"popularity": np.log1p(popularity)}
    if "year" in catalog.frame.columns:
        year = catalog.frame["year"].cast(pl.Float64).to_numpy().copy()
        train_years = year[popularity > 0]
        newest = np.nanmax(train_years) if np.isfinite(train_years).any() else np.nan
        columns["age"] = newest - year
    if interactions is not None and interactions.timestamp is not None:
        columns["days-since-read"] = _compute_days_since_read(split, interactions)
    return np.stack(list(columns.values()), axis=1), list(columns)


def _compute_days_since_read(split: Split, interactions: Interactions) -> np.ndarray:
    """Computes the days since each item's last training interaction, float64 [V], NaN if none."""
    assert interactions.timestamp is not None
    width = split.num_items + 1
    train = np.repeat(split.train_users, split.train.lengths).astype(np.int64) * width
    pairs = interactions.user.astype(np.int64) * width + interactions.item
    in_training = np.isin(pairs, train + split.train.items)
    last = np.full(width, -np.inf)
    np.maximum.at(last, interactions.item[in_training], interactions.timestamp[in_training])
    days = (last.max() - last[1:]) / _SECONDS_PER_DAY
    days[~np.isfinite(days)] = np.nan
    return np.asarray(days)
