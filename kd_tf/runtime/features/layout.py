"""The form of encoded rows: which columns of the two arrays belong to which feature."""

from __future__ import annotations

from dataclasses import dataclass

MISSING_ID = 0
"""Id of a missing value in every categorical feature; also fills unused places of lists."""

UNKNOWN_ID = 1
"""Id of a value that training has not seen, in every categorical feature with a vocabulary."""


@dataclass(frozen=True)
class CategoricalFeature:
    """A categorical feature of an encoded row.

    Attributes:
        name: Name of the feature.
        num_ids: Number of ids: 0 (`MISSING_ID`), 1 (`UNKNOWN_ID`) and one per value or bucket.
        num_values: Number of places in a row: 1, or more where a row has a list of values, such as
            the genres of a book. Unused places are 0 and come last.
    """

    name: str
    num_ids: int
    num_values: int = 1


@dataclass(frozen=True)
class FeatureLayout:
    """The form of rows as models take them: categorical int32 [n, F] and numeric float32 [n, G].

    Attributes:
        categorical: The categorical features, in the order of their columns.
        numeric: Names of the numeric features, in the order of their columns.

    Example:
        >>> layout = FeatureLayout(
        ...     (CategoricalFeature("user", 100), CategoricalFeature("genres", 20, num_values=3)),
        ...     ("price",),
        ... )
        >>> layout.num_places, layout.num_numeric, layout.num_ids
        (4, 1, 120)
        >>> layout.feature_of_place
        (0, 1, 1, 1)
    """

    categorical: tuple[CategoricalFeature, ...]
    numeric: tuple[str, ...]

    @property
    def num_places(self) -> int:
        """F, the number of categorical columns."""
        return sum(feature.num_values for feature in self.categorical)

    @property
    def num_numeric(self) -> int:
        """G, the number of numeric columns."""
        return len(self.numeric)

    @property
    def num_ids(self) -> int:
        """Number of ids of all categorical features together: the rows of one common table."""
        return sum(feature.num_ids for feature in self.categorical)

    @property
    def feature_of_place(self) -> tuple[int, ...]:
        """For each of the F columns the index of its feature."""
        return tuple(
            index
            for index, feature in enumerate(self.categorical)
            for _ in range(feature.num_values)
        )

    def find_places(self, layout: FeatureLayout) -> tuple[list[int], list[int]]:
        """Finds the columns of the features of another layout.

        Args:
            layout: Some of the features.

        Returns:
            Places among the F categorical and among the G numeric columns, in the order of
            `layout`.

        Raises:
            ValueError: A feature is not among these.

        Example:
            >>> genres = CategoricalFeature("genres", 20, num_values=2)
            >>> layout = FeatureLayout((CategoricalFeature("user", 9), genres), ("price", "age"))
            >>> layout.find_places(FeatureLayout((genres,), ("age",)))
            ([1, 2], [1])
        """
        places: dict[CategoricalFeature, list[int]] = {}
        for place, index in enumerate(self.feature_of_place):
            places.setdefault(self.categorical[index], []).append(place)
        absent = [feature.name for feature in layout.categorical if feature not in places]
        absent += [name for name in layout.numeric if name not in self.numeric]
        if absent:
            raise ValueError(f"the rows lack the feature {absent[0]!r}")
        return (
            [place for feature in layout.categorical for place in places[feature]],
            [self.numeric.index(name) for name in layout.numeric],
        )

    @property
    def id_offsets(self) -> tuple[int, ...]:
        """For each of the F columns the row of its id 0 in one common table."""
        offsets, total = [], 0
        for feature in self.categorical:
            offsets += [total] * feature.num_values
            total += feature.num_ids
        return tuple(offsets)
