"""Paired tests of predictions against SciPy, DeLong's formula and the rate of false alarms."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

from kd_tf.data.ranking.examples import Label
from kd_tf.evaluation.metrics.click_auc import compute_auc_per_user
from kd_tf.evaluation.prediction_significance import compare_folds, compare_predictions

CLICK = Label("clicked", "click")
STARS = Label("stars", "rating", low=1.0, high=5.0)


def squash(logits: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


@pytest.fixture(scope="module")
def clicks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and predictions of a poor and of a good model."""
    random = np.random.default_rng(0)
    logits = random.standard_normal(3000)
    labels = (random.random(3000) < squash(logits)).astype(np.float32)
    return labels, squash(logits + random.standard_normal(3000)), squash(logits)


def test_the_log_loss_of_rows_is_the_paired_t_test(make_examples, clicks) -> None:
    labels, poor, good = clicks
    actual = compare_predictions([poor], [good], make_examples(labels), CLICK, "log_loss")
    assert actual.difference == pytest.approx(
        log_loss(labels, poor) - log_loss(labels, good), rel=1e-5
    )
    losses = [-np.log(np.where(labels, p, 1 - p).astype(np.float64)) for p in (poor, good)]
    expected = stats.ttest_rel(*losses)
    assert actual.t_statistic == pytest.approx(expected.statistic, rel=1e-5)
    assert actual.p_value == pytest.approx(expected.pvalue, rel=1e-3)
    assert actual.num_users == 3000


def test_the_auc_of_rows_is_the_test_of_delong(make_examples, clicks) -> None:
    labels, poor, good = clicks
    actual = compare_predictions([poor], [good], make_examples(labels), CLICK, "auc")
    assert actual.difference == pytest.approx(
        roc_auc_score(labels, good) - roc_auc_score(labels, poor)
    )
    # The formula of DeLong et al. over all pairs, with the covariances of both models.
    positive, negative = labels == 1, labels == 0
    pairs = [np.heaviside(p[positive][:, None] - p[negative], 0.5) for p in (poor, good)]
    contrast = np.array([-1, 1])
    variance = sum(
        contrast
        @ np.cov([pair.mean(axis=axis) for pair in pairs])
        @ contrast
        / pairs[0].shape[side]
        for axis, side in ((1, 0), (0, 1))
    )
    assert actual.standard_error == pytest.approx(np.sqrt(variance), rel=1e-3)


@pytest.mark.parametrize("metric", ["auc", "gauc", "log_loss"])
def test_equal_models_are_told_apart_as_rarely_as_promised(make_examples, metric: str) -> None:
    """Users with a taste of their own: a test that took rows for independent would fail."""
    random = np.random.default_rng(1)
    p_values = []
    for _ in range(200):
        users = np.repeat(np.arange(40), 10)
        taste, noise, other_noise = random.standard_normal((3, 40))[:, users]
        labels = random.random(400) < squash(taste + random.standard_normal(400))
        examples = make_examples(labels, users)
        a, b = squash(taste + noise), squash(taste + other_noise)
        a, b = (squash(np.log(p / (1 - p)) + 0.3 * random.standard_normal(400)) for p in (a, b))
        p_values.append(compare_predictions([a], [b], examples, CLICK, metric).p_value)
    # Binomial(200, .05): more than 20 happens once in 700 times.
    assert np.sum(np.array(p_values) < 0.05) <= 20
    assert 0.35 < np.mean(p_values) < 0.65


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_errors_of_ratings_are_in_their_units_and_a_gain_is_above_0(
    make_examples, metric: str
) -> None:
    random = np.random.default_rng(2)
    labels = random.random(4000).astype(np.float32)
    near, far = (
        np.clip(labels + scale * random.standard_normal(4000), 0, 1).astype(np.float32)
        for scale in (0.1, 0.2)
    )
    actual = compare_predictions([far], [near], make_examples(labels), STARS, metric)
    if metric == "rmse":
        expected = 4 * np.subtract(*[np.sqrt(mean_squared_error(labels, p)) for p in (far, near)])
    else:
        expected = 4 * (np.abs(far - labels).mean() - np.abs(near - labels).mean())
    assert actual.difference == pytest.approx(expected, rel=1e-5)
    samples = []
    for _ in range(300):
        rows = random.integers(0, 4000, 4000)
        errors = [4 * np.abs(p[rows] - labels[rows]) for p in (far, near)]
        if metric == "rmse":
            errors = [np.square(error) for error in errors]
        far_error, near_error = (error.mean() for error in errors)
        power = 0.5 if metric == "rmse" else 1
        samples.append(far_error**power - near_error**power)
    assert actual.standard_error == pytest.approx(np.std(samples), rel=0.15)


