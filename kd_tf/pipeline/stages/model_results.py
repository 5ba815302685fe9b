"""Data, models and comparisons as results.json has them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata

import numpy as np

from kd_tf import __version__
from kd_tf.config import Config
from kd_tf.data.split import Split
from kd_tf.evaluate.evaluation import Evaluation
from kd_tf.evaluate.significance import adjust_p_values, compare_paired
from kd_tf.pipeline.stages.prepare import PreparedData
from kd_tf.report.results import ComparisonResult, DatasetResult, ModelResult


def describe_dataset(settings: Config, prepared: PreparedData, split: Split) -> DatasetResult:
    """The data set, how it was cleaned, and how `split` divides it."""
    return DatasetResult(
        name=prepared.dataset.name,
        users=prepared.interactions.num_users,
        items=prepared.interactions.num_items,
        interactions=len(prepared.interactions),
        protocol=split.protocol,
        seed=settings.seed,
        train_users=int(np.count_nonzero(split.train.lengths)),
        validation_users=len(split.validation.histories),
        test_users=len(split.test.histories),
        cleaning=[asdict(step) for step in prepared.steps],
        notes=[*prepared.dataset.notes, *split.notes],
    )


def make_model_result(
    name: str,
    role: str,
    architecture: str,
    evaluation: Evaluation,
    *,
    num_parameters: int,
    bytes: int,
    seconds: float,
) -> ModelResult:
    """One model with every figure that was measured."""
    return ModelResult(
        name=name,
        role=role,
        kind=architecture,
        parameters=num_parameters,
        bytes=bytes,
        metrics=evaluation.overall,
        train_seconds=seconds,
        intervals=evaluation.compute_intervals(),
        slices={part: asdict(figures) for part, figures in evaluation.slices.items()},
    )


def compare_models(
    pairs: Sequence[tuple[str, str]], evaluations: Mapping[str, Evaluation], metric: str
) -> list[ComparisonResult]:
    """Paired differences, their p-values adjusted for the number of pairs."""
    found = [
        compare_paired(evaluations[against].per_user[metric], evaluations[model].per_user[metric])
        for model, against in pairs
    ]
    return [
        ComparisonResult(
            model, against, metric, one.difference, one.standard_error, one.num_users, p_value
        )
        for (model, against), one, p_value in zip(
            pairs, found, adjust_p_values([one.p_value for one in found]), strict=True
        )
    ]


def describe_environment() -> dict[str, str]:
    """What the figures were measured with."""
    packages = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")
    return {
        "kd_tf": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: metadata.version(name) for name in (*packages, "implicit", "scikit-learn")},
    }
