"""A run's results, made by hand: every figure differs from every other of its kind."""

from __future__ import annotations

import dataclasses

import pytest

from kd_tf.report.ranking_results import (
    PredictionArtifact,
    RankingDatasetResult,
    RankingResults,
)
from kd_tf.report.results import ComparisonResult, DatasetResult, ModelResult, Results
from kd_tf.tflite.artifact import Artifact

NAMES = (
    "ndcg", "recall", "precision", "f1", "hit_rate", "mrr", "coverage", "diversity", "novelty",
)  # fmt: skip


def figures(ndcg: float) -> dict[str, float]:
    """18 metrics that follow from one number and differ from each other in four decimals."""
    shift = {
        f"{name}@{k}": i for i, (k, name) in enumerate((k, n) for k in (10, 20) for n in NAMES)
    }
    measured = {name: ndcg + 0.0101 * place for name, place in shift.items()}
    measured["novelty@10"], measured["novelty@20"] = 7 + ndcg, 8 + ndcg
    return measured


def _model(name, role, kind, parameters, ndcg, seconds):
    return ModelResult(name, role, kind, parameters, 4 * parameters, figures(ndcg), seconds)


def _artifact(name, size, floor, ndcg, p50):
    return Artifact(
        name=name,
        path=f"artifacts/{name}.tflite",
        bytes=size,
        sha256=64 * "0",
        floor_bytes=floor,
        quantization=name,
        sparsity=0.4987,
        signatures=["recommend", "similar"],
        metrics=figures(ndcg),
        validation_ndcg=ndcg + 0.003,
        parity={"histories": 600, "top10_overlap": 1 - ndcg / 100, "max_score_error": ndcg / 1000},
        latency_us={"p50": p50, "p90": p50 + 4.2, "p99": p50 + 31.7, "threads": 1},
        peak_memory_bytes=size + 1_234_567,
        min_runtime_version="2.3.0",
    )


def add_slices(results: Results) -> Results:
    """The same results with slices, as if some books had been hidden from training."""

    def measure(result):
        ndcg = result.metrics["ndcg@10"]
        slices = {
            "cold-users": {"num_users": 77, "metrics": {"ndcg@10": ndcg / 2}},
            "hidden-items": {"num_users": 432, "metrics": {"ndcg@10": ndcg / 3}},
        }
        return dataclasses.replace(result, slices=slices)

    return dataclasses.replace(
        results,
        models=[measure(model) for model in results.models],
        artifacts=[measure(artifact) for artifact in results.artifacts],
    )


@pytest.fixture
def hidden_results(results):
    return add_slices(results)


@pytest.fixture
def results():
    return Results(
        dataset=DatasetResult(
            name="synthetic",
            users=3000,
            items=2000,
            interactions=81_234,
            protocol="unseen-users",
            seed=42,
            train_users=2100,
            validation_users=300,
            test_users=600,
            cleaning=[
                {
                    "name": "repeated pair (the latest is kept)",
                    "before": {"interactions": 82_454, "users": 3411, "items": 2000},
                    "after": {"interactions": 82_437, "users": 3411, "items": 2000},
                },
                {
                    "name": "user with fewer than 5 items",
                    "before": {"interactions": 82_437, "users": 3411, "items": 2000},
                    "after": {"interactions": 81_234, "users": 3000, "items": 1998},
                },
            ],
            notes=["12 books were never read"],
        ),
        models=[
            _model("popularity", "baseline", "popularity", 2000, 0.0512, 0.0),
            _model("item-knn", "baseline", "item-knn", 183_211, 0.1999, 0.0),
            _model("teacher", "teacher", "cnn", 2_367_488, 0.2311, 95.3),
            _model("student-alone", "student", "mlp", 66_112, 0.2017, 21.4),
            _model("student-distilled", "student", "mlp", 66_112, 0.2204, 33.9),
        ],
        artifacts=[
            _artifact("float32", 270_123, 264_448, 0.2204, 61.2),
            _artifact("float16", 137_456, 132_224, 0.2203, 63.4),
            _artifact("dynamic-int8", 72_345, 66_112, 0.2198, 48.6),
            _artifact("int8", 71_234, 66_112, 0.2187, 39.1),
        ],
        comparisons=[
            ComparisonResult(
                "student-distilled", "student-alone", "ndcg@10", 0.0187, 0.0031, 600, 1e-9
            ),
            ComparisonResult(
                "student-distilled", "teacher", "ndcg@10", -0.0107, 0.0029, 600, 0.0002
            ),
            ComparisonResult("student-distilled", "item-knn", "ndcg@10", 0.0041, 0.0033, 600, 0.21),
        ],
        chosen="int8",
        environment={"kd_tf": "0.1.0", "python": "3.11.9", "machine": "x86_64"},
    )


