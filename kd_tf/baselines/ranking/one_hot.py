"""Encodes rows as a sparse matrix with one column per id and per number."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.runtime.features.layout import MISSING_ID


def encode_one_hot(examples: RankingExamples) -> sparse.csr_matrix:
    """Encodes each id as a column that is 1 in its rows, beside the numbers.

    The values of a list, such as the genres of a book, have 1 over the number of values, and
    unused places nothing. A missing value is an id like any other where a feature has one value.

    Args:
        examples: n rows.

    Returns:
        float32 [n, number of ids + G].

    Example:
        >>> from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout
        >>> features = CategoricalFeature("device", 3), CategoricalFeature("genres", 4, 2)
        >>> examples = RankingExamples(
        ...     FeatureLayout(features, ("price",)),
        ...     np.array([[2, 2, 3], [0, 3, 0]], np.int32),
        ...     np.array([[0.5], [-1]], np.float32),
        ...     np.zeros(2, np.float32),
        ... )
        >>> encode_one_hot(examples).toarray()
        array([[ 0. ,  0. ,  1. ,  0. ,  0. ,  0.5,  0.5,  0.5],
               [ 1. ,  0. ,  0. ,  0. ,  0. ,  0. ,  1. , -1. ]], dtype=float32)
    """
    layout, num_rows = examples.layout, len(examples)
    width = layout.num_places + layout.num_numeric
    columns = np.empty((num_rows, width), np.int32)
    values = np.ones((num_rows, width), np.float32)
    columns[:, : layout.num_places] = examples.categorical + np.array(layout.id_offsets, np.int32)
    columns[:, layout.num_places :] = layout.num_ids + np.arange(layout.num_numeric)
    values[:, layout.num_places :] = examples.numeric
    start = 0
    for feature in layout.categorical:
        places = slice(start, start + feature.num_values)
        if feature.num_values > 1:
            is_value = examples.categorical[:, places] != MISSING_ID
            counts = np.maximum(is_value.sum(axis=1, keepdims=True), 1)
            values[:, places] = is_value / counts
        start += feature.num_values
    row_starts = np.arange(num_rows + 1) * width
    matrix = sparse.csr_matrix(
        (values.ravel(), columns.ravel(), row_starts),
        shape=(num_rows, layout.num_ids + layout.num_numeric),
    )
    matrix.eliminate_zeros()
    return matrix
