"""The validation metric rises with better predictions and lies between 0 and 1."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kd_tf.data.ranking.examples import Label
from kd_tf.evaluation.prediction_validation import PredictionValidation

CLICK = Label("clicked", "click")
STARS = Label("stars", "rating", low=1.0, high=5.0)


def test_clicks_are_validated_by_their_auc(make_examples) -> None:
    random = np.random.default_rng(0)
    labels, predictions = random.integers(0, 2, 100), random.random(100)
    validate = PredictionValidation(make_examples(labels), CLICK)
    assert validate(lambda examples: predictions) == pytest.approx(
        roc_auc_score(labels, predictions)
    )


@pytest.mark.parametrize(("labels", "label"), [([1, 1, 1], CLICK), ([1, 0.5, 0.75], STARS)])
def test_without_an_auc_better_predictions_score_higher_too(make_examples, labels, label) -> None:
    validate = PredictionValidation(make_examples(labels), label)
    worse, better = (
        validate.evaluate_predictions(np.asarray(labels) * scale) for scale in (0.5, 0.9)
    )
    assert 0 < worse < better < 1


def test_of_many_rows_the_same_sample_is_taken_every_time(make_examples) -> None:
    examples = make_examples(np.arange(1000) % 2)
    samples = [PredictionValidation(examples, CLICK, max_rows=50).examples.labels for _ in range(2)]
    assert len(samples[0]) == 50
    assert 0 < samples[0].mean() < 1
    np.testing.assert_array_equal(*samples)


def test_without_rows_the_score_is_0(make_examples) -> None:
    assert PredictionValidation(make_examples([]), CLICK)(lambda examples: np.empty(0)) == 0