def _measure_clicks(auc: float) -> dict[str, float]:
    names = ("auc", "gauc", "log_loss", "accuracy", "f1", "calibration_error")
    return {name: auc + 0.0101 * place for place, name in enumerate(names)}


@pytest.fixture
def ranking_results():
    """Results of a run of the ranking task on clicks."""

    def make_model(name, role, kind, auc):
        parameters = round(1e5 * auc)
        return ModelResult(name, role, kind, parameters, parameters, _measure_clicks(auc), 9.9)

    def make_artifact(name, size, auc):
        return PredictionArtifact(
            name=name,
            path=f"artifacts/{name}.tflite",
            bytes=size,
            sha256=64 * "0",
            quantization=name,
            sparsity=0.25,
            signatures=["predict", "predict_batch"],
            metrics=_measure_clicks(auc),
            threshold=0.31,
            validation_score=auc + 0.004,
            parity={"rows": 8000, "max_error": auc / 100, "mean_error": auc / 1000},
            latency_us={"p50": 7.2, "p90": 11.6, "p99": 31.7, "threads": 1},
            min_runtime_version="2.3.0",
            intervals={"auc": (auc - 0.01, auc + 0.01)},
        )

    return RankingResults(
        dataset=RankingDatasetResult(
            name="synthetic",
            label={"name": "clicked", "kind": "click", "low": 0.0, "high": 1.0},
            rows=40_000,
            positive_share=0.282,
            protocol="random",
            seed=42,
            train_rows=28_000,
            validation_rows=4_000,
            test_rows=8_000,
            columns=[
                {"name": "hour", "kind": "categorical", "reason": "whole numbers, 24 distinct"},
                {"name": "clicked", "kind": "label", "reason": "click"},
            ],
            features=1,
            notes=["3 rows have no label"],
        ),
        models=[
            make_model("prior", "baseline", "prior", 0.5),
            make_model("gradient-boosted-trees", "baseline", "gradient-boosted-trees", 0.72),
            make_model("teacher", "teacher", "dcn", 0.78),
            make_model("student-alone", "student", "mlp", 0.77),
            make_model("student-distilled", "student", "mlp", 0.779),
        ],
        artifacts=[make_artifact("float32", 64_736, 0.779), make_artifact("int8", 22_432, 0.778)],
        comparisons=[
            ComparisonResult(
                "student-distilled", "student-alone", "auc", 0.0106, 0.0031, 200, 1e-6
            ),
            ComparisonResult("student-distilled", "teacher", "log_loss", -0.0025, 0.0018, 200, 0.2),
        ],
        chosen="int8",
        reliability={
            name: {
                "mean_prediction": [0.05, 0.21 + shift, 0.38],
                "positive_share": [0.0, 0.2, 0.4],
                "num_rows": [900, 400, 1],
            }
            for name, shift in (
                ("prior", 0.0),
                ("gradient-boosted-trees", 0.01),
                ("teacher", 0.02),
                ("student-alone", 0.03),
                ("student-distilled", 0.04),
            )
        },
        environment={"kd_tf": "0.1.0", "python": "3.11.9"},
    )
