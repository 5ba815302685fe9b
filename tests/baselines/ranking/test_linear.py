"""Linear baselines against scikit-learn on a dense table."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from kd_tf.baselines.ranking import linear
from kd_tf.baselines.ranking.one_hot import encode_one_hot
from kd_tf.data.ranking.examples import Label, RankingSplit


def test_logistic_regression_is_that_of_a_dense_table(
    clicks: RankingSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "INVERSE_REGULARIZATIONS", (0.3,))
    monkeypatch.setattr(linear, "ROWS_AT_ONCE", 700)
    table = encode_one_hot(clicks.train).toarray().astype(np.float64)
    model = LogisticRegression(C=0.3, tol=1e-8, max_iter=2000).fit(table, clicks.train.labels)
    expected = model.predict_proba(encode_one_hot(clicks.test).toarray())[:, 1]
    actual = linear.fit_logistic_regression(clicks).predict(clicks.test)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-3)


def test_ridge_regression_is_that_of_a_dense_table(
    ratings: RankingSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "RIDGE_PENALTIES", (3.0,))
    table = encode_one_hot(ratings.train).toarray().astype(np.float64)
    model = Ridge(alpha=3.0, solver="cholesky").fit(table, ratings.train.labels)
    expected = np.clip(model.predict(encode_one_hot(ratings.test).toarray()), 0, 1)
    actual = linear.fit_ridge_regression(ratings).predict(ratings.test)
    np.testing.assert_allclose(actual, expected, atol=2e-3)


def test_ids_of_few_among_many_rows_are_learned(make_split) -> None:
    # 40 of 40,000 rows have an id of their own, and all of them are clicks.
    random = np.random.default_rng(3)
    user = np.where(np.arange(40_000) % 1000 == 0, 3, 2)
    labels = (random.random(40_000) < 0.3) | (user == 3)
    split = make_split(Label("clicked", "click"), labels, {"user": user})
    predictions = linear.fit_logistic_regression(split).predict(split.test)
    assert predictions[split.test.categorical[:, 0] == 3].min() > 0.85


def test_validation_rows_choose_the_regularization(
    clicks: RankingSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {}
    for setting in linear.INVERSE_REGULARIZATIONS:
        with monkeypatch.context() as patch:
            patch.setattr(linear, "INVERSE_REGULARIZATIONS", (setting,))
            model = linear.fit_logistic_regression(clicks)
        losses[setting] = log_loss(clicks.validation.labels, model.predict(clicks.validation))
    model = linear.fit_logistic_regression(clicks)
    actual = log_loss(clicks.validation.labels, model.predict(clicks.validation))
    assert actual == pytest.approx(min(losses.values()), abs=1e-4)
    assert min(losses.values()) < min(losses[0.03], losses[3.0]) - 1e-3
