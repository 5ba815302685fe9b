"""Features are scored by what they say of the label, and the best are kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kd_tf.compress.select_features import score_features, select_features
from kd_tf.data.ranking.examples import RankingExamples
from kd_tf.errors import UserError
from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout

METHODS = ("mutual-information", "l1")


def make_rows(count: int = 6000, seed: int = 0) -> RankingExamples:
    """A label of a category, a list and a number; beside them noise of few and of many values."""
    random = np.random.default_rng(seed)
    layout = FeatureLayout(
        (
            CategoricalFeature("noise", 6),
            CategoricalFeature("kind", 6),
            CategoricalFeature("tags", 8, num_values=2),
            CategoricalFeature("many", 500),
        ),
        ("size", "noise size"),
    )
    kind, tag = random.integers(2, 6, count), random.integers(2, 8, count)
    size = random.normal(0, 1, count)
    logits = 1.5 * (kind % 2) + 1.2 * (tag > 4) + size - 1.3
    labels = (random.random(count) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    ids = [random.integers(2, 6, count), kind, tag, np.zeros(count), random.integers(2, 500, count)]
    numbers = np.stack([size, random.normal(0, 1, count)], axis=1)
    return RankingExamples(
        layout, np.stack(ids, axis=1).astype(np.int32), numbers.astype(np.float32), labels
    )


@pytest.mark.parametrize("is_rating", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_features_that_make_the_label_are_kept(method, is_rating: bool) -> None:
    rows = make_rows()
    if is_rating:
        noise = np.random.default_rng(1).random(len(rows)).astype(np.float32)
        rows = dataclasses.replace(rows, labels=0.7 * rows.labels + 0.3 * noise)
    scores = score_features(rows, method)
    layout = select_features(rows.layout, scores, 3)
    assert [feature.name for feature in layout.categorical] == ["kind", "tags"]
    assert layout.numeric == ("size",)
    assert scores == score_features(rows, method)


def test_mutual_information_of_noise_is_nothing_however_many_values_it_has() -> None:
    """Without the correction, the noise of 500 values would say more than the kind, .04."""
    scores = score_features(make_rows(), "mutual-information")
    for name in ("noise", "many", "noise size"):
        assert abs(scores[name]) < 0.01, name
    rows = make_rows()
    kind, labels = rows.categorical[:, 1], rows.labels
    expected = 0.0
    for value in np.unique(kind):
        for label in (0, 1):
            both = np.mean((kind == value) & (labels == label))
            expected += both * np.log(both / np.mean(kind == value) / np.mean(labels == label))
    assert scores["kind"] == pytest.approx(expected - 3 / (2 * len(rows)), abs=1e-9)


def test_the_values_of_a_list_count_wherever_they_stand() -> None:
    rows = make_rows()
    ids = rows.categorical.copy()
    ids[:, [2, 3]] = ids[:, [3, 2]]
    turned = dataclasses.replace(rows, categorical=ids)
    for method in METHODS:
        first, second = (score_features(part, method)["tags"] for part in (rows, turned))
        assert first == pytest.approx(second, rel=1e-3)


def test_selected_features_keep_their_order_and_useless_ones_go() -> None:
    layout = make_rows().layout
    scores = {"noise": -0.1, "kind": 0.2, "tags": 0.0, "many": 0.3, "size": 0.1, "noise size": 0}
    chosen = select_features(layout, scores, None)
    assert [feature.name for feature in chosen.categorical] == ["kind", "many"]
    assert chosen.numeric == ("size",)
    assert select_features(layout, scores, 1).categorical == (layout.categorical[3],)
    with pytest.raises(UserError, match="no feature says anything"):
        select_features(layout, dict.fromkeys(scores, 0.0), None)


def test_of_two_features_that_say_the_same_l1_prefers_one() -> None:
    rows = make_rows()
    twin = CategoricalFeature("twin", 6)
    layout = FeatureLayout((*rows.layout.categorical, twin), rows.layout.numeric)
    ids = np.concatenate([rows.categorical, rows.categorical[:, 1:2]], axis=1)
    twins = dataclasses.replace(rows, layout=layout, categorical=ids)
    scores = score_features(twins, "l1")
    first, second = sorted((scores["kind"], scores["twin"]))
    assert second > 2 * first
    scores = score_features(twins, "mutual-information")
    assert scores["kind"] == scores["twin"]
