"""The corridor: calls the rooms in order; every finished stage is kept and found again."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from kd_tf import __version__, config
from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.data.split import Split
from kd_tf.evaluate.baselines import item_knn, popularity
from kd_tf.evaluate.comparison import paired_comparison
from kd_tf.evaluate.protocol import Evaluation
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import ranker
from kd_tf.pipeline import exporting, training
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.sources import read
from kd_tf.progress import Progress, Silent
from kd_tf.report import html, model_card
from kd_tf.report.results import ComparisonResult, ModelResult, Results
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where everything lies.
        results: Every figure.
        dataset: What was read, books included.
        split: What was learnt from and judged on.
        teacher: Trained.
        student: The distilled one, pruned.
        bundle: What an app takes.
    """

    folder: Path
    results: Results
    dataset: Dataset
    split: Split
    teacher: HistoryModel
    student: HistoryModel
    bundle: Bundle


def run(
    settings: Config,
    folder: Path,
    progress: Progress | None = None,
    *,
    dataset: Dataset | None = None,
) -> Run:
    """Interactions in, a measured bundle out.

    A run that was stopped goes on from its finished stages when it is started again with the
    same settings and data; a stage whose inputs changed is done anew.

    Args:
        settings: Everything the run depends on.
        folder: Gets config.toml, results.json, report.html, teacher/, student/, targets/,
            artifacts/ and bundle/.
        progress: Where to report; nothing by default.
        dataset: Data that is already in memory (`kd_tf.data.readers.dataframe`); by default
            what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
        ParityError: A converted file does not answer like its student.
    """
    progress = progress or Silent()
    return _walk(Context(settings, Path(folder), progress, dataset or read(settings)))


def _walk(context: Context) -> Run:
    """Every stage in order."""
    context.folder.mkdir(parents=True, exist_ok=True)
    config.write(context.settings, context.folder / "config.toml")
    models, evaluations = [], {}
    for baseline in (popularity.fit(context.split), item_knn.fit(context.split)):
        evaluation = context.judge(baseline.name, baseline.rank)
        evaluations[baseline.name] = evaluation
        models.append(
            ModelResult(
                name=baseline.name,
                role="baseline",
                kind=baseline.name,
                parameters=baseline.parameters,
                bytes=baseline.bytes,
                metrics=evaluation.overall,
                train_seconds=0.0,
            )
        )
    teacher, teacher_seconds = training.teacher(context)
    alone, alone_seconds = training.student(context, "alone", None)
    student, student_seconds = training.student(context, "distilled", teacher)
    for name, role, kind, model, seconds in (
        ("teacher", "teacher", context.settings.teacher.kind, teacher, teacher_seconds),
        ("student-alone", "student", context.settings.student.kind, alone, alone_seconds),
        ("student-distilled", "student", context.settings.student.kind, student, student_seconds),
    ):
        evaluations[name] = context.judge(name, ranker(model))
        parameters = _parameters(model)
        models.append(
            ModelResult(
                name=name,
                role=role,
                kind=kind,
                parameters=parameters,
                bytes=4 * parameters,
                metrics=evaluations[name].overall,
                train_seconds=seconds,
            )
        )
    artifacts = exporting.artifacts(context, student)
    chosen = exporting.choose(context, artifacts)
    results = Results(
        dataset=context.described,
        models=models,
        artifacts=artifacts,
        comparisons=[
            _compare("student-distilled", "student-alone", evaluations),
            _compare("student-distilled", "teacher", evaluations),
            _compare("student-distilled", "item-knn", evaluations),
        ],
        chosen=chosen.name,
        environment=_environment(),
    )
    bundle = _bundle(context, results)
    results.write(context.folder)
    html.write(results, context.folder)
    return Run(context.folder, results, context.dataset, context.split, teacher, student, bundle)


def _bundle(context: Context, results: Results) -> Bundle:
    shipped = results.shipped
    return write_bundle(
        context.folder / "bundle",
        model=(context.folder / shipped.path).read_bytes(),
        catalog=context.dataset.catalog.frame.iter_rows(named=True),
        config=BundleConfig(
            name=context.settings.name,
            books=context.split.books,
            history_length=context.settings.export.history_length,
            recommendations=context.settings.export.recommendations,
            signatures=tuple(shipped.signatures),
            min_runtime_version=shipped.min_runtime_version,
            quantization=shipped.quantization,
            metrics=shipped.metrics,
            dataset={
                "name": results.dataset.name,
                "users": results.dataset.users,
                "items": results.dataset.items,
                "interactions": results.dataset.interactions,
                "protocol": results.dataset.protocol,
                "seed": results.dataset.seed,
            },
        ),
        model_card=model_card.render(results),
    )


def _compare(model: str, against: str, evaluations: dict[str, Evaluation]) -> ComparisonResult:
    metric = "ndcg@10"
    found = paired_comparison(
        evaluations[against].per_reader[metric], evaluations[model].per_reader[metric]
    )
    return ComparisonResult(
        model, against, metric, found.difference, found.standard_error, found.readers
    )


def _parameters(model: HistoryModel) -> int:
    return int(sum(np.prod(weight.shape) for weight in checkpoint.stored(model)))


def _environment() -> dict[str, str]:
    packages = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")
    return {
        "kd_tf": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: metadata.version(name) for name in packages},
    }
