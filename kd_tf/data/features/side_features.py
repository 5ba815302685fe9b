"""Side features of books and readers, scaled by what the training readers did."""

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
    """A row of numbers for each book or reader.

    Attributes:
        names: Of the columns.
        matrix: float32 CSR [rows, columns].
    """

    names: list[str]
    matrix: sparse.csr_array


class ItemFeatures:
    """Features of all books, fitted to training readers.

    ``popularity``: log(1 + training readers). ``age``: years from the book's publication to the
    newest one of a book that a training reader has; negative for books still to come.
    ``days-since-read``: from the last training interaction with the book to the last one of all,
    where there are times. Missing values are the median, with a column ``... is missing`` beside.
    All these are scaled. ``text``: TF-IDF of terms in title, authors, series, genre and text, rows
    of length 1, not scaled.

    Statistics (medians, means, ranges, terms and their weights) come from books that a training
    reader has and from training interactions: held-out books and readers change nothing.

    Args:
        scaling: ``standard`` to mean 0 and deviation 1, ``min-max`` to 0..1 of the fitted books.
        terms: The most frequent terms that become columns; 0 for no text.
    """

    def __init__(self, *, scaling: Scaling = "standard", max_terms: int = 1000) -> None:
        self.scaling = scaling
        self.max_terms = max_terms

    def fit(
        self, split: Split, catalog: Catalog, interactions: Interactions | None = None
    ) -> ItemFeatures:
        """Learns the statistics.

        Args:
            split: Its training part is looked at.
            catalog: The books.
            interactions: With timestamps, for ``days-since-read``; only rows of the training part
                are looked at.
        """
        self._numbers, names = _compute_item_columns(split, catalog, interactions)
        read = np.flatnonzero(split.popularity()[1:] > 0)
        if not len(read):
            raise UserError("there is no training reader, so nothing can be fitted")
        self._scaler = _make_scaling_pipeline(self.scaling).fit(self._numbers[read])
        missing = self._scaler[0].indicator_
        self.names = names + [f"{names[column]} is missing" for column in missing.features_]
        self._texts, self._vectorizer = catalog.to_texts(), None
        if self.max_terms and any(self._texts):
            vectorizer = TfidfVectorizer(
                sublinear_tf=True, max_features=self.max_terms, dtype=np.float32
            )
            self._vectorizer = vectorizer.fit([self._texts[row] for row in read])
            self.names += [f"text: {term}" for term in vectorizer.get_feature_names_out()]
        return self

    def transform(self) -> Features:
        """Features [V + 1, columns]; row 0, the padding, is zero."""
        parts = [sparse.csr_array(self._scaler.transform(self._numbers).astype(np.float32))]
        if self._vectorizer is not None:
            parts.append(sparse.csr_array(self._vectorizer.transform(self._texts)))
        items = sparse.hstack(parts, format="csr")
        padding = sparse.csr_array((1, items.shape[1]), dtype=np.float32)
        return Features(self.names, sparse.csr_array(sparse.vstack([padding, items], format="csr")))


class UserFeatures:
    """Features of readers, known or not, from what they read.

    ``activity``: log(1 + books). ``mean-popularity``: of the books, log(1 + training readers).
    Both 0 for an empty history before scaling.

    Args:
        scaling: As for `BookFeatures`, with the statistics of the training readers.
    """

    def __init__(self, *, scaling: Scaling = "standard") -> None:
        self.scaling = scaling

    def fit(self, split: Split) -> UserFeatures:
        """Learns the statistics from the training readers."""
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
        """Features [n, 2]."""
        found = self._pipeline.transform(histories.to_csr_matrix(self._num_items))
        names = [name for name, _ in self._pipeline["measure"].transformer_list]
        return Features(names, sparse.csr_array(found.astype(np.float32)))


def _compute_activity(matrix: sparse.csr_array) -> np.ndarray:
    return np.log1p(np.diff(matrix.indptr))[:, None]


def _average_values(matrix: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    there = sparse.csr_array(matrix, copy=True)
    there.data[:] = 1
    return (there @ values / np.maximum(np.diff(there.indptr), 1))[:, None]


def _make_scaler(scaling: Scaling) -> StandardScaler | MinMaxScaler:
    return StandardScaler() if scaling == "standard" else MinMaxScaler()


def _make_scaling_pipeline(scaling: Scaling) -> Pipeline:
    # keep_empty_features: a column that no training book has becomes 0 and does not vanish.
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(imputer, _make_scaler(scaling))


def _compute_item_columns(
    split: Split, catalog: Catalog, interactions: Interactions | None
) -> tuple[np.ndarray, list[str]]:
    """float64 [V, columns], NaN where unknown, and the columns' names."""
    popularity = split.popularity()[1:]
    columns = {"popularity": np.log1p(popularity)}
    if "year" in catalog.frame.columns:
        year = catalog.frame["year"].cast(pl.Float64).to_numpy().copy()
        known = year[popularity > 0]
        newest = np.nanmax(known) if np.isfinite(known).any() else np.nan
        columns["age"] = newest - year
    if interactions is not None and interactions.timestamp is not None:
        columns["days-since-read"] = _compute_days_since_read(split, interactions)
    return np.stack(list(columns.values()), axis=1), list(columns)


def _compute_days_since_read(split: Split, interactions: Interactions) -> np.ndarray:
    assert interactions.timestamp is not None
    width = split.num_items + 1
    train = np.repeat(split.train_users, split.train.lengths).astype(np.int64) * width
    pairs = interactions.user.astype(np.int64) * width + interactions.item
    learnt = np.isin(pairs, train + split.train.items)
    last = np.full(width, -np.inf)
    np.maximum.at(last, interactions.item[learnt], interactions.timestamp[learnt])
    days = (last.max() - last[1:]) / _SECONDS_PER_DAY
    days[~np.isfinite(days)] = np.nan
    return days
