"""Builds the entries of results.json for the data, the models and their comparisons."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata

import numpy as np

from kd_tf import __version__
from kd_tf.config import Config
from kd_tf.data.prepare import PreparedData
from kd_tf.data.split import Split
from kd_tf.evaluation.evaluate import Evaluation
from kd_tf.evaluation.significance import adjust_p_values, compare_paired
from kd_tf.report.results import (
    ComparisonResult,
    DatasetResult,
    ModelResult,
    describe_few_users,
)


def describe_dataset(settings: Config, prepared_data: PreparedData, split: Split) -> DatasetResult:
    """Describes the data set, its cleaning and its split.

    Args:
        settings: The seed.
        prepared_data: The data set; of several folds, all test users are counted.
        split: The only split, or the first fold.
    """
    test_users = sum(len(part.test.histories) for part in prepared_data.splits)
    notes = [*prepared_data.dataset.notes, *prepared_data.notes, *split.notes]
    if caution := describe_few_users(test_users):
        notes.append(caution)
    return DatasetResult(
        name=prepared_data.dataset.name,
        users=prepared_data.interactions.num_users,
        items=prepared_data.interactions.num_items,
        interactions=len(prepared_data.interactions),
        protocol=split.protocol,
        seed=settings.seed,
        train_users=int(np.count_nonzero(split.train.lengths)),
        validation_users=len(split.validation.histories),
        test_users=test_users,
        cleaning=[asdict(step) for step in prepared_data.steps],
        notes=notes,
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
    """Builds the entry of one model.

    Args:
        name: For example ``student-distilled``.
        role: ``baseline``, ``teacher`` or ``student``.
        architecture: For example ``mlp``.
        evaluation: Its metrics on the test users.
        num_parameters: Number of parameters.
        bytes: Size of the parameters; of a student, in an int8 file.
        seconds: Wall time of the training.
    """
    return ModelResult(
        name=name,
        role=role,
        kind=architecture,
        parameters=num_parameters,
        bytes=bytes,
        metrics=evaluation.overall,
        train_seconds=seconds,
        intervals=evaluation.compute_intervals(),
        slices=evaluation.describe_slices(),
    )


def compare_models(
    pairs: Sequence[tuple[str, str]], evaluations: Mapping[str, Evaluation], metric: str
) -> list[ComparisonResult]:
    """Compares pairs of models with paired tests; adjusts p-values for the number of pairs.

    Args:
        pairs: Names of a model and of its reference.
        evaluations: By name; all on the same users.
        metric: For example ``ndcg@10``.

    Returns:
        The comparisons; none where there are fewer than two users, who cannot be compared.
    """
    if any(evaluation.num_users < 2 for evaluation in evaluations.values()):
        return []
    tests = [
        compare_paired(evaluations[reference].per_user[metric], evaluations[model].per_user[metric])
        for model, reference in pairs
    ]
    p_values = adjust_p_values([test.p_value for test in tests])
    return [
        ComparisonResult(
            model, reference, metric, test.difference, test.standard_error, test.num_users, p_value
        )
        for (model, reference), test, p_value in zip(pairs, tests, p_values, strict=True)
    ]


def describe_environment() -> dict[str, str]:
    """Returns the versions of Python and of the packages that affect the results."""
    packages = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")
    return {
        "kd_tf": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: metadata.version(name) for name in (*packages, "implicit", "scikit-learn")},
    }
