"""What `kd-tf data --task ranking` shows of a table."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FeatureResult:
    """A feature that models see.

    Attributes:
        name: Name of the feature.
        kind: How it is encoded, as in features.json: ``vocabulary``, ``hash``, ``bucket``,
            ``date``, ``cross``, ``scaled`` or ``missing``.
        ids: Number of ids, with the two for missing and unknown values; None of a number.
        places: Number of places in an encoded row.
        unknown_share: Of a vocabulary, the share of the values of test rows that it lacks.
    """

    name: str
    kind: str
    ids: int | None
    places: int
    unknown_share: float | None


@dataclass(frozen=True)
class ColumnResult:
    """A column of the table.

    Attributes:
        name: Its name.
        kind: What it was taken for.
        reason: Why.
        values: Number of distinct values in the training rows.
        missing_share: Share of the training rows without a value.
        examples: Its most frequent values.
        features: What is made of it.
    """

    name: str
    kind: str
    reason: str
    values: int
    missing_share: float
    examples: list[str]
    features: list[FeatureResult]


@dataclass(frozen=True)
class PartResult:
    """A part of the split.

    Attributes:
        rows: Number of rows.
        users: Number of users; None where no column has them.
        positive_share: Share of clicks; None for ratings.
    """

    rows: int
    users: int | None
    positive_share: float | None


@dataclass(frozen=True)
class RankingDataSummary:
    """The table of the ranking task, its columns and its split.

    Attributes:
        name: Name of the data set.
        label: Name, kind (``click`` or ``rating``), lowest and highest value of the label.
        protocol: Split protocol, for example ``random``.
        seed: Random seed of the split.
        parts: ``train``, ``validation`` and ``test``.
        columns: What became of every column.
        crosses: The features of several columns.
        places: F, the number of ids of an encoded row.
        numbers: G, its number of numbers.
        notes: Notes on the data, one sentence each, such as on columns that tell the label.
    """

    name: str
    label: dict[str, Any]
    protocol: str
    seed: int
    parts: dict[str, PartResult]
    columns: list[ColumnResult]
    crosses: list[FeatureResult]
    places: int
    numbers: int
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """Converts the summary to a dictionary for JSON, with the field names as keys."""
        return dataclasses.asdict(self)
