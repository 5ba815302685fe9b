"""Takes interactions that are already in memory as a pandas DataFrame, for notebooks."""

from __future__ import annotations

import pandas as pd
import polars as pl

from kd_tf.data.catalog import COLUMNS
from kd_tf.data.dataset import Dataset, from_frame
from kd_tf.data.isbn import normalize_isbn
from kd_tf.errors import UserError


def read_dataframe(
    interactions: pd.DataFrame, items: pd.DataFrame | None = None, *, name: str = "dataframe"
) -> Dataset:
    """Converts a DataFrame of interactions and, optionally, one of items to a data set.

    Args:
        interactions: Columns ``user`` and ``item`` (any type, converted to text), optionally
            ``rating`` (numbers) and ``timestamp`` (datetimes, or numbers: seconds since 1970).
        items: Column ``item_id``, optionally any other column of `kd_tf.data.catalog.COLUMNS`.
        name: The name of the data set.

    Raises:
        UserError: A column is missing or unknown, or a value is missing; the message names its row.

    Example:
        >>> interactions = pd.DataFrame({"user": ["ann", "bob", "bob"], "item": [7, 7, 9]})
        >>> dataset = read_dataframe(interactions)
        >>> dataset.interactions.num_items, dataset.catalog.item_ids
        (2, ['7', '9'])
    """
    _check_columns(interactions, {"user", "item"}, {"rating", "timestamp"}, "interactions")
    columns = {}
    for column in interactions.columns:
        values = interactions[column]
        if values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise UserError(
                f"{column} is missing",
                where=f"interactions, row {row}",
                hint="Drop such rows first: interactions.dropna().",
            )
        if column in ("user", "item"):
            columns[column] = pl.Series(values.astype(str).tolist(), dtype=pl.String)
        elif column == "timestamp" and pd.api.types.is_datetime64_any_dtype(values):
            seconds = (values - pd.Timestamp(0, tz=values.dt.tz)) // pd.Timedelta(seconds=1)
            columns[column] = pl.Series(seconds.tolist(), dtype=pl.Int64)
        else:
            numbers = pd.to_numeric(values, errors="coerce")
            if numbers.isna().any():
                row = int(numbers.isna().to_numpy().argmax())
                raise UserError(
                    f"{column} is {values.iloc[row]!r}, which is not a number",
                    where=f"interactions, row {row}",
                )
            columns[column] = pl.Series(
                numbers.tolist(), dtype=pl.Int64 if column == "timestamp" else pl.Float64
            )
    catalog = None
    if items is not None:
        _check_columns(items, {"item_id"}, set(COLUMNS) - {"item_id"}, "items")
        catalog = pl.DataFrame(
            {
                column: pl.Series(
                    [
                        None if pd.isna(value) else int(value) if column == "year" else str(value)
                        for value in items[column]
                    ],
                    dtype=COLUMNS[column],
                )
                for column in items.columns
            }
        )
        if "isbn" in catalog.columns:
            catalog = catalog.with_columns(normalize_isbn(catalog["isbn"]))
    return from_frame(name, pl.DataFrame(columns), catalog)


def _check_columns(
    frame: pd.DataFrame, needed_columns: set[str], optional: set[str], name: str
) -> None:
    """Raises an error if a column is missing or unknown."""
    missing = sorted(needed_columns - set(frame.columns))
    unknown = sorted(set(map(str, frame.columns)) - needed_columns - optional)
    if missing or unknown:
        raise UserError(
            f"{name} needs the columns {sorted(needed_columns)} and may have {sorted(optional)}; "
            f"missing: {missing}, unknown: {unknown}",
            hint="Rename or drop columns first: frame.rename(columns={...}), frame[[...]].",
        )
