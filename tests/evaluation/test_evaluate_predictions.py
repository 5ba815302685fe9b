"""Metrics of predictions of clicks and ratings, with their intervals."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from kd_tf.data.ranking.examples import Label
from kd_tf.evaluation.evaluate_predictions import choose_click_threshold, evaluate_predictions

CLICK = Label("clicked", "click")
STARS = Label("stars", "rating", low=1.0, high=5.0)


def test_clicks_have_the_metrics_of_the_results(make_examples) -> None:
    random = np.random.default_rng(0)
    predictions = random.random(500).astype(np.float32)
    labels, users = random.random(500) < predictions, random.integers(0, 40, 500)
    evaluation = evaluate_predictions(
        predictions, make_examples(labels, users), CLICK, threshold=0.4
    )
    assert set(evaluation.metrics) == {
        *("auc", "gauc", "log_loss", "accuracy", "precision", "recall", "f1"),
        "calibration_error",
    }
    assert evaluation.metrics["auc"] == pytest.approx(roc_auc_score(labels, predictions))
    assert evaluation.metrics["log_loss"] == pytest.approx(log_loss(labels, predictions))
    assert (evaluation.num_rows, evaluation.num_users, evaluation.threshold) == (500, 40, 0.4)
    assert set(evaluation.intervals) == set(evaluation.metrics) - {"calibration_error"}
    for name, (low, high) in evaluation.intervals.items():
        assert low < evaluation.metrics[name] < high, name
    assert evaluation.reliability is not None
    assert evaluation.reliability.num_rows.sum() == 500


def test_ratings_have_errors_in_their_own_units_and_no_metrics_of_clicks(make_examples) -> None:
    labels = STARS.scale(np.array([1.0, 3, 5, 4]))
    predictions = STARS.scale(np.array([2.0, 3, 4, 2]))
    evaluation = evaluate_predictions(predictions, make_examples(labels), STARS)
    assert evaluation.metrics == pytest.approx({"rmse": np.sqrt(6 / 4), "mae": 1.0})
    assert set(evaluation.intervals) == {"rmse", "mae"}
    assert (evaluation.threshold, evaluation.reliability) == (None, None)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_auc_and_everything_else(make_examples, label: float) -> None:
    examples = make_examples(np.full(5, label), np.arange(5))
    evaluation = evaluate_predictions(np.linspace(0.1, 0.9, 5), examples, CLICK)
    assert not {"auc", "gauc"} & (set(evaluation.metrics) | set(evaluation.intervals))
    assert np.isfinite(list(evaluation.metrics.values())).all()


def test_one_user_has_no_intervals(make_examples) -> None:
    examples = make_examples([0, 1, 1], [7, 7, 7])
    evaluation = evaluate_predictions(np.array([0.1, 0.2, 0.3]), examples, CLICK)
    assert evaluation.metrics["gauc"] == 1
    assert evaluation.intervals == {}


def test_the_threshold_comes_from_validation_rows(make_examples) -> None:
    validation = make_examples([0, 1, 1])
    predictions = np.array([0.1, 0.2, 0.3], np.float32)
    assert choose_click_threshold(predictions, validation, CLICK) == pytest.approx(0.15)
    assert choose_click_threshold(predictions, validation, STARS) == 0.5
    assert choose_click_threshold(predictions[:0], make_examples([]), CLICK) == 0.5


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([0.1], [0, 1], "2 rows need one prediction each"),
        ([[0.1], [0.2]], [0, 1], r"\[2, 1\]"),
        ([], [], "no rows"),
        ([0.1, np.nan], [0, 1], "prediction of row 1 is nan"),
        ([1.5, 0.5], [0, 1], "prediction of row 0 is 1.5"),
        ([0.5, 0.5], [0, np.nan], "label of row 1 is nan"),
        ([0.5, 0.5], [0, 0.25], "'clicked' of row 1 is 0.25"),
    ],
)
def test_what_cannot_be_compared_is_refused(make_examples, predictions, labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_predictions(np.array(predictions), make_examples(labels), CLICK)
