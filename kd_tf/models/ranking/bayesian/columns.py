"""The columns of the design matrix of a factorization machine, group by group."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.models.closed_form.parallel import count_threads
from kd_tf.models.ranking.bayesian.kernels import sample_columns, sample_set_columns
from kd_tf.runtime.features.layout import UNKNOWN_ID, CategoricalFeature

_LEAST_PARALLEL = 20_000
"""Fewer rows are done before a thread has woken up."""

_NO_VALUES = np.empty(0)


@dataclass(frozen=True)
class Prior:
    """The normal prior of a group's weights, and the precision of the labels.

    Attributes:
        mean: Its mean.
        precision: Its precision, one over the variance.
        alpha: Precision of the labels.
    """

    mean: float
    precision: float
    alpha: float


class ColumnGroup(Protocol):
    """Columns whose weights have one prior.

    Attributes:
        num_columns: Number of columns.
    """

    num_columns: int

    def sum_rows(self, theta: np.ndarray) -> np.ndarray:
        """Sums ``x_c theta_c`` over the columns of each row: float64 [n]."""
        ...

    def sum_squares(self, theta: np.ndarray) -> np.ndarray:
        """Sums the squares of what does not interact with itself in each row: float64 [n].

        The prediction has half of the squared sum over all columns less these. For single columns
        they are ``(x_c theta_c)^2``.
        """
        ...

    def sample(
        self,
        theta: np.ndarray,
        residuals: np.ndarray,
        sums: np.ndarray | None,
        normals: np.ndarray,
        prior: Prior,
    ) -> None:
        """Samples all weights and updates the rows in place.

        Args:
            theta: float64 [num_columns], one element of all columns.
            residuals: float64 [n], label minus prediction.
            sums: float64 [n], the element summed over each row; None for linear weights.
            normals: float64 [num_columns], draws from the standard normal distribution.
            prior: The prior of the group.
        """
        ...


class SparseColumns:
    """Columns of which each row has few.

    Args:
        rows: int32 [entries], the row of each entry.
        columns: int [entries], its column.
        num_columns: Number of columns.
        x: float [entries], the values; None if all are 1.
        num_rows: Number of rows, n.
        pool: Threads that work on different columns; only where no row has two of them.
    """

    def __init__(
        self,
        rows: np.ndarray | None,
        columns: np.ndarray,
        num_columns: int,
        x: np.ndarray | None,
        num_rows: int,
        pool: Executor | None = None,
    ) -> None:
        self.num_columns, self._num_rows = num_columns, num_rows
        self._column_of_row = np.ascontiguousarray(columns) if rows is None else None
        order = np.argsort(columns, kind="stable").astype(np.int32)
        self._rows = order if rows is None else rows[order]
        counts = np.bincount(columns, minlength=num_columns)
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._x = _NO_VALUES if x is None else np.ascontiguousarray(x[order], np.float64)
        self._pool = pool
        threads = count_threads() if pool and len(columns) >= _LEAST_PARALLEL else 1
        # Threads get ranges of columns with equally many rows.
        shares = np.linspace(0, len(columns), threads + 1)[1:-1]
        cuts = np.searchsorted(self._starts, shares)
        self._bounds = [0, *cuts.tolist(), num_columns]

    def sum_rows(self, theta: np.ndarray) -> np.ndarray:
        return self._sum_entries(theta, self._x)

    def sum_squares(self, theta: np.ndarray) -> np.ndarray:
        return self._sum_entries(np.square(theta), np.square(self._x))

    def _sum_entries(self, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self._column_of_row is not None:
            return np.asarray(theta[self._column_of_row])
        values = np.repeat(theta, np.diff(self._starts))
        if len(x):
            values *= x
        return np.bincount(self._rows, weights=values, minlength=self._num_rows)

    def sample(
        self,
        theta: np.ndarray,
        residuals: np.ndarray,
        sums: np.ndarray | None,
        normals: np.ndarray,
        prior: Prior,
    ) -> None:
        def run(begin: int, end: int) -> None:
            sample_columns(
                begin, end, self._starts, self._rows, self._x, theta, residuals,
                residuals if sums is None else sums, normals,
                prior.alpha, prior.mean, prior.precision, sums is None,
            )  # fmt: skip

        ranges = [
            (begin, end)
            for begin, end in zip(self._bounds, self._bounds[1:], strict=False)
            if begin < end
        ]
        if self._pool is None or len(ranges) == 1:
            run(0, self.num_columns)
        else:
            list(self._pool.map(lambda bounds: run(*bounds), ranges))


class ListColumns(SparseColumns):
    """Columns of the values of a list, whose vectors are averaged, so that they do not interact."""

    def sum_squares(self, theta: np.ndarray) -> np.ndarray:
        return np.asarray(np.square(self.sum_rows(theta)))

    def sample(
        self,
        theta: np.ndarray,
        residuals: np.ndarray,
        sums: np.ndarray | None,
        normals: np.ndarray,
        prior: Prior,
    ) -> None:
        if sums is None:
            super().sample(theta, residuals, None, normals, prior)
            return
        # What a list interacts with is the same for all its values: linear weights of x * others.
        others = sums - self.sum_rows(theta)
        slopes = self._x * others[self._rows]
        sample_columns(
            0, self.num_columns, self._starts, self._rows, slopes, theta, residuals, residuals,
            normals, prior.alpha, prior.mean, prior.precision, True,
        )  # fmt: skip
        sums[:] = others + self.sum_rows(theta)


class SharedSets:
    """Columns of a set that all rows of an owner share: the items of the row's user.

    Every column of an owner's set has the value ``1 / sqrt(size of the set)``, as in SVD++ (Koren,
    KDD 2008).

    Args:
        owner_of_row: int32 [n], the owner of each row.
        members: int32 [n], the member that each row adds to the set of its owner.
        num_owners: Number of owners.
        num_members: Number of columns.
        has_set: bool [num_owners], which owners have a set.
    """

    def __init__(
        self,
        owner_of_row: np.ndarray,
        members: np.ndarray,
        num_owners: int,
        num_members: int,
        has_set: np.ndarray,
    ) -> None:
        self.num_columns = num_members
        self._owner_of_row = np.ascontiguousarray(owner_of_row)
        keys = np.unique(owner_of_row.astype(np.int64) * num_members + members)
        owners, columns = np.divmod(keys, num_members)
        is_used = has_set[owners] & (columns > UNKNOWN_ID)
        owners, columns = owners[is_used].astype(np.int32), columns[is_used]
        sizes = np.bincount(owners, minlength=num_owners)
        self._shares = 1.0 / np.sqrt(np.maximum(sizes, 1.0))
        order = np.argsort(columns, kind="stable")
        self._owners = owners[order]
        counts = np.bincount(columns, minlength=num_members)
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.matrix = sparse.csr_array(
            (self._shares[owners], (owners, columns)), shape=(num_owners, num_members)
        )

    def sum_rows(self, theta: np.ndarray) -> np.ndarray:
        return np.asarray((self.matrix @ theta)[self._owner_of_row])

    def sum_squares(self, theta: np.ndarray) -> np.ndarray:
        return np.asarray((self.matrix.power(2) @ np.square(theta))[self._owner_of_row])

    def sample(
        self,
        theta: np.ndarray,
        residuals: np.ndarray,
        sums: np.ndarray | None,
        normals: np.ndarray,
        prior: Prior,
    ) -> None:
        sample_set_columns(
            self._starts, self._owners, self._shares, self._owner_of_row, theta, residuals,
            residuals if sums is None else sums, normals,
            prior.alpha, prior.mean, prior.precision, sums is None,
        )  # fmt: skip


def make_feature_columns(examples: RankingExamples, pool: Executor) -> Iterator[SparseColumns]:
    """Makes the columns of each feature, in the order of the layout; all numbers are one group."""
    num_rows, begin = len(examples), 0
    for feature in examples.layout.categorical:
        ids = examples.categorical[:, begin : begin + feature.num_values]
        begin += feature.num_values
        yield _make_categorical_columns(feature, np.asarray(ids), num_rows, pool)
    if examples.layout.num_numeric:
        rows, columns = np.nonzero(examples.numeric)
        x = examples.numeric[rows, columns]
        yield SparseColumns(
            rows.astype(np.int32), columns, examples.layout.num_numeric, x, num_rows
        )  # fmt: skip


def _make_categorical_columns(
    feature: CategoricalFeature, ids: np.ndarray, num_rows: int, pool: Executor
) -> SparseColumns:
    # As in FeatureEmbedding: an id that no feature has counts as a missing value, and so does a
    # list without any value.
    ids = np.where((ids >= 0) & (ids < feature.num_ids), ids, 0)
    if feature.num_values == 1:
        return SparseColumns(None, ids[:, 0], feature.num_ids, None, num_rows, pool)
    is_used = ids > 0
    is_used[:, 0] |= ~is_used.any(axis=1)
    rows, places = np.nonzero(is_used)
    shares = (1.0 / is_used.sum(axis=1))[rows]
    # A value that a list has twice counts twice.
    keys, entries = np.unique(rows * feature.num_ids + ids[rows, places], return_inverse=True)
    x = np.bincount(entries, weights=shares)
    rows, columns = np.divmod(keys, feature.num_ids)
    return ListColumns(rows.astype(np.int32), columns, feature.num_ids, x, num_rows)