def test_seeds_are_averaged_row_by_row(make_examples, clicks) -> None:
    labels, poor, good = clicks
    examples = make_examples(labels, np.arange(3000) // 3)
    both = compare_predictions([poor], [good, poor], examples, CLICK, "auc")
    alone = compare_predictions([poor], [good], examples, CLICK, "auc")
    assert both.difference == pytest.approx(alone.difference / 2)
    assert both.standard_error == pytest.approx(alone.standard_error / 2)
    assert both.num_users == 1000


def test_the_gauc_compares_the_means_over_users(make_examples, clicks) -> None:
    labels, poor, good = clicks
    users = np.arange(3000) // 20
    actual = compare_predictions([poor], [good], make_examples(labels, users), CLICK, "gauc")
    means = [compute_auc_per_user(labels, p, users).mean for p in (poor, good)]
    assert actual.difference == pytest.approx(means[1] - means[0])
    assert actual.p_value < 1e-3


def test_a_model_does_not_differ_from_itself(make_examples, clicks) -> None:
    labels, poor, _ = clicks
    actual = compare_predictions([poor], [poor], make_examples(labels), CLICK, "auc")
    assert (actual.difference, actual.standard_error, actual.p_value) == (0, 0, 1)


@pytest.mark.parametrize(
    ("labels", "users", "label", "metric", "message"),
    [
        ([0, 1], None, CLICK, "rmse", "a click is compared by auc, gauc, log_loss, not 'rmse'"),
        ([0, 1], None, STARS, "auc", "a rating is compared by"),
        ([1, 1], None, CLICK, "auc", "all labels are equal"),
        ([0, 1], None, CLICK, "gauc", "needs the user"),
        ([0, 1], [1, 2], CLICK, "gauc", "no user has rows of both"),
        ([0, 1], [1, 1], CLICK, "log_loss", "at least two users"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    make_examples, labels, users, label: Label, metric: str, message: str
) -> None:
    predictions = np.array([0.2, 0.4])
    with pytest.raises(ValueError, match=message):
        compare_predictions(
            [predictions], [predictions], make_examples(labels, users), label, metric
        )


def split_rows(examples, folds: np.ndarray):
    return [examples.take(np.flatnonzero(folds == fold)) for fold in range(folds.max() + 1)]


def test_folds_are_weighted_alike_and_their_rows_tested_together(make_examples, clicks) -> None:
    labels, poor, good = clicks
    folds = np.repeat([0, 1, 2], [1500, 900, 600])
    parts = split_rows(make_examples(labels), folds)
    a, b = ([[p[folds == fold]] for fold in range(3)] for p in (poor, good))
    for metric in ("auc", "log_loss"):
        actual = compare_folds(a, b, parts, CLICK, metric)
        singles = [
            compare_predictions(*pair, part, CLICK, metric)
            for pair, part in zip(zip(a, b, strict=True), parts, strict=True)
        ]
        assert actual.difference == pytest.approx(np.mean([one.difference for one in singles]))
        # Rows of different folds are independent: the variance of a mean of three.
        error = np.sqrt(np.sum([one.standard_error**2 for one in singles])) / 3
        assert actual.standard_error == pytest.approx(error, rel=1e-3)
        assert actual.num_users == 3000


def test_a_user_of_several_folds_counts_once(make_examples) -> None:
    """Each fold has the same users, whose tastes make all folds of a model alike."""
    random = np.random.default_rng(3)
    p_values = []
    for _ in range(150):
        users = np.tile(np.arange(40), 15)
        taste, noise, other_noise = random.standard_normal((3, 40))[:, users]
        labels = random.random(600) < squash(taste)
        folds = np.repeat([0, 1, 2], 200)
        parts = split_rows(make_examples(labels, users), folds)
        a, b = (
            [[squash(taste + shift)[folds == fold]] for fold in range(3)]
            for shift in (noise, other_noise)
        )
        p_values.append(compare_folds(a, b, parts, CLICK, "log_loss").p_value)
    assert np.sum(np.array(p_values) < 0.05) <= 17


def test_every_fold_needs_its_predictions(make_examples) -> None:
    examples = make_examples([0, 1])
    predictions = [[np.array([0.1, 0.2])]]
    with pytest.raises(ValueError, match="2 folds need predictions of each, not 1 and 1"):
        compare_folds(predictions, predictions, [examples, examples], CLICK, "auc")
