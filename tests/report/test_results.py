"""results.json keeps every key of version 2 and every figure."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from kd_tf.data.histories import Histories, from_lists
from kd_tf.data.split import HeldOutSet, Split
from kd_tf.evaluation.evaluate import TrainingStatistics, evaluate_lists
from kd_tf.report.results import (
    FILE,
    ComparisonResult,
    DatasetResult,
    ModelResult,
    Results,
    describe_few_users,
)
from kd_tf.tflite.artifact import Artifact

# Version 2 as it was promised. Keys may be added in the code; this list only ever grows.
TOP = {"version", "dataset", "models", "artifacts", "chosen"}
DATASET = {"name", "users", "items", "interactions", "protocol", "seed"}
MODEL = {"name", "role", "kind", "parameters", "bytes", "metrics", "train_seconds"}
ARTIFACT = {
    "name", "path", "bytes", "floor_bytes", "quantization", "sparsity", "signatures", "metrics",
    "parity", "latency_us", "peak_memory_bytes", "min_runtime_version",
}  # fmt: skip
METRICS = {
    f"{name}@{k}"
    for name in (
        "ndcg", "recall", "precision", "f1", "hit_rate", "mrr", "coverage", "diversity", "novelty",
    )
    for k in (10, 20)
}  # fmt: skip


def test_the_file_has_every_key_of_version_2(results, tmp_path):
    results.write(tmp_path)
    content = json.loads((tmp_path / FILE).read_text("utf-8"))
    assert content["version"] == 2
    assert next(iter(content)) == "version"
    assert content.keys() >= TOP
    assert content["dataset"].keys() >= DATASET
    assert all(one.keys() >= MODEL for one in content["models"])
    assert all(one.keys() >= ARTIFACT for one in content["artifacts"])
    assert {one["role"] for one in content["models"]} == {"baseline", "teacher", "student"}


def test_the_evaluation_measures_every_metric_of_version_2():
    items = 30
    users = HeldOutSet(from_lists([[1], [2]]), from_lists([[3], [4]]), np.arange(2))
    split = Split(from_lists([[1, 2]]), np.arange(1), users, users, "unseen-users", 0, items)
    training = TrainingStatistics.from_split(split)

    def rank(histories: Histories, k: int) -> np.ndarray:
        return np.tile(np.arange(3, 3 + k, dtype=np.int32), (len(histories), 1))

    assert evaluate_lists(rank, users, training).overall.keys() >= METRICS


def test_the_file_gives_back_every_figure(results, tmp_path):
    results.write(tmp_path)
    content = json.loads((tmp_path / FILE).read_text("utf-8"))
    again = Results(
        dataset=DatasetResult(**content["dataset"]),
        models=[ModelResult(**one) for one in content["models"]],
        artifacts=[Artifact(**one) for one in content["artifacts"]],
        comparisons=[ComparisonResult(**one) for one in content["comparisons"]],
        chosen=content["chosen"],
        environment=content["environment"],
        version=content["version"],
    )
    assert again == results


def test_a_figure_that_is_no_number_is_refused_and_leaves_the_old_file(results, tmp_path):
    results.write(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    results.models[0].metrics["ndcg@10"] = math.nan
    with pytest.raises(ValueError, match="JSON"):
        results.write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_shipped_artifact_is_the_chosen_one(results):
    for one in results.artifacts:
        assert dataclasses.replace(results, chosen=one.name).shipped_artifact is one


@pytest.mark.parametrize(
    ("difference", "standard_error", "verdict"),
    [
        (0.02, 0.0101, "not distinguishable from"),
        (-0.02, 0.0101, "not distinguishable from"),
        (0.02, 0.0099, "above"),
        (-0.02, 0.0099, "below"),
        (0.0, 0.0, "not distinguishable from"),
        (0.001, 0.0, "above"),
        (-0.001, 0.0, "below"),
    ],
)
def test_only_two_standard_errors_make_a_difference(difference, standard_error, verdict):
    one = ComparisonResult("a", "b", "ndcg@10", difference, standard_error, 90, 0.5)
    assert one.verdict == verdict


@pytest.mark.parametrize(
    ("standard_error", "num_users", "verdict"),
    [
        # Student's t at 5 % two-sided: 12.71 for two users, 4.30 for three, 2.26 for ten.
        (1 / 12.6, 2, "not distinguishable from"),
        (1 / 12.8, 2, "above"),
        (1 / 4.29, 3, "not distinguishable from"),
        (1 / 4.31, 3, "above"),
        (1 / 2.25, 10, "not distinguishable from"),
        (1 / 2.27, 10, "above"),
        # All alike: 2 / 2^n.
        (0.0, 5, "not distinguishable from"),
        (0.0, 6, "above"),
    ],
)
def test_few_users_have_to_differ_more(standard_error, num_users, verdict):
    pair = ComparisonResult("a", "b", "ndcg@10", 1.0, standard_error, num_users, 0.5)
    assert pair.verdict == verdict
    assert pair.doubt == ("too few users" if verdict.startswith("not") else None)


@pytest.mark.parametrize(
    ("test_users", "words"),
    [
        (0, "nothing can be measured"),
        (1, "1 test user: the figures say nothing by themselves"),
        (2, "2 test users: too few"),
        (29, "29 test users: too few"),
        (30, None),
    ],
)
def test_metrics_of_few_users_come_with_a_caution(test_users, words):
    caution = describe_few_users(test_users)
    assert words in caution if words else caution is None
