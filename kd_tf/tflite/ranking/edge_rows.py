"""Rows that real data seldom has, on which a file must answer as its student too."""

from __future__ import annotations

import numpy as np

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.runtime.features.layout import FeatureLayout


def make_edge_rows(layout: FeatureLayout, examples: RankingExamples) -> RankingExamples:
    """Makes rows that real data seldom has.

    Args:
        layout: The features of the rows.
        examples: Real rows: their first one fills the places that an edge case leaves open, and
            their smallest and largest numbers come together.
    """
    sizes = np.array([layout.categorical[index].num_ids for index in layout.feature_of_place])
    numbers = np.asarray(examples.numeric[:10_000], np.float32)
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    zero_ids, zero_numbers = np.zeros(len(sizes), np.int64), np.zeros_like(low)
    first_ids = np.asarray(examples.categorical[0], np.int64)
    int32 = np.iinfo(np.int32)
    rows = [
        (zero_ids, zero_numbers),
        (np.minimum(1, sizes - 1), low),
        (sizes - 1, high),
        (first_ids, low),
        (first_ids, high),
        *((np.full(len(sizes), value), zero_numbers) for value in (-1, int32.min, int32.max)),
        (sizes, zero_numbers),
    ]
    for place, size in enumerate(sizes):
        for value in (0, 1, size - 1, size, -1):
            ids = first_ids.copy()
            ids[place] = value
            rows.append((ids, numbers[0]))
    categorical = np.stack([ids for ids, _ in rows]).astype(np.int32)
    numeric = np.stack([values for _, values in rows]).astype(np.float32)
    return RankingExamples(layout, categorical, numeric, np.zeros(len(rows), np.float32))
