"""Accuracy, precision, recall and F1 at a threshold, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from kd_tf.evaluation.metrics.classification import (
    DEFAULT_THRESHOLD,
    choose_threshold,
    compute_classification_metrics,
)

TIED = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
ROWS = st.integers(1, 30).flatmap(
    lambda size: st.tuples(
        arrays(np.float32, size, elements=st.sampled_from([0.0, 1.0])),
        arrays(np.float32, size, elements=TIED),
    )
)


@given(ROWS, TIED)
def test_they_are_those_of_scikit_learn(rows, threshold: float) -> None:
    labels, predictions = rows
    actual = compute_classification_metrics(labels, predictions, threshold)
    is_predicted = predictions >= threshold
    assert actual == pytest.approx(
        {
            "accuracy": accuracy_score(labels, is_predicted),
            "precision": precision_score(labels, is_predicted, zero_division=0),
            "recall": recall_score(labels, is_predicted, zero_division=0),
            "f1": f1_score(labels, is_predicted, zero_division=0),
        }
    )


@given(ROWS)
def test_no_threshold_has_a_better_f1_than_the_chosen_one(rows) -> None:
    labels, predictions = rows
    threshold = choose_threshold(labels, predictions)
    assert 0 <= threshold <= 1
    best = compute_classification_metrics(labels, predictions, threshold)["f1"]
    for other in np.linspace(0, 1, 41):
        f1 = compute_classification_metrics(labels, predictions, other)["f1"]
        assert f1 <= best
        if other > threshold and np.any((predictions >= threshold) & (predictions < other)):
            assert f1 < best or best == 0  # of equally good ones it is the highest


def test_a_prediction_that_rounding_moves_stays_on_its_side() -> None:
    labels, predictions = np.array([0, 1, 1, 0]), np.array([0.2, 0.4, 0.6, 0.1], np.float32)
    assert choose_threshold(labels, predictions) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("labels", "threshold"), [([0, 0, 0], DEFAULT_THRESHOLD), ([1, 1, 1], 0.0), ([], 0.5)]
)
def test_one_class_has_a_documented_threshold(labels: list[int], threshold: float) -> None:
    predictions = np.array([0.1, 0.6, 0.9][: len(labels)])
    assert choose_threshold(np.array(labels), predictions) == threshold
