"""Properties that hold for every baseline."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from kd_tf.baselines import BASELINES, list_baselines
from kd_tf.baselines.base import Baseline
from kd_tf.data.catalog import Catalog
from kd_tf.data.features.encode import encode_catalog
from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import Split
from kd_tf.evaluation.top_k import select_unseen_top_k
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.progress import Advance, NullProgress

SAME_FOR_ALL = {"popularity"}
KNOWS_NOTHING = {"random"}
KNOWS_UNREAD_ITEMS = {"random", "popularity", "content", "frozen-text"}


@pytest.fixture(scope="module")
def catalog(shelves: Split) -> Catalog:
    """Titles of two words: that of the shelf and that of the place on it. Item 82 has none."""
    titles = [f"shelf{number // 15} place{number % 15}" for number in range(shelves.num_items)]
    titles[81] = None
    ids = [str(item) for item in range(shelves.num_items)]
    return Catalog(pl.DataFrame({"item_id": ids, "title": titles}))


@pytest.fixture(scope="module")
def shelves_with_texts(shelves: Split, catalog: Catalog) -> Split:
    return dataclasses.replace(shelves, content=encode_catalog(catalog))


@pytest.fixture(scope="module")
def fitted(shelves_with_texts: Split, catalog: Catalog) -> dict[str, Baseline]:
    return {
        name: BASELINES[name](shelves_with_texts, catalog, NullProgress())
        for name in list_baselines(shelves_with_texts)
    }


@pytest.fixture(params=[name for name in BASELINES if name != "friends"])  # not by the history
def model(request: pytest.FixtureRequest, fitted: dict[str, Baseline]) -> Baseline:
    return fitted[request.param]


HISTORIES = from_lists([[3, 1, 5], [], [20, 16, 70, 81], [82], list(range(1, 84)), [60]])
WEIGHTED = Histories(
    HISTORIES.items,
    HISTORIES.offsets,
    np.linspace(0.5, 3, len(HISTORIES.items)).astype(np.float32),
)


def test_tables_and_models_agree_on_the_names(fitted: dict[str, Baseline]) -> None:
    assert {name: model.name for name, model in fitted.items()} == {
        name: name
        for name in (
            "random",
            "popularity",
            "content",
            "frozen-text",
            "item-knn",
            "item-knn-history",
            "item-knn-bm25",
            "ials",
            "ease",
        )
    }


@pytest.mark.parametrize("histories", [HISTORIES, WEIGHTED], ids=["plain", "weighted"])
def test_scores_are_float32_without_nan_and_padding_is_never_recommended(
    model: Baseline, histories: Histories
) -> None:
    scores = model.score(histories)
    assert scores.dtype == np.float32
    assert scores.shape == (len(histories), 84)
    assert not np.isnan(scores).any()
    assert not (scores == np.inf).any()
    assert (scores[:, 0] == -np.inf).all()


@pytest.mark.parametrize("histories", [HISTORIES, WEIGHTED], ids=["plain", "weighted"])
def test_scores_do_not_depend_on_the_other_users_of_the_batch(
    model: Baseline, histories: Histories
) -> None:
    together = model.score(histories)
    for row in range(len(histories)):
        alone = model.score(histories.take(np.array([row])))
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-6, atol=1e-6)


def test_no_histories_give_no_scores(model: Baseline) -> None:
    assert model.score(from_lists([])).shape == (0, 84)


def test_two_fits_are_equal(
    model: Baseline, shelves_with_texts: Split, catalog: Catalog, fitted: dict[str, Baseline]
) -> None:
    again = BASELINES[model.name](shelves_with_texts, catalog, NullProgress())
    np.testing.assert_array_equal(again.score(WEIGHTED), model.score(WEIGHTED))


def test_an_empty_history_gives_the_same_list_to_all_or_none(model: Baseline) -> None:
    scores = model.score(from_lists([[], []]))
    np.testing.assert_array_equal(scores[0], scores[1])
    if model.name in SAME_FOR_ALL | KNOWS_NOTHING:
        assert (scores[:, 1:] > -np.inf).all()
    else:
        # Zeros would be a list of the lowest ids.
        assert (scores == -np.inf).all()
        assert not select_unseen_top_k(scores, from_lists([[], []]), 5).any()


def test_an_item_without_users_is_recommended_only_by_models_that_need_none(
    model: Baseline,
) -> None:
    unread = model.score(from_lists([[3, 1, 5, 61], [46, 47, 48]]))[:, 83]
    assert (unread > -np.inf).all() == (
        model.name in KNOWS_UNREAD_ITEMS - {"content", "frozen-text"}
    )
    if model.name in (
        "content",
        "frozen-text",
    ):  # "shelf5 place7" shares its place with none, then with item 53
        assert unread.tolist() == [-np.inf, -np.inf]
        assert model.score(from_lists([[53]]))[0, 83] > -np.inf


def test_a_history_of_items_without_users_gives_a_collaborative_model_nothing(
    model: Baseline,
) -> None:
    if model.name not in KNOWS_UNREAD_ITEMS:
        assert (model.score(from_lists([[81, 83]])) == -np.inf).all()


def test_an_unknown_item_is_refused(model: Baseline) -> None:
    for outside in (0, 84, -1):
        with pytest.raises(ValueError, match=f"user row 1 has the id {outside}, outside 1..83"):
            model.score(from_lists([[1], [outside]]))


def test_scoring_leaves_the_model_and_the_histories_as_they_are(model: Baseline) -> None:
    items, weights = WEIGHTED.items.copy(), WEIGHTED.weights.copy()
    first = model.score(WEIGHTED).copy()
    model.score(WEIGHTED)[:] = 7
    np.testing.assert_array_equal(model.score(WEIGHTED), first)
    np.testing.assert_array_equal(WEIGHTED.items, items)
    np.testing.assert_array_equal(WEIGHTED.weights, weights)


def test_collaborative_models_beat_popularity_where_users_differ(
    fitted: dict[str, Baseline], shelves: Split
) -> None:
    choose = ValidationMetric(shelves.validation, shelves.num_items)
    actual = {name: choose(model.score) for name, model in fitted.items()}
    floor = max(actual["popularity"], actual["random"])
    assert all(actual[name] > 2 * floor for name in set(actual) - {"popularity", "random"}), actual


class Recorder(NullProgress):
    """Counts steps, and the total that was announced."""

    def __init__(self) -> None:
        self.total = self.done = 0

    @contextlib.contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        self.total += total

        def advance(steps: int = 1, note: str = "") -> None:
            self.done += steps

        yield advance


@pytest.mark.parametrize("name", ["ials", "ease"])
def test_long_fits_report_as_many_steps_as_they_announced(
    name: str, shelves: Split, catalog: Catalog
) -> None:
    recorder = Recorder()
    BASELINES[name](shelves, catalog, recorder)
    assert recorder.total == recorder.done > 1
