"""A run whose files are searched in two stages: other ids inside, the same books outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kd_tf import config
from kd_tf.data.features.topic_words import choose_topic_words
from kd_tf.errors import UserError
from kd_tf.models.batch_scoring import compute_scores
from kd_tf.pipeline.run import RunResult, run
from kd_tf.pipeline.stages.item_order import ORDER_FILE
from kd_tf.runtime.recommender import Recommender
from kd_tf.tflite.two_stage_search import MIN_RECALL
from kd_tf.training import checkpoint

pytestmark = pytest.mark.slow

VALUES = {
    "name": "small",
    "data": {"synthetic_items": 300, "synthetic_users": 300},
    "teacher": {"architecture": "local-ridge"},
    "student": {"architecture": "mlp", "embedding_dim": 8, "training": {"epochs": 4}},
    "export": {"recommendations": 20, "catalog_search": "two-stage"},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(config.from_values(VALUES), tmp_path_factory.mktemp("runs") / "small")


def test_files_say_how_they_are_searched_and_what_they_find(finished: RunResult) -> None:
    assert [one.name for one in finished.results.artifacts] == ["float32", "dynamic-int8"]
    for one in finished.results.artifacts:
        assert one.catalog_search == "two-stage"
        assert one.parity["recall_of_exact"] == one.parity["top10_overlap"] > MIN_RECALL - 0.1
        assert one.parity["bound_top10_overlap"] < one.parity["recall_of_exact"]


def test_a_file_is_as_good_as_its_student(finished: RunResult) -> None:
    (student,) = (one for one in finished.results.models if one.name == "student-distilled")
    for one in finished.results.artifacts:
        assert one.metrics["ndcg@10"] == pytest.approx(student.metrics["ndcg@10"], abs=0.03)
        # Of the books' own popularity: another order must not mix them up.
        assert one.metrics["novelty@10"] == pytest.approx(student.metrics["novelty@10"], abs=0.3)


def test_the_bundle_names_the_items_that_the_student_means(finished: RunResult) -> None:
    order = np.load(finished.folder / "artifacts" / ORDER_FILE)
    assert sorted(order.tolist()) == list(range(1, 301))
    assert order.tolist() != list(range(1, 301))
    item_ids = finished.dataset.catalog.item_ids
    recommender = Recommender.load(finished.bundle.folder)
    assert [one.item_id for one in recommender.bundle.items] == [item_ids[i - 1] for i in order]
    catalog, popularity = finished.dataset.catalog, finished.split.popularity()
    words, items = choose_topic_words(catalog), recommender.bundle.items
    assert [one.words or "" for one in items] == [words[item - 1] for item in order]
    assert [one.new for one in items] == [popularity[item] == 0 for item in order]
    student = checkpoint.load(finished.folder / "student" / "distilled" / "model")
    shared = []
    for row in range(20):
        history = finished.split.test.histories[row]
        padded = np.zeros((1, student.max_length), np.int32)
        newest = history[-student.max_length :]
        padded[0, : len(newest)] = newest
        exact = compute_scores(student, padded)[0]
        exact[np.append(history, 0)] = -np.inf
        best = {item_ids[item - 1] for item in np.argsort(-exact)[:10]}
        found = recommender.recommend([item_ids[item - 1] for item in history], 10)
        shared.append(len(best & {one.item.item_id for one in found}) / 10)
    assert np.mean(shared) > 0.8


def test_a_student_that_cannot_be_is_refused_and_small_ones_are_exact(
    finished: RunResult, tmp_path: Path
) -> None:
    two_towers = {**VALUES, "student": {**VALUES["student"], "architecture": "two-tower"}}
    with pytest.raises(UserError, match="does not support two-stage search"):
        run(config.from_values(two_towers), tmp_path / "towers")
    automatic = {**VALUES, "export": {"recommendations": 20, "quantizations": ["float32"]}}
    found = run(config.from_values(automatic), tmp_path / "exact")
    (one,) = found.results.artifacts
    assert one.catalog_search == "exact"
    assert not (found.folder / "artifacts" / ORDER_FILE).exists()
