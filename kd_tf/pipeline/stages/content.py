"""Encodes what items are about, and gives new items their place in trained models."""

from __future__ import annotations

import dataclasses

from kd_tf.cache_folder import find_cache_folder
from kd_tf.config import Config
from kd_tf.data.catalog import Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.features.content import ContentFeatures
from kd_tf.data.features.encode import encode_catalog
from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.data.splits.cold_items import COLD_ITEMS
from kd_tf.progress import Progress


def encode_content(settings: Config, dataset: Dataset, progress: Progress) -> Dataset:
    """Encodes the texts that the settings name; vectors are kept in the user's cache folder.

    With the protocol cold-items all texts are encoded if the settings name none: without texts, no
    model knows anything of an item that nobody has read.

    Returns:
        The data set with `Dataset.content`, or as it is if no text is encoded.

    Raises:
        UserError: A column or encoder is unknown, or no item has any text.
    """
    if not settings.content.text and settings.split.protocol != COLD_ITEMS:
        return dataset
    return dataclasses.replace(dataset, content=encode_texts(settings, dataset.catalog, progress))


def encode_texts(settings: Config, catalog: Catalog, progress: Progress) -> ContentFeatures:
    """Encodes the texts of a catalog that the settings name, or all.

    Raises:
        UserError: A column or encoder is unknown, or no item has any text.
    """
    content = encode_catalog(
        catalog,
        settings.content.text or None,
        [name.strip() for name in settings.content.encoder.split(",")],
        cache=VectorCache(find_cache_folder() / "vectors"),
        progress=progress,
    )
    progress.info(f"content: {content.describe()}")
    num_unknown = int((~content.has_content).sum())
    if num_unknown:
        progress.warn(f"{num_unknown:,} of {len(content):,} items have no text that is encoded")
    return content
