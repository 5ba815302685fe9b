"""Cleans and splits a data set as the settings say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kd_tf.config import Config
from kd_tf.data import prepare
from kd_tf.data.clean import CleaningRules, CleaningStep
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Interactions
from kd_tf.data.prepare import PreparedData, SplitOptions
from kd_tf.data.split import Split
from kd_tf.data.values.times import parse_time_setting
from kd_tf.evaluation.candidates import COLD

COVERED_USER_SHARE = 0.95
"""Share of training users whose whole history a student sees by default."""

MAX_LENGTH_RANGE = (50, 200)
"""Bounds of the default history length: shorter saves nothing, longer slows down an app for the
sake of few users."""


def prepare_data(settings: Config, dataset: Dataset) -> PreparedData:
    """Cleans and splits the interactions, and checks the splits for leakage.

    With the candidates ``cold``, the test part is that of `HeldOutSet.select_cold_items`.

    Raises:
        UserError: A setting does not fit the data.

    Example:
        >>> from kd_tf import config
        >>> from kd_tf.pipeline.stages.load import load_dataset
        >>> settings = config.from_values({"data": {"synthetic_items": 60, "synthetic_users": 150}})
        >>> prepared = prepare_data(settings, load_dataset(settings))
        >>> prepared.split.num_items, len(prepared.split.test.histories)
        (60, 30)
    """
    prepared_data = prepare.prepare_splits(
        dataset, make_cleaning_rules(settings), _make_options(settings), seed=settings.seed
    )
    if settings.evaluation.candidates != COLD:
        return prepared_data
    splits = [replace(split, test=split.test.select_cold_items()) for split in prepared_data.splits]
    return replace(prepared_data, splits=splits)


def clean_interactions(
    settings: Config, dataset: Dataset
) -> tuple[Interactions, list[CleaningStep]]:
    """Cleans the interactions; a published split is returned unchanged.

    Returns:
        The remaining interactions, and the counts of each cleaning step.

    Raises:
        UserError: A setting does not fit the data, or nothing is left.
    """
    return prepare.clean_interactions(
        dataset, make_cleaning_rules(settings), _make_options(settings)
    )


def make_cleaning_rules(settings: Config) -> CleaningRules:
    """Returns the cleaning rules of the settings, with times in seconds.

    Raises:
        UserError: A time cannot be read.
    """
    values = settings.cleaning.model_dump()
    for bound in ("since", "until"):
        if values[bound] is not None:
            values[bound] = parse_time_setting(values[bound], f"cleaning.{bound}")
    return CleaningRules(**values)


def _make_options(settings: Config) -> SplitOptions:
    values = settings.split.model_dump()
    return SplitOptions(**values, keep_repeated=settings.data.on_bad_rows == "skip")


def choose_max_length(settings: Config, split: Split) -> int:
    """Returns L: that of the settings, or what 95 % of the training users need, in tens."""
    if settings.export.max_length is not None:
        return settings.export.max_length
    needed_length = (
        float(np.quantile(split.train.lengths, COVERED_USER_SHARE)) if len(split.train) else 0.0
    )
    return int(np.clip(10 * np.ceil(needed_length / 10), *MAX_LENGTH_RANGE))
