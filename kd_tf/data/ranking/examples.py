"""Examples of the ranking task, encoded for models: features in, a label to predict."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from kd_tf.data.ranking.column_types import ColumnSummary
from kd_tf.runtime.features.label import Label as Label
from kd_tf.runtime.features.layout import FeatureLayout
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValues


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
    """

    layout: FeatureLayout
    categorical: np.ndarray
    numeric: np.ndarray
    labels: np.ndarray
    users: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> RankingExamples:
        """Returns some of the rows."""
        return dataclasses.replace(
            self,
            categorical=self.categorical[rows],
            numeric=self.numeric[rows],
            labels=self.labels[rows],
            users=None if self.users is None else self.users[rows],
        )

    def append(self, other: RankingExamples) -> RankingExamples:
        """Returns these rows and then those of other examples, without their users."""
        return RankingExamples(
            self.layout,
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in ("categorical", "numeric", "labels")
            ),
        )


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
        items: What the model takes of each item; None without a column of items.
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
    items: ItemValues | None = None
