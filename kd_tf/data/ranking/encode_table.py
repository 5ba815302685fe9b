"""Encodes the rows of a `RawTable` by a schema: every distinct value once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kd_tf.data.ranking.raw_table import RawColumn, number_combinations
from kd_tf.runtime.features.buckets import BucketFeature
from kd_tf.runtime.features.columns import Column
from kd_tf.runtime.features.crossed import CrossFeature
from kd_tf.runtime.features.schema import FeatureSchema, IdFeature

_CHUNK = 1 << 18


def encode_table(
    schema: FeatureSchema,
    columns: Mapping[str, RawColumn],
    seconds: Mapping[str, np.ndarray],
    rows: Mapping[str, np.ndarray],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Encodes rows; the result is that of `FeatureSchema.encode` on their raw values.

    Args:
        schema: The schema.
        columns: The columns of the table.
        seconds: For each column of times float64 [d + 1]: the Unix seconds of its distinct texts,
            and NaN for a missing one.
        rows: Name of a part -> int64 [n], its rows.

    Returns:
        For each part ids, int32 [n, F], and numbers, float32 [n, G].
    """
    layout = schema.layout
    parts = {
        name: (
            np.empty((len(part), layout.num_places), np.int32),
            np.empty((len(part), layout.num_numeric), np.float32),
        )
        for name, part in rows.items()
    }
    by_name = {column.name: column for column in schema.columns}
    place = 0
    for feature in schema.categorical:
        end = place + feature.num_values
        if isinstance(feature, CrossFeature):
            table, codes = _encode_cross(feature, [columns[name] for name in feature.columns])
        else:
            column = columns[feature.column]
            if isinstance(feature, BucketFeature) and column.codes is None:
                numbers = column.read_numbers()
                for name, part in rows.items():
                    parts[name][0][:, place:end] = feature.encode(numbers[part])
                place = end
                continue
            column = column.as_codes
            assert column.codes is not None
            codes = column.codes
            table = _encode_distinct(feature, by_name[feature.column], column, seconds, schema)
        for name, part in rows.items():
            parts[name][0][:, place:end] = table[codes[part]]
        place = end
    for index, number_feature in enumerate(schema.numeric):
        numbers = columns[number_feature.column].read_numbers()
        for name, part in rows.items():
            parts[name][1][:, index] = number_feature.encode(numbers[part])
    return parts


def _encode_distinct(
    feature: IdFeature,
    spec: Column,
    column: RawColumn,
    seconds: Mapping[str, np.ndarray],
    schema: FeatureSchema,
) -> np.ndarray:
    """Encodes the distinct texts of a column and, at the end, a missing one: int32 [d + 1, w]."""
    if spec.type == "number":
        return feature.encode(np.append(column.text_numbers, np.nan))
    if spec.type == "date":
        return feature.encode(seconds[column.name])
    table = np.zeros((len(column.texts) + 1, feature.num_values), np.int32)
    for begin in range(0, len(column.texts), _CHUNK):
        texts = column.texts.slice(begin, _CHUNK).to_list()
        values: Any = spec.read(texts, schema.missing_texts) if spec.type == "list" else texts
        table[begin : begin + len(texts)] = feature.encode(values)
    return table


def _encode_cross(feature: CrossFeature, columns: list[RawColumn]) -> tuple[np.ndarray, np.ndarray]:
    """Encodes the distinct combinations of columns: int32 [d, 1], and the code of each row."""
    combinations, codes = number_combinations(columns)
    table = np.zeros((len(combinations[0]), 1), np.int32)
    for begin in range(0, len(table), _CHUNK):
        values = [texts.slice(begin, _CHUNK).to_list() for texts in combinations]
        table[begin : begin + _CHUNK] = feature.encode(*values)
    return table, codes
