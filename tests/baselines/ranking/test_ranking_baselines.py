"""All baselines of the ranking task: probabilities, seeds, progress and errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from kd_tf.baselines.ranking import RANKING_BASELINES, list_ranking_baselines
from kd_tf.data.ranking.examples import Label, RankingSplit
from kd_tf.errors import UserError
from kd_tf.evaluation.prediction_validation import PredictionValidation
from kd_tf.progress import Advance, NullProgress

CLICK = Label("clicked", "click")
STARS = Label("stars", "rating", low=1.0, high=5.0)

CASES = [
    *(("clicks", name) for name in ("prior", "logistic-regression", "gradient-boosted-trees")),
    *(("ratings", name) for name in ("prior", "biases", "ridge-regression")),
    ("ratings", "gradient-boosted-trees"),
]


class Recorder(NullProgress):
    """Counts the steps that are announced and done."""

    def __init__(self) -> None:
        self.total = self.done = 0

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        self.total += total

        def advance(steps: int = 1, note: str = "") -> None:
            self.done += steps

        yield advance


def test_each_kind_of_label_has_its_baselines(
    clicks: RankingSplit, ratings: RankingSplit, make_split
) -> None:
    assert list_ranking_baselines(clicks) == [name for kind, name in CASES if kind == "clicks"]
    assert list_ranking_baselines(ratings) == [name for kind, name in CASES if kind == "ratings"]
    without_users = make_split(STARS, np.arange(10) / 9, {"item": np.arange(10) + 2})
    assert "biases" not in list_ranking_baselines(without_users)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_every_baseline_predicts_better_than_the_prior_and_the_same_every_time(
    kind: str, name: str, request: pytest.FixtureRequest
) -> None:
    split: RankingSplit = request.getfixturevalue(kind)
    recorder = Recorder()
    baseline = RANKING_BASELINES[name](split, recorder)
    assert recorder.done == recorder.total
    assert baseline.name == name
    assert 0 < baseline.num_parameters <= baseline.num_bytes
    predictions = baseline.predict(split.test)
    assert (predictions.shape, predictions.dtype) == ((len(split.test),), np.float32)
    assert predictions.min() >= 0
    assert predictions.max() <= 1
    again = RANKING_BASELINES[name](split, NullProgress())
    np.testing.assert_array_equal(again.predict(split.test), predictions)
    if name == "prior":
        assert predictions == pytest.approx(split.train.labels.mean())
    else:
        prior = RANKING_BASELINES["prior"](split, NullProgress())
        validate = PredictionValidation(split.test, split.label)
        assert validate(baseline.predict) > validate(prior.predict) + 0.05


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_without_validation_rows_and_with_unseen_ids_there_are_predictions(
    kind: str, name: str, make_split
) -> None:
    label = CLICK if kind == "clicks" else STARS
    random = np.random.default_rng(2)
    ids = {"a": np.repeat([2, 3], [60, 40]), "b": random.integers(2, 300, 100)}
    users = np.repeat(np.arange(50), 2)
    split = make_split(
        label, random.integers(0, 2, 100), ids, None, users, {"a": 5, "b": 301}, validates=False
    )
    predictions = RANKING_BASELINES[name](split, NullProgress()).predict(split.test)
    assert np.isfinite(predictions).all()
    assert RANKING_BASELINES[name](split, NullProgress()).predict(split.validation).shape == (0,)


@pytest.mark.parametrize(
    "name", ["biases", "logistic-regression", "ridge-regression", "gradient-boosted-trees"]
)
def test_one_class_only_is_refused_with_its_value(name: str, make_split) -> None:
    split = make_split(STARS, np.ones(10), {"item": np.arange(10) + 2}, None, np.arange(10) // 5)
    with pytest.raises(UserError, match="all training rows have stars = 5: there is nothing"):
        RANKING_BASELINES[name](split, NullProgress())
