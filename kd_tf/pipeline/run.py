"""The corridor: calls the rooms in order; every finished stage is kept and found again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kd_tf import config
from kd_tf.config import Config
from kd_tf.data.interactions import Dataset
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluate.baselines import BASELINES
from kd_tf.evaluate.protocol import Evaluation
from kd_tf.models import checkpoint
from kd_tf.models.base import HistoryModel
from kd_tf.models.ranking import scorer
from kd_tf.models.stored import stored_bytes
from kd_tf.pipeline import exporting, students, teachers
from kd_tf.pipeline.context import Context
from kd_tf.pipeline.describing import comparisons, environment, model_result
from kd_tf.pipeline.sources import read
from kd_tf.progress import Progress, Silent
from kd_tf.report import html, model_card
from kd_tf.report.results import ModelResult, Results
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle

SPLIT = "split.npz"
"""Who learnt, chose and judged: enough to measure anything else on the same readers."""


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
        folder: Gets config.toml, split.npz, results.json, report.html, teacher/, student/,
            targets/, artifacts/ and bundle/.
        progress: Where to report; nothing by default.
        dataset: Data that is already in memory (`kd_tf.data.readers.dataframe`); by default
            what ``settings.data`` names is read.

    Raises:
        UserError: The data or a setting cannot be used.
        ParityError: A converted file does not answer like its student.
    """
    for role, kind in (("teacher", settings.teacher.kind), ("student", settings.student.kind)):
        if kind == config.MATRIX_FACTORIZATION:
            raise UserError(
                "matrix factorisation knows only readers that it was trained on: no app can use it",
                where=f"{role}.kind",
                hint="It is for kd-tf compare.",
            )
    progress = progress or Silent()
    return _walk(Context(settings, Path(folder), progress, dataset or read(settings)))


def _walk(context: Context) -> Run:
    """Every stage in order."""
    context.folder.mkdir(parents=True, exist_ok=True)
    config.write(context.settings, context.folder / "config.toml")
    context.split.save(context.folder / SPLIT)
    models, evaluations = _baselines(context)
    taught = teachers.teachers(context)
    teacher = taught[-1].model
    distilled = students.student(context, "distilled", taught)
    # Of the same kind, so that the difference is what the teacher is worth.
    alone = students.student(context, "alone", kind=distilled.kind)
    for role, one in (
        *(("teacher", one) for one in taught),
        *(("student", one) for one in (alone, distilled)),
    ):
        evaluations[one.name] = context.judge(one.name, scorer(one.model))
        parameters = checkpoint.numbers(one.model)
        models.append(
            model_result(
                one.name,
                role,
                one.kind,
                evaluations[one.name],
                parameters=parameters,
                bytes=stored_bytes(one.model) if role == "student" else 4 * parameters,
                seconds=one.seconds,
            )
        )
    student = distilled.model
    best = max(
        (one for one in models if one.role == "baseline"), key=lambda one: one.metrics["ndcg@10"]
    ).name
    artifacts = exporting.artifacts(context, student)
    chosen = exporting.choose(context, artifacts)
    results = Results(
        dataset=context.described,
        models=models,
        artifacts=artifacts,
        comparisons=comparisons(
            [("student-distilled", other) for other in ("student-alone", "teacher", best)],
            evaluations,
            "ndcg@10",
        ),
        chosen=chosen.name,
        tried=distilled.tried,
        environment=environment(),
    )
    bundle = _bundle(context, results)
    results.write(context.folder)
    html.write(results, context.folder)
    return Run(context.folder, results, context.dataset, context.split, teacher, student, bundle)


def _baselines(context: Context) -> tuple[list[ModelResult], dict[str, Evaluation]]:
    """All of them: a table without one would hide that it was better."""
    models, evaluations = [], {}
    for name, fit in BASELINES.items():
        begin = time.perf_counter()
        try:
            baseline = fit(context.split, context.dataset.catalog, context.progress)
        except UserError as error:
            context.progress.warn(f"{name} is left out: {error.what}")
            context.described.notes.append(f"{name} is left out: {error.what}")
            continue
        seconds = time.perf_counter() - begin
        evaluations[name] = context.judge(name, baseline.scores)
        models.append(
            model_result(
                name,
                "baseline",
                name,
                evaluations[name],
                parameters=baseline.parameters,
                bytes=baseline.bytes,
                seconds=seconds,
            )
        )
    return models, evaluations


def _bundle(context: Context, results: Results) -> Bundle:
    shipped = results.shipped
    books = list(context.dataset.catalog.frame.iter_rows(named=True))
    order = exporting.bundled_order(context)
    if order is not None:
        books = [books[book - 1] for book in order]
    return write_bundle(
        context.folder / "bundle",
        model=(context.folder / shipped.path).read_bytes(),
        catalog=books,
        config=BundleConfig(
            name=context.settings.name,
            books=context.split.books,
            history_length=context.history_length,
            recommendations=context.settings.export.recommendations,
            candidates=context.settings.export.candidates,
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
