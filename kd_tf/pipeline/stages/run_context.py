"""Defines what all stages of a run share: settings, data, validation metric and cache."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.data.prepare import ensure_validation_split
from kd_tf.data.split import Split
from kd_tf.errors import UserError
from kd_tf.evaluation.candidates import SampledCandidates, parse_candidates
from kd_tf.evaluation.evaluate import Evaluation, ScoreFn, TrainingStatistics, evaluate
from kd_tf.evaluation.validation import ValidationMetric
from kd_tf.models.base import HistoryModel
from kd_tf.models.content.item_mixtures import ItemMixtures, fit_item_mixtures
from kd_tf.pipeline.stages.cache import Cache, make_shared_key
from kd_tf.pipeline.stages.content import encode_dataset
from kd_tf.pipeline.stages.load import report_id_match
from kd_tf.pipeline.stages.model_results import describe_dataset
from kd_tf.pipeline.stages.prepare import (
    choose_max_length,
    prepare_data,
)
from kd_tf.pipeline.stages.sizes import (
    TABLE_KS,
    check_evaluation_sizes,
    choose_export_sizes,
    describe_export_sizes,
)
from kd_tf.progress import Progress
from kd_tf.report.results import DatasetResult


@dataclass(frozen=True)
class RunContext:
    """The settings, the prepared data and the cache of one run; see `RunContext.create`.

    Attributes:
        settings: All settings of the run.
        folder: The run's folder.
        progress: Where to report.
        dataset: The data set before cleaning.
        dataset_summary: The data set as results.json describes it.
        split: Training, validation and test data; the validation part is not empty.
        max_length: L of the student.
        statistics: Statistics of the training users that the metrics need.
        candidates: The sampled candidates of the ranking metrics; None for a full ranking.
        validation_metric: NDCG@10 on the validation users.
        cache: The finished stages in `folder`.

    Example:
        >>> from kd_tf import config
        >>> from kd_tf.pipeline.stages.load import load_dataset
        >>> from kd_tf.progress import NullProgress
        >>> settings = config.from_values({"data": {"synthetic_items": 60, "synthetic_users": 150}})
        >>> context = RunContext.create(
        ...     settings, Path("run"), NullProgress(), load_dataset(settings)
        ... )
        >>> context.split.num_items, context.max_length, context.ks
        (60, 50, (10, 20))
    """

    settings: Config
    folder: Path
    progress: Progress
    dataset: Dataset
    dataset_summary: DatasetResult
    split: Split
    max_length: int
    statistics: TrainingStatistics
    candidates: SampledCandidates | None
    validation_metric: ValidationMetric
    cache: Cache

    @classmethod
    def create(
        cls, settings: Config, folder: Path, progress: Progress, dataset: Dataset
    ) -> RunContext:
        """Cleans and splits the data set, and prepares what the stages share.

        Args:
            settings: All settings of the run.
            folder: The run's folder.
            progress: Where to report.
            dataset: The data set before cleaning.

        Raises:
            UserError: The data or a setting cannot be used.
        """
        report_id_match(dataset, progress)
        candidates = parse_candidates(settings.evaluation.candidates, settings.seed)
        dataset = encode_dataset(settings, dataset, progress)
        prepared_data = prepare_data(settings, dataset)
        split = ensure_validation_split(prepared_data.split)
        if split.train.lengths.max(initial=0) < 2:
            raise UserError(
                "no training user has two items, so nothing shows which items go together",
                hint="Add more interactions, or choose another protocol or smaller shares.",
            )
        summary = dataclasses.replace(
            describe_dataset(settings, prepared_data, split),
            candidates=settings.evaluation.candidates,
        )
        summary.notes.extend(check_evaluation_sizes(settings, candidates, split.num_items))
        summary.notes.extend(describe_export_sizes(settings.export, split.num_items))
        for note in summary.notes:
            progress.warn(note)
        if candidates is not None:
            summary.notes.append(
                f"models rank each held-out item among {candidates.num_negatives} sampled "
                "items, but .tflite files are evaluated on all items: their metrics are not "
                "comparable with those of the models"
            )
        progress.info(
            f"{summary.users:,} users, {split.num_items:,} items, "
            f"{summary.interactions:,} interactions; {summary.train_users:,} training users, "
            f"{summary.validation_users:,} validation, {summary.test_users:,} test "
            f"({split.protocol})"
        )
        max_length = choose_max_length(settings, split)
        return cls(
            settings=settings,
            folder=folder,
            progress=progress,
            dataset=dataset,
            dataset_summary=summary,
            split=split,
            max_length=max_length,
            statistics=TrainingStatistics.from_split(split),
            candidates=candidates,
            validation_metric=ValidationMetric(split.validation, split.num_items, candidates),
            cache=Cache(folder, make_shared_key(settings, split, max_length), progress),
        )

    @cached_property
    def item_mixtures(self) -> ItemMixtures | None:
        """The items without training interactions, made of others with like content."""
        if self.split.content is None:
            return None
        return fit_item_mixtures(
            self.split.content, self.split.popularity(), progress=self.progress
        )

    def add_new_items(self, model: HistoryModel) -> bool:
        """Gives items without training interactions their place in a trained model.

        Returns:
            Whether there are any, and the model has a place for them.
        """
        if self.item_mixtures is None:
            return False
        try:
            model.mix_items(self.item_mixtures)
        except NotImplementedError as error:
            self.progress.info(f"new items are not added: {error}")
            return False
        return True

    def with_settings(self, settings: Config) -> RunContext:
        """Returns a copy with other settings for teacher, student or distillation."""
        return dataclasses.replace(self, settings=settings)

    @property
    def ks(self) -> tuple[int, ...]:
        """Cutoffs of the metrics: those of the settings, and 10 and 20, which tables show."""
        return tuple(sorted({*TABLE_KS, *self.settings.evaluation.ks}))

    @property
    def recommendations(self) -> int:
        """K, the length of a recommendation list: that of the settings, or one that fits."""
        return choose_export_sizes(self.settings.export, self.split.num_items)[0]

    @property
    def candidates_per_call(self) -> int:
        """C, the number of items that one call of ``score`` takes."""
        return choose_export_sizes(self.settings.export, self.split.num_items)[1]

    def evaluate_on_test(self, name: str, score: ScoreFn) -> Evaluation:
        """Evaluates a model on the test users.

        Args:
            name: What the progress report calls the model.
            score: The model's score function.
        """
        self.progress.info(f"evaluating {name}")
        return evaluate(
            score,
            self.split.test,
            self.statistics,
            ks=self.ks,
            candidates=self.candidates,
            progress=self.progress,
        )
