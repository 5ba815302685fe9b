"""Loads or generates the data set that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from kd_tf import config
from kd_tf.cache_folder import find_cache_folder
from kd_tf.config import Config
from kd_tf.data.dataset import Dataset
from kd_tf.data.sources.amazon_reviews import read_amazon_reviews
from kd_tf.data.sources.book_crossing import read_book_crossing
from kd_tf.data.sources.friend_tables import join_friends
from kd_tf.data.sources.goodbooks import read_goodbooks
from kd_tf.data.sources.gowalla import read_gowalla
from kd_tf.data.sources.interaction_rows import InteractionColumns
from kd_tf.data.sources.item_rows import ItemColumns
from kd_tf.data.sources.item_tables import join_item_table
from kd_tf.data.sources.movielens import read_movielens
from kd_tf.data.sources.netflix_prize import read_netflix_prize
from kd_tf.data.sources.own_tables import read_files
from kd_tf.data.sources.presplit_tables import read_presplit_tables
from kd_tf.data.sources.table_options import TableOptions, ValueOptions
from kd_tf.data.sources.user_item_lists import read_user_item_lists
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.data.values.rules import ValueRules
from kd_tf.errors import UserError
from kd_tf.progress import Progress


def load_dataset(settings: Config) -> Dataset:
    """Reads or generates the data set that the settings name.

    Raises:
        UserError: Its files cannot be read.
    """
    dataset = _load_source(settings)
    for table in settings.data.item_tables:
        dataset = join_item_table(
            dataset, table.path, table.id, on_bad_rows=settings.data.on_bad_rows
        )
    if settings.data.friends is not None:
        dataset = join_friends(
            dataset,
            settings.data.friends,
            on_bad_rows=settings.data.on_bad_rows,
            values=_make_id_rules(settings.data),
        )
    return dataset


def _make_id_rules(data: config.Data) -> ValueRules:
    """Returns how ids are written in tables beside the interactions: as there."""
    if data.null_values is None:
        return ValueRules(normalize_ids=data.normalize_ids)
    return ValueRules(null_values=data.null_values, normalize_ids=data.normalize_ids)


def _load_source(settings: Config) -> Dataset:
    """Reads or generates interactions and catalog."""
    data = settings.data
    if data.dataset == "synthetic":
        return generate_bookshop(
            num_items=data.synthetic_items,
            num_users=data.synthetic_users,
            seed=settings.seed,
            covers=find_synthetic_covers(settings) if data.synthetic_covers else None,
            has_friends=data.synthetic_friends,
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


def find_synthetic_covers(settings: Config) -> Path:
    """Returns the folder, among the user's caches, of the covers that the bookshop draws."""
    name = f"{settings.data.synthetic_items}-items-seed-{settings.seed}"
    return find_cache_folder() / "synthetic-covers" / name


def report_id_match(dataset: Dataset, progress: Progress) -> None:
    """Reports how many items with interactions the item table has, if there is one."""
    if dataset.id_match is not None:
        progress.info(dataset.id_match.describe())


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
    item_columns = ItemColumns(**data.item_columns.model_dump())
    options = cast(
        "TableOptions",
        {
            **data.format.model_dump(),
            "item_format": data.item_format.model_dump(),
            **{name: getattr(data, name) for name in ValueOptions.__annotations__},
        },
    )
    if data.train is not None and data.test is not None:
        return read_presplit_tables(
            data.train,
            data.test,
            columns,
            validation=data.validation,
            items=data.items,
            item_columns=item_columns,
            name=settings.name,
            **options,
        )
    if data.interactions is None:
        raise UserError(
            "there are no interactions, only a table of items",
            hint="Give them with --interactions. Items alone give a recommender by texts: "
            "kd-tf run --items FILE.",
        )
    return read_files(
        data.interactions,
        columns,
        items=data.items,
        item_columns=item_columns,
        name=settings.name,
        **options,
    )
