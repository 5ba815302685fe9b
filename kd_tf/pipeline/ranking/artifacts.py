"""Exports the student of the ranking task to files, and measures each by running it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.compress import prune
from kd_tf.errors import ParityError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.pipeline.ranking.evaluate_ranker import make_file_predict_fn
from kd_tf.pipeline.ranking.export_file import export_ranking_file
from kd_tf.pipeline.stages.chosen_file import choose_file
from kd_tf.report.ranking_results import PredictionArtifact
from kd_tf.runtime.measure.latency import measure_prediction_latency
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.parity import PREDICTION_TOLERANCES

NUM_TIMED_ROWS = 1000

MAX_SCORE_LOSS = 1e-3
"""A file is good enough for the bundle with a validation score so much below the best."""

OPTIONAL_QUANTIZATIONS = (Quantization.INT8,)
"""Files that are left out where they differ too much from the student."""


def export_ranking_artifacts(
    context: RankingContext, student: RankingModel
) -> list[PredictionArtifact]:
    """Converts the student to the files of the settings, checks and measures them.

    Raises:
        ParityError: A file differs from the student by more than its tolerance.
    """
    folder = context.folder / "artifacts"
    folder.mkdir(exist_ok=True)
    artifacts = []
    for name in context.settings.export.quantizations:
        quantization = Quantization(name)
        context.progress.info(f"{name}: converting and measuring")
        try:
            artifacts.append(_export_artifact(context, student, quantization, folder))
        except ParityError as error:
            if quantization not in OPTIONAL_QUANTIZATIONS:
                raise
            context.progress.info(f"{name}: left out, because {error}")
    return artifacts


def choose_ranking_artifact(
    context: RankingContext, artifacts: list[PredictionArtifact]
) -> PredictionArtifact:
    """Returns the file to bundle: that of the settings, or the smallest that is good enough.

    Raises:
        UserError: The run left out the quantization of the settings.
    """
    return choose_file(
        artifacts,
        context.settings.export.bundle_quantization,
        lambda artifact: artifact.validation_score,
        lambda best: best - MAX_SCORE_LOSS,
    )


def _export_artifact(
    context: RankingContext, student: RankingModel, quantization: Quantization, folder: Path
) -> PredictionArtifact:
    split, settings = context.split, context.settings
    content, parity = export_ranking_file(
        student,
        quantization,
        train=split.train,
        test=split.test,
        batch_size=settings.export.batch_size,
        seed=settings.seed,
    )
    path = folder / f"{quantization.value}.tflite"
    atomic.write_bytes(path, content)
    model = PredictionModel(content)
    timed_rows = split.test.take(np.arange(min(len(split.test), NUM_TIMED_ROWS)))
    timed_rows = timed_rows.select_features(student.layout)
    latency = measure_prediction_latency(model, timed_rows.categorical, timed_rows.numeric)
    evaluation = context.evaluate_on_test(make_file_predict_fn(model, student.layout))
    tolerance = PREDICTION_TOLERANCES[quantization]
    parity_values = {
        name: value for name, value in dataclasses.asdict(parity).items() if value is not None
    }
    return PredictionArtifact(
        name=quantization.value,
        path=f"artifacts/{path.name}",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        quantization=quantization.value,
        sparsity=prune.compute_core_sparsity(student) if hasattr(student, "core") else 0.0,
        signatures=list(model.signatures),
        metrics=evaluation.test.metrics,
        threshold=evaluation.test.threshold,
        validation_score=evaluation.validation_score,
        parity={
            **parity_values,
            "bound_max_error": tolerance.max_error,
            "bound_mean_error": tolerance.max_mean_error,
        },
        latency_us={
            "p50": latency.p50,
            "p90": latency.p90,
            "p99": latency.p99,
            "threads": latency.threads,
        },
        min_runtime_version=model.min_runtime_version,
        intervals=evaluation.test.intervals,
        slices=evaluation.slices,
    )
