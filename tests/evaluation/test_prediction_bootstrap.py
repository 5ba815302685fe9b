"""Bootstrap intervals of predictions against plain resampling of rows and users."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from kd_tf.evaluation import prediction_bootstrap
from kd_tf.evaluation.metrics.click_auc import compute_auc_per_user, compute_click_auc
from kd_tf.evaluation.prediction_bootstrap import (
    assign_groups,
    bootstrap_click_metrics,
    bootstrap_rating_metrics,
)


def make_clicks(num_rows: int, num_users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and users who differ: rows of one user are not independent."""
    random = np.random.default_rng(5)
    users = random.integers(0, num_users, num_rows)
    taste = random.standard_normal(num_users)[users]
    predictions = 1 / (1 + np.exp(-random.standard_normal(num_rows)))
    labels = random.random(num_rows) < 1 / (1 + np.exp(-2 * predictions + 1 - 2 * taste))
    return labels, predictions.astype(np.float32), users


def resample(labels, predictions, users, metric, num_samples: int = 400) -> np.ndarray:
    """Metrics of samples of whole users, drawn and evaluated row by row."""
    random = np.random.default_rng(1)
    rows_of = [np.flatnonzero(users == user) for user in np.unique(users)]
    samples = []
    for _ in range(num_samples):
        rows = np.concatenate(
            [rows_of[index] for index in random.integers(0, len(rows_of), len(rows_of))]
        )
        samples.append(metric(labels[rows], predictions[rows], users[rows]))
    return np.array(samples)


@pytest.mark.parametrize("max_auc_bins", [16, 100_000])
def test_the_intervals_are_those_of_resampled_users(monkeypatch, max_auc_bins: int) -> None:
    monkeypatch.setattr(prediction_bootstrap, "MAX_AUC_BINS", max_auc_bins)
    labels, predictions, users = make_clicks(2000, 50)
    actual = bootstrap_click_metrics(labels, predictions, 0.4, users)
    metrics = {
        "auc": lambda y, p, u: roc_auc_score(y, p),
        "f1": lambda y, p, u: f1_score(y, p >= 0.4),
        "accuracy": lambda y, p, u: np.mean(y == (p >= 0.4)),
    }
    for name, metric in metrics.items():
        low, high = np.quantile(resample(labels, predictions, users, metric), [0.025, 0.975])
        assert actual[name] == pytest.approx((low, high), abs=0.2 * (high - low)), name


def test_a_user_drawn_twice_counts_twice_in_the_gauc() -> None:
    labels, predictions, users = make_clicks(600, 30)
    by_user = compute_auc_per_user(labels, predictions, users)
    random = np.random.default_rng(2)
    samples = []
    for _ in range(2000):
        drawn_users = random.integers(0, len(by_user.users), len(by_user.users))
        samples.append(np.average(by_user.auc[drawn_users], weights=by_user.num_rows[drawn_users]))
    low, high = np.quantile(samples, [0.025, 0.975])
    actual = bootstrap_click_metrics(labels, predictions, 0.5, users)["gauc"]
    assert actual == pytest.approx((low, high), abs=0.15 * (high - low))


def test_users_who_differ_make_wider_intervals_than_rows() -> None:
    # 50 users of 40 equal rows each: the interval of 50 rows, not of 2,000.
    users = np.repeat(np.arange(50), 40)
    labels, predictions = users % 2, (np.arange(50) // 2 / 25)[users]
    by_user = bootstrap_click_metrics(labels, predictions, 0.5, users)["log_loss"]
    by_row = bootstrap_click_metrics(labels, predictions, 0.5, None)["log_loss"]
    assert np.diff(by_user) / np.diff(by_row) == pytest.approx(np.sqrt(40), rel=0.1)


def test_merged_groups_give_the_same_width_as_every_row() -> None:
    # 20,000 rows are merged into 2,000 groups; the normal interval of the mean needs no groups.
    random = np.random.default_rng(3)
    ratings, predictions = random.random(20_000), random.random(20_000)
    errors = np.abs(ratings - predictions)
    low, high = bootstrap_rating_metrics(ratings, predictions, None, num_samples=4000)["mae"]
    assert high - low == pytest.approx(2 * 1.96 * errors.std() / np.sqrt(20_000), rel=0.08)
    assert (low + high) / 2 == pytest.approx(errors.mean(), abs=0.1 * (high - low))


def test_groups_are_whole_users_of_equal_number() -> None:
    users = np.random.default_rng(4).integers(0, 10_000, 50_000)
    groups, num_groups = assign_groups(len(users), users, seed=1)
    assert num_groups == prediction_bootstrap.MAX_GROUPS
    pairs = np.unique(np.stack([users, groups]), axis=1)
    assert pairs.shape[1] == len(np.unique(users))
    users_per_group = np.bincount(pairs[1], minlength=num_groups)
    assert users_per_group.max() - users_per_group.min() <= 1


def test_samples_with_one_label_only_are_no_samples_of_the_auc() -> None:
    labels, predictions = np.array([1.0, 0, 0, 0]), np.array([0.2, 0.9, 0.1, 0.3])
    low, high = bootstrap_click_metrics(labels, predictions, 0.5, None)["auc"]
    assert 0 <= low <= compute_click_auc(labels, predictions) <= high <= 1
