"""Examples of the ranking task, encoded for models: features in, a label to predict."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kd_tf.data.ranking.column_types import ColumnSummary
from kd_tf.runtime.features.label import Label as Label
from kd_tf.runtime.features.layout import FeatureLayout
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValues

if TYPE_CHECKING:
    import polars as pl

    from kd_tf.data.ranking.row_texts import RowTexts


@dataclass(frozen=True, eq=False)
class RankingExamples:
    """Encoded rows with their labels. The arrays may be memory-mapped.

    Attributes:
        layout: Which columns belong to which feature.
        categorical: int32 [n, F], the ids of each row.
        numeric: float32 [n, G], scaled numbers.
        labels: float32 [n], 0 to 1; see `Label`.
        users: int32 [n], the user of each row for metrics per user, or None where no column has
            the user. Not an input of models.
        items: int32 [n], the item of each row, for metrics of items that training has not; None
            where no column has the item. Not an input of models.
        text_ids: int32 [n], the place of each row's text in `RankingSplit.texts`, -1 where it has
            none; None without columns of texts.
        texts: What the texts say, as vectors (`kd_tf.data.ranking.encode_texts`); for teachers
            alone.
    """

    layout: FeatureLayout
    categorical: np.ndarray
    numeric: np.ndarray
    labels: np.ndarray
    users: np.ndarray | None = None
    items: np.ndarray | None = None
    text_ids: np.ndarray | None = None
    texts: RowTexts | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> RankingExamples:
        """Returns some of the rows."""
        return dataclasses.replace(
            self,
            categorical=self.categorical[rows],
            numeric=self.numeric[rows],
            labels=self.labels[rows],
            users=take_rows(self.users, rows),
            items=take_rows(self.items, rows),
            text_ids=take_rows(self.text_ids, rows),
            texts=None if self.texts is None else self.texts.take(rows),
        )

    def append(self, other: RankingExamples) -> RankingExamples:
        """Returns these rows and then those of other examples, without their users and items."""
        texts = None
        if self.texts is not None and other.texts is not None:
            texts = self.texts.append(other.texts)
        return RankingExamples(
            self.layout,
            np.concatenate([self.categorical, other.categorical]),
            np.concatenate([self.numeric, other.numeric]),
            np.concatenate([self.labels, other.labels]),
            texts=texts,
        )

    def select_features(self, layout: FeatureLayout) -> RankingExamples:
        """Returns the rows with some of their features.

        Args:
            layout: The features, in any order.

        Raises:
            ValueError: The rows lack one of them.
        """
        if layout == self.layout:
            return self
        places = self.layout.find_places(layout)
        return dataclasses.replace(
            self,
            layout=layout,
            categorical=self.categorical[:, places[0]],
            numeric=self.numeric[:, places[1]],
        )


def take_rows(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Returns some of the values of an array that may not be known."""
    return None if values is None else values[rows]


@dataclass(frozen=True, eq=False)
class RankingSplit:
    """Rows for training, validation and test.

    Attributes:
        name: Name of the data set.
        protocol: How the rows were split, such as ``random``.
        seed: Seed of the split.
        label: What is predicted.
        train: Training rows. Vocabularies and scales were fitted on these alone.
        validation: Rows on which everything is chosen.
        test: Rows that choose nothing.
        schema: How raw rows are encoded, fitted on the training rows; None where the examples were
            not made of a table.
        columns: What each column of the table was taken for, and why.
        user: Column of the users, or None.
        item: Column of the items, or None.
        item_columns: Columns that belong to the item, itself included: each item has one value.
        notes: Notes for the user, one sentence each.
        item_values: What the model takes of each item; None without a column of items.
        texts: String [d], the distinct texts of all rows; None without columns of texts.
    """

    name: str
    protocol: str
    seed: int
    label: Label
    train: RankingExamples
    validation: RankingExamples
    test: RankingExamples
    schema: FeatureSchema | None = None
    columns: tuple[ColumnSummary, ...] = ()
    user: str | None = None
    item: str | None = None
    item_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    item_values: ItemValues | None = None
    texts: pl.Series | None = None

    @property
    def is_cold(self) -> np.ndarray | None:
        """Which test rows are of items that training has not, bool [n]; None without items."""
        if self.test.items is None or self.train.items is None:
            return None
        return (self.test.items >= 0) & ~np.isin(self.test.items, self.train.items)
