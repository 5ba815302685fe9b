"""The synthetic click log and ratings: labels come from the truth that is told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.data.synthetic.clicks import (
    LIST_LENGTH,
    SyntheticLog,
    generate_clicks,
    generate_ratings,
    write_log,
)
from kd_tf.errors import UserError
from kd_tf.evaluation.metrics.calibration import compute_reliability


@pytest.fixture(scope="module")
def clicks() -> SyntheticLog:
    return generate_clicks()


@pytest.fixture(scope="module")
def ratings() -> SyntheticLog:
    return generate_ratings()


@pytest.mark.parametrize("generate", [generate_clicks, generate_ratings])
def test_the_seed_decides_everything(generate) -> None:
    first, second, other = (generate(seed=seed) for seed in (3, 3, 4))
    assert first.frame.equals(second.frame)
    np.testing.assert_array_equal(first.truth, second.truth)
    assert not first.frame.equals(other.frame)


def test_clicks_happen_as_often_as_the_truth_says(clicks: SyntheticLog) -> None:
    labels = clicks.frame["clicked"].to_numpy()
    assert 0.2 < labels.mean() < 0.35
    assert compute_reliability(labels, clicks.truth).calibration_error < 0.006
    # The squared errors of true probabilities have the expectation of p (1 - p).
    variance = clicks.truth * (1 - clicks.truth)
    assert ((labels - clicks.truth) ** 2).mean() == pytest.approx(variance.mean(), rel=0.01)
    for change in (0.9, 1.1):
        other = np.clip(clicks.truth * change, 0, 1 - 1e-9)
        assert log_loss(labels, clicks.truth) < log_loss(labels, other)


def test_stars_are_on_average_what_the_truth_says(ratings: SyntheticLog) -> None:
    stars = ratings.frame["stars"].to_numpy()
    assert sorted(set(stars)) == [1, 2, 3, 4, 5]
    for rows in np.array_split(np.argsort(ratings.truth), 10):
        error = stars[rows].std() / np.sqrt(len(rows))
        assert stars[rows].mean() == pytest.approx(ratings.truth[rows].mean(), abs=4 * error)
    assert np.sqrt(np.mean((stars - ratings.truth) ** 2)) < 0.75 * stars.std()


def test_no_user_rates_a_book_twice(ratings: SyntheticLog) -> None:
    assert ratings.frame.select("user", "item").is_unique().all()


def test_a_visit_shows_different_books_at_all_positions(clicks: SyntheticLog) -> None:
    visits = clicks.frame.with_columns(visit=pl.arange(0, len(clicks.frame)) // LIST_LENGTH)
    grouped = (
        visits.group_by("visit")
        .agg(
            pl.col("item", "position").n_unique(), pl.col("user", "timestamp", "device").n_unique()
        )
        .drop("visit")
    )
    expected = {"item": 10, "position": 10, "user": 1, "timestamp": 1, "device": 1}
    assert grouped.unique().row(0, named=True) == expected
    assert len(grouped.unique()) == 1
    assert visits["timestamp"].is_sorted()


def test_hour_and_weekday_are_those_of_the_timestamp(clicks: SyntheticLog) -> None:
    time = pl.from_epoch(clicks.frame["timestamp"])
    assert time.dt.hour().cast(pl.Int64).equals(clicks.frame["hour"].cast(pl.Int64))
    assert time.dt.strftime("%A").equals(clicks.frame["weekday"], check_names=False)


def test_books_further_down_are_clicked_less_above_all_on_phones(clicks: SyntheticLog) -> None:
    rates = (
        clicks.frame.with_columns(truth=pl.Series(clicks.truth))
        .group_by("device", "position")
        .agg(pl.col("clicked", "truth").mean())
    )
    drop = {}
    for (device,), rows in rates.group_by("device"):
        by_position = rows.sort("position")
        drop[device] = by_position["clicked"][9] / by_position["clicked"][0]
        assert by_position["clicked"].to_list() == pytest.approx(
            by_position["truth"].to_list(), abs=0.03
        )
    assert drop["phone"] < drop["tablet"] < drop["desktop"] < 0.9


def test_columns_one_by_one_tell_far_less_than_the_truth(clicks: SyntheticLog) -> None:
    """The best weights of a model without pairs of columns: the mean of each value, summed."""
    labels, total = clicks.frame["clicked"].to_numpy(), np.zeros(len(clicks.frame))
    for name in ("hour", "device", "user", "age_group", "position", "item", "genre"):
        rates = clicks.frame.select(pl.col("clicked").mean().over(name)).to_series().to_numpy()
        total += np.log(rates / (1 - rates))
    best = roc_auc_score(labels, clicks.truth)
    assert best > 0.82
    assert 0.62 < roc_auc_score(labels, total) < best - 0.1


def test_an_unknown_age_group_is_null_in_all_rows_of_a_user(clicks: SyntheticLog) -> None:
    ages = clicks.frame.group_by("user").agg(pl.col("age_group").n_unique(), pl.first("item"))
    assert ages["age_group"].max() == 1
    assert 0 < clicks.frame["age_group"].null_count() < 0.15 * len(clicks.frame)


def test_books_are_those_of_the_bookshop_with_the_same_seed() -> None:
    log = generate_clicks(num_impressions=1000, num_users=20, num_items=80, seed=9)
    catalog = generate_bookshop(num_items=80, num_users=20, seed=9).catalog.frame
    assert log.books["item"].to_list() == catalog["item_id"].to_list()
    assert log.books["title"].to_list() == catalog["title"].to_list()
    first_genre = log.books["genre"].str.split("|").list.first()
    assert first_genre.to_list() == catalog["genre"].to_list()
    assert set(log.frame["item"]) <= set(log.books["item"])


def test_files_have_all_rows_and_not_the_truth(tmp_path) -> None:
    log = generate_clicks(num_impressions=1000, num_users=20, num_items=80)
    write_log(log, tmp_path / "shop", "clicks")
    assert pl.read_csv(tmp_path / "shop" / "clicks.csv").equals(log.frame)
    assert pl.read_csv(tmp_path / "shop" / "books.csv")["title"].equals(log.books["title"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_impressions": 999}, "at least 1000 impressions, not 999"),
        ({"num_users": 9}, "at least 10 users, not 9"),
        ({"num_items": 49}, "50 to 6000 items, not 49"),
        ({"num_items": 6001}, "not 6001"),
        ({"seed": -1}, "not -1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message: str) -> None:
    with pytest.raises(UserError, match=message):
        generate_clicks(**arguments)


def test_more_ratings_than_half_of_all_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="20 users rate at most half of 100 books each: 1000 rat"):
        generate_ratings(num_ratings=1001, num_users=20, num_items=100)
