"""Compares distillation methods of the ranking task over students, seeds and folds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from kd_tf import atomic
from kd_tf.choices import RankingStudentName, list_choices
from kd_tf.config import RankingConfig
from kd_tf.data.ranking.examples import RankingExamples, RankingSplit
from kd_tf.data.ranking.ranking_data import RankingData
from kd_tf.errors import ParityError, UserError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.npz import write_npz
from kd_tf.pipeline.process_pool import ProcessPool
from kd_tf.pipeline.ranking.context import RankingContext
from kd_tf.pipeline.ranking.distillation import build_row_losses
from kd_tf.pipeline.ranking.evaluate_ranker import make_file_predict_fn
from kd_tf.pipeline.ranking.export_file import export_ranking_file
from kd_tf.pipeline.ranking.load import (
    encode_needed_texts,
    load_ranking_data,
    make_split_rules,
)
from kd_tf.pipeline.ranking.method_presets import configure_ranking_method, list_ranking_methods
from kd_tf.pipeline.ranking.model_results import (
    average_results,
    compare_rankers,
    describe_ranking_dataset,
    make_ranker_result,
    make_ranking_model_result,
)
from kd_tf.pipeline.ranking.train import (
    TrainedRanker,
    load_or_train_ranking_student,
    load_or_train_ranking_teachers,
    make_row_lesson,
)
from kd_tf.pipeline.run_folder import check_run_folder, reserve_run_folder
from kd_tf.pipeline.stages.cache import hash_arrays
from kd_tf.pipeline.stages.model_results import describe_environment
from kd_tf.progress import NullProgress, Progress
from kd_tf.report.ranking_results import FILE_ROLE, RankingModelTable
from kd_tf.report.results import ModelResult
from kd_tf.runtime.prediction_model import PredictionModel
from kd_tf.stage_files import read_arrays, read_record
from kd_tf.tflite.quantization import Quantization
from kd_tf.training import checkpoint

STUDENT_ALONE = "student-alone"
"""Name of the student that is trained without a teacher."""

TEACHER = "teacher"

MODELS_FILE = "models.json"
PREDICTIONS_FILE = "predictions.npz"
EXPORTED_FILE = "model.tflite"


def compare_ranking(
    settings: RankingConfig,
    folder: str | Path,
    progress: Progress | None = None,
    *,
    methods: Sequence[str] | None = None,
    students: Sequence[str] | None = None,
    seeds: int | None = None,
    data: RankingData | None = None,
    pool: ProcessPool | None = None,
) -> RankingModelTable:
    """Trains students alone and with every method, and evaluates them and their files.

    All students of a seed start with the same weights and see the same batches, and all learn from
    one teacher. With ``split.num_folds`` this is done for every fold, whose teacher is trained on
    the rows of that fold. Finished trainings stay in `folder`, so that an interrupted comparison
    resumes from there.

    Args:
        settings: Data, teacher, student and distillation; ``distillation.loss_settings`` sets the
            arguments and weights of single losses, ``export.bundle_quantization`` the file.
        folder: Gets the teachers, their outputs and every finished student.
        progress: Where to report; by default nowhere.
        methods: See `configure_ranking_method`; all by default.
        students: Architectures; by default that of the settings.
        seeds: Number of trainings per method; by default 3, of each fold 1.
        data: A table in memory (`kd_tf.data.ranking.read_ranking.read_ranking_data`); by default
            the tables that ``settings.data`` names are read.
        pool: Runs several trainings at once; by default one at a time.

    Returns:
        The teacher, each student without a teacher and with each method, and the file of each
        (``NAME.tflite``, measured by running it). Metrics are means over seeds and folds.
        Comparisons are paired on the test rows, with the same student without a teacher as the
        reference, files with files.

    Raises:
        UserError: A method or architecture is unknown, or the data cannot be used.
    """
    check_run_folder(Path(folder))
    seeds = seeds or (3 if settings.split.num_folds is None else 1)
    names = list(dict.fromkeys(methods)) if methods else list_ranking_methods(settings)
    architectures = list(dict.fromkeys(students or [settings.student.architecture]))
    for architecture in architectures:
        if architecture not in list_choices(RankingStudentName):
            raise UserError(
                f"there is no student {architecture!r}",
                where="student.architecture",
                hint=f"Use one of {', '.join(list_choices(RankingStudentName))}.",
            )
    if settings.split.num_folds is not None and settings.split.fold:
        raise UserError(
            "a comparison tests every fold, so that a single one has no effect",
            where="split.fold",
            hint="Leave it out.",
        )
    for name in names:  # wrong settings shall stop the comparison before hours of training
        build_row_losses(configure_ranking_method(name, settings).distillation, ())
    progress = progress or NullProgress()
    data = data or load_ranking_data(settings, progress)
    with reserve_run_folder(Path(folder)):
        comparison = _Comparison(settings, Path(folder), progress, data)
        return _compare(comparison, names, architectures, seeds, pool or ProcessPool())


@dataclass(frozen=True)
class _Training:
    """A student to train.

    Attributes:
        fold: The fold of its rows.
        architecture: Its architecture.
        method: How it is distilled; None for not at all.
        seed: Added to the seed of the settings.
    """

    fold: int
    architecture: str
    method: str | None
    seed: int

    def __str__(self) -> str:
        return f"{self.architecture} {self.method or STUDENT_ALONE}, seed {self.seed}" + (
            f", fold {self.fold}" if self.fold else ""
        )

    @property
    def slug(self) -> str:
        """Name of its folders."""
        name = checkpoint.make_slug(self.method or STUDENT_ALONE)
        return f"{self.architecture}-{name}-{self.seed}"


@dataclass(frozen=True, eq=False)
class _Measurement:
    """The test results of a model, and of its file unless it did not answer like the model."""

    models: list[ModelResult]
    predictions: list[np.ndarray]


def _compare(
    comparison: _Comparison,
    names: Sequence[str],
    architectures: Sequence[str],
    seeds: int,
    pool: ProcessPool,
) -> RankingModelTable:
    """Trains all students in a folder that no other command uses; see `compare_ranking`."""
    results = _Results(names_students=len(architectures) > 1)
    split, test_parts = _evaluate_teachers(comparison, names, results)
    trainings = [
        _Training(fold, architecture, method, seed)
        for fold in comparison.folds
        for architecture in architectures
        for method in (None, *names)
        for seed in range(seeds)
    ]
    with comparison.progress.task("trainings", len(trainings)) as advance:
        measurements = pool.map(
            _train_and_measure,
            trainings,
            comparison,
            _Comparison,
            (comparison.settings, comparison.folder, NullProgress(), comparison.data),
        )
        for training, measurement in zip(trainings, measurements, strict=True):
            advance(1, str(training))
            if not isinstance(measurement, UserError):
                results.add(results.make_name(training), training.fold, measurement)
            elif len(names) * len(architectures) == 1 or training.method is None:
                raise measurement
            else:
                results.skip(results.make_name(training), measurement.what, comparison.progress)
    comparisons = []
    for suffix in ("", ".tflite"):
        pairs = [
            (f"{results.make_name(training)}{suffix}", f"{results.make_name(alone)}{suffix}")
            for training in trainings
            if training.fold == training.seed == 0 and training.method is not None
            for alone in [replace(training, method=None)]
        ]
        complete_pairs = [
            pair
            for pair in pairs
            if all(results.count(name) == seeds * len(comparison.folds) for name in pair)
        ]
        comparisons += compare_rankers(complete_pairs, results.predictions, test_parts, split.label)
    return RankingModelTable(
        dataset=describe_ranking_dataset(
            split,
            num_test_rows=sum(map(len, test_parts)),
            notes=[f"{name} is skipped: {what}" for name, what in results.skip_reasons.items()],
        ),
        models=results.average(),
        comparisons=comparisons,
        num_seeds=seeds,
        num_folds=len(comparison.folds),
        environment=describe_environment(),
    )


def _evaluate_teachers(
    comparison: _Comparison, names: Sequence[str], results: _Results
) -> tuple[RankingSplit, list[RankingExamples]]:
    """Trains and evaluates the teacher of every fold, and computes what students learn from.

    Returns:
        The rows of the first fold, and the test rows of every fold.
    """
    test_parts: list[RankingExamples] = []
    splits: list[RankingSplit] = []
    for fold in comparison.folds:
        context, teachers = comparison.open_fold(fold)
        test_parts.append(context.split.test)
        if not splits:
            splits.append(context.split)
            for note in context.split.notes:
                comparison.progress.info(note)
        # Before the trainings, so that no two of them write to the same folder.
        for name in names:
            with contextlib.suppress(UserError, ValueError):  # its training reports the error
                settings = configure_ranking_method(name, comparison.settings)
                make_row_lesson(context.with_settings(settings), teachers)
        evaluation = context.evaluate_on_test(teachers[-1].model.predict_probabilities)
        result = make_ranker_result(TEACHER, teachers[-1], evaluation)
        results.add(TEACHER, fold, _Measurement([result], [evaluation.predictions]))
    return splits[0], test_parts


class _Results:
    """The results and predictions of all models, by name and fold.

    Args:
        names_students: Whether the names of models say which student it is.
    """

    def __init__(self, *, names_students: bool) -> None:
        self.names_students = names_students
        self.models: dict[str, list[list[ModelResult]]] = {}
        self.predictions: dict[str, list[list[np.ndarray]]] = {}
        self.skip_reasons: dict[str, str] = {}

    def make_name(self, training: _Training) -> str:
        """Returns the name of a student in the table."""
        prefix = f"{training.architecture} " if self.names_students else ""
        return prefix + (training.method or STUDENT_ALONE)

    def add(self, name: str, fold: int, measurement: _Measurement) -> None:
        """Adds those of one training, under the name of its model and of its file."""
        for result, predictions in zip(measurement.models, measurement.predictions, strict=True):
            full_name = f"{name}.tflite" if result.role == FILE_ROLE else name
            models = self.models.setdefault(full_name, [])
            by_fold = self.predictions.setdefault(full_name, [])
            while len(models) <= fold:
                models.append([])
                by_fold.append([])
            models[fold].append(replace(result, name=full_name))
            by_fold[fold].append(predictions)

    def skip(self, name: str, reason: str, progress: Progress) -> None:
        """Leaves a method out, of which a training failed."""
        if name not in self.skip_reasons:
            progress.warn(f"{name} is skipped: {reason}")
        self.skip_reasons[name] = reason

    def count(self, name: str) -> int:
        """Counts the trainings of a model; 0 if it is left out."""
        is_skipped = name.removesuffix(".tflite") in self.skip_reasons
        return 0 if is_skipped else sum(map(len, self.models.get(name, [])))

    def average(self) -> list[ModelResult]:
        """Returns the mean of each model over its seeds and folds."""
        return [
            average_results([fold for fold in folds if fold])
            for name, folds in self.models.items()
            if self.count(name)
        ]


class _Comparison:
    """The table that all trainings share; each worker process builds its own.

    Args:
        settings: Settings of the comparison.
        folder: Its folder.
        progress: Where to report.
        data: The table, not yet split.
    """

    def __init__(
        self, settings: RankingConfig, folder: Path, progress: Progress, data: RankingData
    ) -> None:
        self.settings, self.folder, self.progress, self.data = settings, folder, progress, data
        self._fold: tuple[int, RankingContext, list[TrainedRanker]] | None = None

    @property
    def folds(self) -> range:
        """The numbers of the folds; one without cross-validation."""
        return make_split_rules(self.settings).folds

    def open_fold(self, fold: int) -> tuple[RankingContext, list[TrainedRanker]]:
        """Splits the rows of a fold, and trains its teachers or loads them."""
        if self._fold is None or self._fold[0] != fold:
            self._fold = None  # the rows of one fold at a time
            split = encode_needed_texts(self.settings, self._split(fold), self.progress)
            folder = self.folder / f"fold-{fold}" if len(self.folds) > 1 else self.folder
            context = RankingContext.create(self.settings, folder, self.progress, split)
            self._fold = fold, context, load_or_train_ranking_teachers(context)
        _, context, teachers = self._fold
        return context, teachers

    def _split(self, fold: int) -> RankingSplit:
        if self.settings.split.num_folds is None:
            return self.data.split(make_split_rules(self.settings))
        split_settings = self.settings.split.model_copy(update={"fold": fold})
        settings = self.settings.model_copy(update={"split": split_settings})
        return self.data.split(make_split_rules(settings))


def _train_and_measure(comparison: _Comparison, training: _Training) -> _Measurement | UserError:
    """Trains and measures a student, or loads it from the folder of the comparison.

    Returns:
        The result, or a `UserError` of the settings, so that the other trainings continue.
    """
    context, teachers = comparison.open_fold(training.fold)
    settings = comparison.settings
    try:
        if training.method is not None:
            settings = configure_ranking_method(training.method, settings)
        student_settings = settings.student.model_copy(
            update={"architecture": training.architecture}
        )
        context = context.with_settings(
            settings.model_copy(
                update={"student": student_settings, "seed": settings.seed + training.seed}
            )
        )
        student = load_or_train_ranking_student(
            context, training.slug, teachers if training.method is not None else ()
        )
    except UserError as error:
        return error
    test = context.split.test
    quantization = choose_quantization(settings)
    key = context.cache.make_key(
        student=checkpoint.compute_fingerprint(student.model),
        quantization=quantization.value,
        batch_size=settings.export.batch_size,
        test=hash_arrays(test.categorical, test.numeric, test.labels),
    )
    folder = context.folder / "compare" / training.slug

    def build(temporary: Path) -> None:
        measurement = _measure(context, student, quantization, temporary)
        arrays = {str(place): array for place, array in enumerate(measurement.predictions)}
        write_npz(temporary / PREDICTIONS_FILE, arrays, compress=True)
        models = [asdict(model) for model in measurement.models]
        atomic.write_json(temporary / MODELS_FILE, models)

    context.cache.build_once(folder, key, build)
    arrays = read_arrays(folder / PREDICTIONS_FILE)
    return _Measurement(
        read_record(folder / MODELS_FILE, list[ModelResult]),
        [arrays[str(place)] for place in range(len(arrays))],
    )


def choose_quantization(settings: RankingConfig) -> Quantization:
    """Returns the quantization of the files: that of the bundle; of ``auto`` dynamic-int8."""
    export = settings.export
    if export.bundle_quantization != "auto":
        return Quantization(export.bundle_quantization)
    has_dynamic = Quantization.DYNAMIC_INT8.value in export.quantizations
    return Quantization.DYNAMIC_INT8 if has_dynamic else Quantization(export.quantizations[0])


def _measure(
    context: RankingContext, student: TrainedRanker, quantization: Quantization, folder: Path
) -> _Measurement:
    """Evaluates a student, and its file by running it."""
    model: RankingModel = student.model
    evaluation = context.evaluate_on_test(model.predict_probabilities)
    result = make_ranker_result("student", student, evaluation)
    try:
        content, _ = export_ranking_file(
            model,
            quantization,
            train=context.split.train,
            test=context.split.test,
            batch_size=context.settings.export.batch_size,
            seed=context.settings.seed,
        )
    except ParityError as error:
        context.progress.warn(f"{student.name}: no {quantization.value} file: {error}")
        return _Measurement([result], [evaluation.predictions])
    atomic.write_bytes(folder / EXPORTED_FILE, content)
    predict = make_file_predict_fn(PredictionModel(content), model.layout)
    file_evaluation = context.evaluate_on_test(predict)
    file_result = make_ranking_model_result(
        student.name,
        FILE_ROLE,
        quantization.value,
        file_evaluation,
        num_parameters=result.parameters,
        num_bytes=len(content),
        seconds=student.seconds,
    )
    return _Measurement(
        [result, file_result], [evaluation.predictions, file_evaluation.predictions]
    )
