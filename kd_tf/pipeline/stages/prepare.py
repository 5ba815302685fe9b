"""Cleans and splits a data set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from kd_tf import config
from kd_tf.config import Config
from kd_tf.data.clean import CleaningRules, CleaningStep, clean, describe_dropped_rows
from kd_tf.data.dataset import Dataset
from kd_tf.data.interactions import Interactions
from kd_tf.data.split import Split
from kd_tf.data.splits.folds import make_interaction_folds, make_user_folds
from kd_tf.data.splits.leakage import check_leakage
from kd_tf.data.splits.leave_one_out import LEAVE_ONE_OUT, split_leave_one_out
from kd_tf.data.splits.low_rated import add_low_rated
from kd_tf.data.splits.published import PUBLISHED, split_as_published
from kd_tf.data.splits.random_holdout import RANDOM, split_random_holdout
from kd_tf.data.splits.temporal import TEMPORAL, split_by_time
from kd_tf.data.splits.unseen_users import UNSEEN_USERS, split_unseen_users
from kd_tf.data.splits.validation import hold_out_validation
from kd_tf.errors import UserError

COVERED_USER_SHARE = 0.95
"""Share of training users whose whole history a student sees by default."""

MAX_LENGTH_RANGE = (50, 200)
"""Bounds of the default history length: shorter saves nothing, longer slows down an app for the
sake of few users."""

GOODBOOKS_MIN_RATING = 4.0
"""Default for goodbooks, where users rate from 1 to 5: 4 and 5 count as positive."""


@dataclass(frozen=True)
class PreparedData:
    """A cleaned and split data set.

    Attributes:
        dataset: The data set before cleaning.
        interactions: The interactions after cleaning.
        steps: Counts before and after each cleaning step, in order.
        splits: One split, or one per fold.

    Example:
        >>> from kd_tf.pipeline.stages.load import load_dataset
        >>> settings = config.from_values({"data": {"synthetic_items": 60, "synthetic_users": 150}})
        >>> prepared = prepare_data(settings, load_dataset(settings))
        >>> prepared.split.num_items, len(prepared.split.test.histories)
        (60, 30)
    """

    dataset: Dataset
    interactions: Interactions
    steps: list[CleaningStep]
    splits: list[Split]

    @property
    def split(self) -> Split:
        """The only split.

        Raises:
            UserError: There are several folds.
        """
        if len(self.splits) > 1:
            raise UserError(
                "split.num_folds is for kd-tf baselines only: a run needs a single split",
                hint="Remove split.num_folds.",
            )
        return self.splits[0]


def prepare_data(settings: Config, dataset: Dataset) -> PreparedData:
    """Cleans and splits the interactions, and checks the splits for leakage.

    Raises:
        UserError: A setting does not fit the data.
    """
    interactions, steps = clean_interactions(settings, dataset)
    protocol = _resolve_protocol(settings, dataset)
    if protocol == PUBLISHED:
        assert dataset.split_labels is not None
        splits = [
            split_as_published(
                interactions,
                dataset.split_labels,
                show_validation=settings.split.show_validation,
                on_repeated="keep-train" if settings.data.on_bad_rows == "skip" else "stop",
            )
        ]
    else:
        splits = _split_interactions(settings, interactions, protocol)
        rules = _make_cleaning_rules(settings)
        # Low ratings are evidence only where a user is in one part: under another protocol, or with
        # time limits, a low-rated item could lie in the future of a test target.
        if (
            protocol == UNSEEN_USERS
            and rules.min_rating is not None
            and rules.since is None
            and rules.until is None
        ):
            splits = [
                add_low_rated(split, interactions, dataset.interactions, rules.min_rating)
                for split in splits
            ]
    for split in splits:
        check_leakage(split, interactions)
    return PreparedData(dataset, interactions, steps, splits)


def clean_interactions(
    settings: Config, dataset: Dataset
) -> tuple[Interactions, list[CleaningStep]]:
    """Cleans the interactions; a published split is returned unchanged.

    Returns:
        The remaining interactions, and the counts of each cleaning step.

    Raises:
        UserError: A setting does not fit the data, or nothing is left.
    """
    steps = describe_dropped_rows(dataset)
    if _resolve_protocol(settings, dataset) == PUBLISHED:
        # model_fields_set would not do: a written configuration sets every field to its default.
        defaults = config.Cleaning()
        changed_names = [
            name
            for name in config.Cleaning.model_fields
            if getattr(settings.cleaning, name) != getattr(defaults, name)
        ]
        if changed_names:
            raise UserError(
                f"a published split is not cleaned, but cleaning.{changed_names[0]} is set",
                hint="Remove it, or choose another protocol, which splits all rows anew.",
            )
        return dataset.interactions, steps
    interactions, cleaning_steps = clean(dataset.interactions, _make_cleaning_rules(settings))
    return interactions, steps + cleaning_steps


def _resolve_protocol(settings: Config, dataset: Dataset) -> str:
    """Returns the protocol of the settings, or the default for this data set."""
    is_split = dataset.split_labels is not None
    protocol = settings.split.protocol or (PUBLISHED if is_split else UNSEEN_USERS)
    if protocol == PUBLISHED and not is_split:
        raise UserError(
            f"protocol {PUBLISHED} needs data with a published split",
            hint="Set --train and --test, or choose another protocol.",
        )
    return protocol


def ensure_validation_split(split: Split) -> Split:
    """Returns the split; holds out a part of the training data if it has no validation part."""
    return split if len(split.validation.histories) else hold_out_validation(split)


def _make_cleaning_rules(settings: Config) -> CleaningRules:
    """Returns the cleaning rules, with defaults of the data set and times in seconds."""
    values = settings.cleaning.model_dump()
    if values["min_rating"] is None and settings.data.dataset == "goodbooks":
        values["min_rating"] = GOODBOOKS_MIN_RATING
    for bound in ("since", "until"):
        if values[bound] is not None:
            values[bound] = _parse_seconds(values[bound], f"cleaning.{bound}")
    return CleaningRules(**values)


def _parse_seconds(text: str, name: str) -> int:
    """Converts a number or ISO 8601 text (UTC by default) to seconds since 1970."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"{name} is {text!r}, which is neither seconds since 1970 nor an ISO 8601 time",
            hint="For example 2015-01-01.",
        ) from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _split_interactions(settings: Config, interactions: Interactions, protocol: str) -> list[Split]:
    """Splits cleaned interactions; returns one split, or one per fold."""
    options, seed = settings.split, settings.seed
    if protocol == UNSEEN_USERS:
        if options.num_folds:
            return make_user_folds(
                interactions, options.num_folds, held_out_share=options.held_out_share, seed=seed
            )
        test = options.test_users or min(5000, max(interactions.num_users // 5, 1))
        validation = options.validation_users or max(test // 2, 1)
        return [
            split_unseen_users(
                interactions,
                test_users=test,
                validation_users=validation,
                held_out_share=options.held_out_share,
                seed=seed,
            )
        ]
    if protocol == LEAVE_ONE_OUT:
        return [split_leave_one_out(interactions, seed=seed)]
    shares = {"test_share": options.test_share, "validation_share": options.validation_share}
    if protocol == TEMPORAL:
        return [split_by_time(interactions, **shares)]
    assert protocol == RANDOM
    if options.num_folds:
        return make_interaction_folds(interactions, options.num_folds, seed=seed)
    return [split_random_holdout(interactions, **shares, seed=seed)]


def choose_max_length(settings: Config, split: Split) -> int:
    """Returns L: that of the settings, or what 95 % of the training users need, in tens."""
    if settings.export.max_length is not None:
        return settings.export.max_length
    needed_length = (
        float(np.quantile(split.train.lengths, COVERED_USER_SHARE)) if len(split.train) else 0.0
    )
    return int(np.clip(10 * np.ceil(needed_length / 10), *MAX_LENGTH_RANGE))
