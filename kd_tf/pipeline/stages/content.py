"""Encodes what items are about, and gives new items their place in trained models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from kd_tf.cache_folder import find_cache_folder
from kd_tf.config import Config
from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.features.content import ContentFeatures
from kd_tf.data.features.encode import encode_content
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.errors import UserError
from kd_tf.pipeline.stages.load import find_synthetic_covers
from kd_tf.progress import Progress

if TYPE_CHECKING:
    from kd_tf.models.teachers.content_tower import ContentTowerTeacher

CONTENT_TOWER = "content-tower"
"""The teacher that can be transferred to another catalog."""


def encode_dataset(settings: Config, dataset: Dataset, progress: Progress) -> Dataset:
    """Encodes the texts and images that the settings name; vectors are kept in the user's cache.

    With the protocol cold-items all texts are encoded if the settings name neither texts nor
    images: without any, no model knows anything of an item that nobody has read.

    Returns:
        The data set with `Dataset.content`, or as it is if nothing is encoded.

    Raises:
        UserError: A column or encoder is unknown, or no item has any text or image.
        MissingExtraError: The extra of an encoder is not installed.
    """
    choice = settings.content
    if not choice.text and not choice.image and settings.split.protocol != COLD_ITEMS:
        return dataset
    content, notes = encode_chosen_content(settings, dataset.catalog, progress)
    return dataclasses.replace(dataset, content=content, notes=(*dataset.notes, *notes))


def encode_chosen_content(
    settings: Config, catalog: Catalog, progress: Progress
) -> tuple[ContentFeatures, tuple[str, ...]]:
    """Encodes the texts and images of a catalog that the settings name, or all texts.

    Returns:
        The features, and notes on images that cannot be used.

    Raises:
        UserError: A column or encoder is unknown, or no item has any text or image.
        MissingExtraError: The extra of an encoder is not installed.
    """
    choice = settings.content
    content, notes = encode_content(
        catalog,
        choice.text or (() if choice.image else None),
        choice.encoder,
        image_columns=choice.image,
        image_encoder=choice.image_encoder,
        image_folders=list_image_folders(settings),
        cache=find_cache_folder() / "vectors",
        progress=progress,
    )
    if choice.transfer_from is not None:
        content = _load_tower(choice.transfer_from).transfer_to(
            content, f"learnt in {choice.transfer_from.name}"
        )
    progress.info(f"content: {content.describe()}")
    num_unknown = int((~content.has_content).sum())
    if num_unknown:
        what = " or ".join(
            name
            for name, is_encoded in (("text", content.whole_text), ("image", choice.image))
            if is_encoded
        )
        progress.warn(f"{num_unknown:,} of {len(content):,} items have no {what} that is encoded")
    return content, notes


def _load_tower(run_folder: Path) -> ContentTowerTeacher:
    """Loads the content tower of a run, which is its teacher or a member of it."""
    # Here, because baselines of content do not need TensorFlow otherwise.
    from kd_tf.models.teachers.content_tower import ContentTowerTeacher
    from kd_tf.training import checkpoint

    for stage in (f"teachers/{CONTENT_TOWER}", "teacher"):
        folder = run_folder / stage / checkpoint.MODEL_FOLDER
        if folder.is_dir():
            model = checkpoint.load(folder)
            if isinstance(model, ContentTowerTeacher):
                return model
    raise UserError(
        f"the run {run_folder} has no teacher {CONTENT_TOWER}",
        where="content.transfer_from",
        hint=f"Train one there: kd-tf run ... --teacher {CONTENT_TOWER} --text title,authors "
        "--encoder static.",
    )


def list_image_folders(settings: Config) -> list[Path]:
    """Lists the folders in which images may be: by default those of the tables.

    Example:
        >>> from kd_tf import config
        >>> own = {"dataset": "csv", "interactions": "shop/loans.csv", "items": "books/items.csv"}
        >>> [folder.as_posix() for folder in list_image_folders(config.from_values({"data": own}))]
        ['books', 'shop']
    """
    data = settings.data
    if data.synthetic_covers:
        return [find_synthetic_covers(settings)]
    if settings.content.image_folder is not None:
        return [settings.content.image_folder]
    tables = (
        data.items,
        *(table.path for table in data.item_tables),
        *(data.interactions, data.train, data.data_dir),
    )
    folders = [path if path.is_dir() else path.parent for path in tables if path is not None]
    return list(dict.fromkeys(folders))
