"""One-hot rows, by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kd_tf.baselines.ranking.one_hot import encode_one_hot
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout

LAYOUT = FeatureLayout(
    (CategoricalFeature("a", 3), CategoricalFeature("b", 4, 3), CategoricalFeature("c", 2)), ("n",)
)


@given(
    st.integers(0, 6).flatmap(
        lambda n: st.tuples(
            arrays(np.int32, (n, 1), elements=st.integers(0, 2)),
            arrays(np.int32, (n, 3), elements=st.integers(0, 3)),
            arrays(np.int32, (n, 1), elements=st.integers(0, 1)),
            arrays(np.float32, (n, 1), elements=st.floats(-2, 2, width=32)),
        )
    )
)
def test_each_row_has_its_ids_and_numbers(parts) -> None:
    a, b, c, numbers = parts
    expected = np.zeros((len(a), 10))
    for row in range(len(a)):
        expected[row, a[row, 0]] = 1
        values = [value for value in b[row] if value]
        for value in values:
            expected[row, 3 + value] += 1 / len(values)
        expected[row, 7 + c[row, 0]] = 1
        expected[row, 9] = numbers[row, 0]
    examples = RankingExamples(
        LAYOUT, np.concatenate([a, b, c], axis=1), numbers, np.zeros(len(a), np.float32)
    )
    np.testing.assert_allclose(encode_one_hot(examples).toarray(), expected, rtol=1e-6)


def test_a_layout_without_features_has_no_columns() -> None:
    examples = RankingExamples(
        FeatureLayout((), ()),
        np.empty((2, 0), np.int32),
        np.empty((2, 0), np.float32),
        np.zeros(2, np.float32),
    )
    assert encode_one_hot(examples).shape == (2, 0)
