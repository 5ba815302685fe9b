"""From settings to data: which reader is called, what is cleaned away, who is held out."""

from __future__ import annotations

import numpy as np

from kd_tf.config import Config
from kd_tf.data import examples
from kd_tf.data.clean import CleaningStep, clean
from kd_tf.data.interactions import Dataset, Interactions
from kd_tf.data.readers.delimited import BookColumns, InteractionColumns, read_delimited
from kd_tf.data.readers.goodbooks import read_goodbooks
from kd_tf.data.readers.synthetic import read_synthetic
from kd_tf.data.split import Split, unseen_users

CALIBRATION_HISTORIES = 500
GOODBOOKS_MIN_RATING = 4.0
"""Readers rated these books from 1 to 5; 4 and 5 are those that they liked."""


def read(settings: Config) -> Dataset:
    """The data set that the settings name."""
    data = settings.data
    if data.dataset == "synthetic":
        return read_synthetic(
            books=data.synthetic_books, readers=data.synthetic_readers, seed=settings.seed
        )
    if data.dataset == "goodbooks":
        assert data.data_dir is not None
        return read_goodbooks(data.data_dir, on_bad_rows=data.on_bad_rows)
    assert data.interactions is not None
    return read_delimited(
        data.interactions,
        InteractionColumns(**data.columns.model_dump()),
        books=data.books,
        book_columns=BookColumns(**data.book_columns.model_dump()) if data.books else None,
        on_bad_rows=data.on_bad_rows,
        name=settings.name,
    )


def divide(settings: Config, dataset: Dataset) -> tuple[Interactions, list[CleaningStep], Split]:
    """Cleans the interactions and holds readers out."""
    min_rating = settings.data.min_rating
    if min_rating is None and settings.data.dataset == "goodbooks":
        min_rating = GOODBOOKS_MIN_RATING
    interactions, steps = clean(
        dataset.interactions,
        min_rating=min_rating,
        min_user_interactions=settings.data.min_user_interactions,
    )
    test = settings.split.test_users or min(5000, max(interactions.users // 5, 1))
    split = unseen_users(
        interactions,
        test_users=test,
        validation_users=settings.split.validation_users or max(test // 2, 1),
        held_out=settings.split.held_out,
        seed=settings.seed,
    )
    return interactions, steps, split


def draw_examples(
    settings: Config, split: Split, purpose: int, *, ordered: bool
) -> examples.Examples:
    """Examples for one purpose; teacher and student learn from different cuts."""
    return examples.draw(
        split.train,
        passes=settings.examples.passes,
        history_length=settings.export.history_length,
        targets=settings.examples.targets or (4 if ordered else 16),
        ordered=ordered,
        seed=1000 * settings.seed + purpose,
    )


def calibration(settings: Config, split: Split) -> np.ndarray:
    """int32 [n, L]: parts of training histories, short and long, that give int8 its ranges.

    Whole histories would not do: the fewer books a reader has, the more each of them counts, and
    a range that never saw a short history cuts it off.
    """
    return examples.draw(
        split.train,
        passes=1,
        history_length=settings.export.history_length,
        targets=1,
        ordered=True,
        seed=1000 * settings.seed + 3,
    ).history[0][:CALIBRATION_HISTORIES]
