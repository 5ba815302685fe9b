"""From settings to data: which reader is called, what is cleaned away, who is held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kd_tf import config
from kd_tf.config import Config
from kd_tf.data.clean import CleaningRules, clean, describe_dropped_rows
from kd_tf.data.examples.sequences import sequences
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
MAX_LENGTH_RANGE = (50, 200)
"""Shorter would save nothing, longer would cost an app time for the sake of few readers."""

NUM_CALIBRATION_HISTORIES = 500
GOODBOOKS_MIN_RATING = 4.0
"""Readers rated these books from 1 to 5; 4 and 5 are those that they liked."""


@dataclass(frozen=True)
class PreparedData:
    """Data that is ready to learn from.

    Attributes:
        dataset: As it was read.
        interactions: What is left of it after cleaning.
        steps: What each cleaning step did, in order.
        splits: One, or one for each fold.
    """

    dataset: Dataset
    interactions: Interactions
    steps: list[CleaningStep]
    splits: list[Split]

    @property
    def split(self) -> Split:
        """The one split.

        Raises:
            UserError: There are folds.
        """
        if len(self.splits) > 1:
            raise UserError(
                "split.folds is for kd-tf baselines: a model that is shipped needs one split",
                hint="Leave split.folds out.",
            )
        return self.splits[0]


def prepare_data(settings: Config, dataset: Dataset) -> PreparedData:
    """Cleans the interactions, divides them, and checks that nothing leaks.

    Raises:
        UserError: A setting does not fit the data.
    """
    interactions, steps = clean_interactions(settings, dataset)
    if _resolve_protocol(settings, dataset) == PUBLISHED:
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
        splits = _split_interactions(settings, interactions, _resolve_protocol(settings, dataset))
        rules = _make_cleaning_rules(settings)
        # Where readers are in one part only; in time their other books could lie in the future.
        if (
            _resolve_protocol(settings, dataset) == UNSEEN_USERS
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
    """What is left after cleaning, and what each step did; a published split is left as it is.

    Raises:
        UserError: A setting does not fit the data, or nothing is left.
    """
    steps = describe_dropped_rows(dataset)
    if _resolve_protocol(settings, dataset) == PUBLISHED:
        # Not the fields that were set: a configuration that was written names every default.
        untouched = config.Cleaning()
        touched = [
            name
            for name in config.Cleaning.model_fields
            if getattr(settings.cleaning, name) != getattr(untouched, name)
        ]
        if touched:
            raise UserError(
                f"a published split is taken as it is, but cleaning.{touched[0]} is set",
                hint="Leave it out, or choose another protocol, which divides all rows anew.",
            )
        return dataset.interactions, steps
    interactions, cleaned = clean(dataset.interactions, _make_cleaning_rules(settings))
    return interactions, steps + cleaned


def _resolve_protocol(settings: Config, dataset: Dataset) -> str:
    divided = dataset.split_labels is not None
    protocol = settings.split.protocol or (PUBLISHED if divided else UNSEEN_USERS)
    if protocol == PUBLISHED and not divided:
        raise UserError(
            f"protocol {PUBLISHED} needs files that are divided already",
            hint="Give --train and --test, or choose another protocol.",
        )
    return protocol


def ensure_validation_split(split: Split) -> Split:
    """The split itself, or one that hides a part of the training books to choose by."""
    return split if len(split.validation.histories) else hold_out_validation(split)


def load_dataset(settings: Config) -> Dataset:
    """The data set that the settings name.

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
    "goodbooks": lambda place, data: read_goodbooks(place, on_bad_rows=data.on_bad_rows),
    "movielens": lambda place, data: read_movielens(place, on_bad_rows=data.on_bad_rows),
    "book-crossing": lambda place, data: read_book_crossing(
        place, feedback=data.book_crossing_feedback, on_bad_rows=data.on_bad_rows
    ),
    "amazon-reviews": lambda place, data: read_amazon_reviews(
        place, release=data.amazon_release, on_bad_rows=data.on_bad_rows
    ),
    "netflix-prize": lambda place, data: read_netflix_prize(place, on_bad_rows=data.on_bad_rows),
    "gowalla": lambda place, data: read_gowalla(place, on_bad_rows=data.on_bad_rows),
}


def _read_csv_tables(settings: Config) -> Dataset:
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
    values = settings.cleaning.model_dump()
    if values["min_rating"] is None and settings.data.dataset == "goodbooks":
        values["min_rating"] = GOODBOOKS_MIN_RATING
    for bound in ("since", "until"):
        if values[bound] is not None:
            values[bound] = _parse_seconds(values[bound], f"cleaning.{bound}")
    return CleaningRules(**values)


def _parse_seconds(text: str, name: str) -> int:
    """Seconds since 1970 of a number or of ISO 8601 text, which is UTC unless it says so."""
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
    how, seed = settings.split, settings.seed
    if protocol == UNSEEN_USERS:
        if how.num_folds:
            return make_user_folds(
                interactions, how.num_folds, held_out_share=how.held_out_share, seed=seed
            )
        test = how.test_users or min(5000, max(interactions.num_users // 5, 1))
        validation = how.validation_users or max(test // 2, 1)
        return [
            split_unseen_users(
                interactions,
                test_users=test,
                validation_users=validation,
                held_out_share=how.held_out_share,
                seed=seed,
            )
        ]
    if protocol == LEAVE_ONE_OUT:
        return [split_leave_one_out(interactions, seed=seed)]
    shares = {"test_share": how.test_share, "validation_share": how.validation_share}
    if protocol == TEMPORAL:
        return [split_by_time(interactions, **shares)]
    assert protocol == RANDOM
    if how.num_folds:
        return make_interaction_folds(interactions, how.num_folds, seed=seed)
    return [split_random_holdout(interactions, **shares, seed=seed)]


def choose_max_length(settings: Config, split: Split) -> int:
    """L: what the settings say, or what most readers need, in steps of 10."""
    if settings.export.max_length is not None:
        return settings.export.max_length
    needed = (
        float(np.quantile(split.train.lengths, COVERED_USER_SHARE)) if len(split.train) else 0.0
    )
    return int(np.clip(10 * np.ceil(needed / 10), *MAX_LENGTH_RANGE))


def draw_examples(
    settings: Config, split: Split, purpose: int, *, has_timestamps: bool
) -> sequences.Examples:
    """Examples for one purpose; teacher and student learn from different cuts."""
    return sequences.draw_sequence_examples(
        split.train,
        num_passes=settings.examples.num_passes,
        max_length=choose_max_length(settings, split),
        num_targets=settings.examples.num_targets or (4 if has_timestamps else 16),
        chronological=has_timestamps,
        seed=1000 * settings.seed + purpose,
    )


def draw_calibration_histories(settings: Config, split: Split) -> np.ndarray:
    """int32 [n, L]: parts of training histories, short and long, that give int8 its ranges.

    Whole histories would not do: the fewer books a reader has, the more each of them counts, and
    a range that never saw a short history cuts it off.
    """
    return sequences.draw_sequence_examples(
        split.train,
        num_passes=1,
        max_length=choose_max_length(settings, split),
        num_targets=1,
        chronological=True,
        seed=1000 * settings.seed + 3,
    ).history[0][:NUM_CALIBRATION_HISTORIES]
