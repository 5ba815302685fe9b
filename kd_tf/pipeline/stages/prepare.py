"""Loads, cleans and splits the data set that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kd_tf import config
from kd_tf.config import Config
from kd_tf.data.clean import CleaningRules, clean, describe_dropped_rows
from kd_tf.data.examples import sequences
from kd_tf.data.interactions import CleaningStep, Dataset, Interactions
from kd_tf.data.sources.amazon_reviews import read_amazon_reviews
from kd_tf.data.sources.book_crossing import read_book_crossing
from kd_tf.data.sources.goodbooks import read_goodbooks
from kd_tf.data.sources.gowalla import read_gowalla
from kd_tf.data.sources.movielens import read_movielens
from kd_tf.data.sources.netflix_prize import read_netflix_prize
from kd_tf.data.sources.own_tables import InteractionColumns, ItemColumns, read_delimited
from kd_tf.data.sources.presplit_tables import read_presplit_tables
from kd_tf.data.sources.user_item_lists import read_user_item_lists
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
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.errors import UserError

COVERED_USER_SHARE = 0.95
"""Share of training users whose whole history a student sees by default."""

MAX_LENGTH_RANGE = (50, 200)
"""Bounds of the default history length: shorter saves nothing, longer slows down an app for the
sake of few users."""

NUM_CALIBRATION_HISTORIES = 500

GOODBOOKS_MIN_RATING = 4.0
"""Default for goodbooks, where users rate from 1 to 5: 4 and 5 count as positive."""

TEACHER_EXAMPLES, STUDENT_EXAMPLES, CALIBRATION_EXAMPLES = 1, 2, 3
"""Purposes of examples; each has its own random seed, so teacher and student see other cuts."""


@dataclass(frozen=True)
class PreparedData:
    """A cleaned and split data set.

    Attributes:
        dataset: The data set before cleaning.
        interactions: The interactions after cleaning.
        steps: Counts before and after each cleaning step, in order.
        splits: One split, or one per fold.

    Example:
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
        changed = [
            name
            for name in config.Cleaning.model_fields
            if getattr(settings.cleaning, name) != getattr(defaults, name)
        ]
        if changed:
            raise UserError(
                f"a published split is not cleaned, but cleaning.{changed[0]} is set",
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


def load_dataset(settings: Config) -> Dataset:
    """Reads or generates the data set that the settings name.

    Raises:
        UserError: Its files cannot be read.
    """
    data = settings.data
    if data.dataset == "synthetic":
        return generate_bookshop(
            num_items=data.synthetic_items, num_users=data.synthetic_users, seed=settings.seed
        )
    if data.dataset == "user-item-lists":
        assert data.train is not None
        assert data.test is not None
        return read_user_item_lists(
            data.train,
            data.test,
            data.validation,
            on_bad_rows=data.on_bad_rows,
            name=settings.name,
        )
    if data.dataset == "csv":
        return _read_csv_tables(settings)
    assert data.data_dir is not None
    return _LOADERS[data.dataset](data.data_dir, data)


_LOADERS: dict[str, Callable[[Path, config.Data], Dataset]] = {
    "goodbooks": lambda path, data: read_goodbooks(path, on_bad_rows=data.on_bad_rows),
    "movielens": lambda path, data: read_movielens(path, on_bad_rows=data.on_bad_rows),
    "book-crossing": lambda path, data: read_book_crossing(
        path, feedback=data.book_crossing_feedback, on_bad_rows=data.on_bad_rows
    ),
    "amazon-reviews": lambda path, data: read_amazon_reviews(
        path, release=data.amazon_release, on_bad_rows=data.on_bad_rows
    ),
    "netflix-prize": lambda path, data: read_netflix_prize(path, on_bad_rows=data.on_bad_rows),
    "gowalla": lambda path, data: read_gowalla(path, on_bad_rows=data.on_bad_rows),
}


def _read_csv_tables(settings: Config) -> Dataset:
    """Reads the user's own tables: one of interactions, or one per part of a split."""
    data = settings.data
    columns = InteractionColumns(**data.columns.model_dump())
    item_columns = ItemColumns(**data.item_columns.model_dump()) if data.items else None
    if data.train is not None and data.test is not None:
        return read_presplit_tables(
            data.train,
            data.test,
            columns,
            validation=data.validation,
            items=data.items,
            item_columns=item_columns,
            header=data.header,
            on_bad_rows=data.on_bad_rows,
            name=settings.name,
        )
    assert data.interactions is not None
    return read_delimited(
        data.interactions,
        columns,
        items=data.items,
        item_columns=item_columns,
        header=data.header,
        on_bad_rows=data.on_bad_rows,
        name=settings.name,
    )


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
    needed = (
        float(np.quantile(split.train.lengths, COVERED_USER_SHARE)) if len(split.train) else 0.0
    )
    return int(np.clip(10 * np.ceil(needed / 10), *MAX_LENGTH_RANGE))


def draw_examples(
    settings: Config, split: Split, purpose: int, *, has_timestamps: bool
) -> sequences.Examples:
    """Samples training examples from the training histories.

    Args:
        settings: All settings of the run.
        split: Its training part is sampled from.
        purpose: `TEACHER_EXAMPLES` or `STUDENT_EXAMPLES`: each has its own seed.
        has_timestamps: Whether histories are in order of time.
    """
    return sequences.draw_sequence_examples(
        split.train,
        num_passes=settings.examples.num_passes,
        max_length=choose_max_length(settings, split),
        num_targets=settings.examples.num_targets or (4 if has_timestamps else 16),
        chronological=has_timestamps,
        seed=1000 * settings.seed + purpose,
    )


def draw_calibration_histories(settings: Config, split: Split) -> np.ndarray:
    """Samples the histories that calibrate the ranges of int8 activations.

    They are parts of training histories, short and long. Whole histories alone would give too
    small ranges: the shorter a history, the more each of its items weighs.

    Returns:
        int32 [n, L], at most `NUM_CALIBRATION_HISTORIES` rows.
    """
    return sequences.draw_sequence_examples(
        split.train,
        num_passes=1,
        max_length=choose_max_length(settings, split),
        num_targets=1,
        chronological=True,
        seed=1000 * settings.seed + CALIBRATION_EXAMPLES,
    ).history[0][:NUM_CALIBRATION_HISTORIES]
