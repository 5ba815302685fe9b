"""Encodes the texts and images of a catalog."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kd_tf.data.catalog import TEXT_COLUMNS, Catalog
from kd_tf.data.dataset import Dataset
from kd_tf.data.features.content import ContentFeatures, FeatureBlock
from kd_tf.data.features.covers import encode_images
from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.encoders.base import TextEncoder, normalize_rows
from kd_tf.encoders.images.registry import STATISTICS
from kd_tf.encoders.registry import open_encoder
from kd_tf.encoders.shared_names import encode_names, split_authors, take_whole
from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress

NAME_COLUMNS = ("title", "authors", "series", "genre")
"""Columns of a few words. Each longer one is a block of its own, so that a description does not
drown the author's name."""

WORD_COUNTS = "tfidf"
"""Encoder that is used beside every other: words that two texts share say something that the
vectors of a network do not (docs/explanation/text-teachers.md)."""

NAME_LISTS = {"authors": split_authors, "series": take_whole}
"""Columns whose names count as a whole, beside the words that they are made of."""


def encode_items(
    dataset: Dataset,
    columns: Sequence[str] | None = None,
    encoder: str = WORD_COUNTS,
    *,
    image_columns: Sequence[str] = (),
    image_encoder: str = STATISTICS,
    image_folders: Sequence[str | Path] = (),
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Encodes texts and images of a data set's catalog, for models that recommend new books.

    Args:
        dataset: The data set; more columns can be joined first (`kd_tf.data.join_items`).
        columns: Columns of the catalog; by default all that hold texts of title, authors, series,
            genre and description. () leaves texts out where images are encoded.
        encoder: A name in `kd_tf.encoders.ENCODERS`, or a folder. Several, separated by commas, are
            used side by side. TF-IDF and shared names of authors and series always are.
        image_columns: Columns with paths of image files, such as ``cover``.
        image_encoder: ``statistics``, or a network of keras.applications with the file of its
            weights, as ``MobileNetV2:weights.h5``; several are separated by commas.
        image_folders: Folders of the images, to which paths are relative. No path may lead out of
            them.
        cache: Folder that keeps the vectors of pretrained encoders; by default nothing is kept.
        progress: Reports progress.

    Returns:
        The data set with `Dataset.content`, which splits and their training sets pass on, and with
        notes on images that cannot be used.

    Raises:
        UserError: A column, an encoder or the folder is unknown, or no item has any text or image.
        MissingExtraError: The extra of an encoder is not installed.

    Example:
        >>> import kd_tf as kd
        >>> data = kd.data.encode_items(kd.data.bookshop(items=60, users=80, seed=1))
        >>> data.content.describe()
        'title, authors, series, genre (tfidf); text (tfidf); authors (names); series (names)'
    """
    content, notes = encode_content(
        dataset.catalog,
        columns,
        encoder,
        image_columns=image_columns,
        image_encoder=image_encoder,
        image_folders=image_folders,
        cache=cache,
        progress=progress,
    )
    return dataclasses.replace(dataset, content=content, notes=(*dataset.notes, *notes))


def encode_content(
    catalog: Catalog,
    columns: Sequence[str] | None = None,
    encoder: str = WORD_COUNTS,
    *,
    image_columns: Sequence[str] = (),
    image_encoder: str = STATISTICS,
    image_folders: Sequence[str | Path] = (),
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[ContentFeatures, tuple[str, ...]]:
    """Encodes texts and images of a catalog; see `encode_items`.

    Returns:
        The features, and notes on images that cannot be used.
    """
    vector_cache = VectorCache(Path(cache)) if cache is not None else None
    blocks: tuple[FeatureBlock, ...] = ()
    whole_text = None
    if columns is None or columns or not image_columns:
        text = encode_catalog(
            catalog, columns, _split(encoder), cache=vector_cache, progress=progress
        )
        blocks, whole_text = text.blocks, text.whole_text
    notes: tuple[str, ...] = ()
    if image_columns:
        image_blocks, notes = encode_images(
            catalog,
            image_columns,
            _split(image_encoder),
            [Path(folder) for folder in image_folders],
            cache=vector_cache,
            progress=progress,
        )
        blocks += image_blocks
    return ContentFeatures(blocks, whole_text), notes


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def encode_catalog(
    catalog: Catalog,
    columns: Sequence[str] | None = None,
    encoders: Sequence[str] = (WORD_COUNTS,),
    *,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> ContentFeatures:
    """Encodes the texts of a catalog; see `encode_items`.

    Raises:
        UserError: A column or encoder is unknown, or no item has any text.
    """
    progress = progress or NullProgress()
    column_names = _choose_columns(catalog, columns)
    groups = _group_columns(column_names)
    opened_encoders = [open_encoder(name) for name in dict.fromkeys((*encoders, WORD_COUNTS))]
    blocks = tuple(
        _encode_block(catalog, group, encoder, cache, progress)
        for encoder in opened_encoders
        for group in groups
    )
    blocks += tuple(_encode_shared_names(catalog, column_names))
    whole_text = (
        blocks[0]
        if len(groups) == 1
        else _encode_block(catalog, column_names, opened_encoders[0], cache, progress)
    )
    return ContentFeatures(blocks, whole_text)


def _encode_shared_names(catalog: Catalog, columns: Sequence[str]) -> Iterator[FeatureBlock]:
    """Yields a block for each of authors and series in which items have a name in common."""
    for column, split in NAME_LISTS.items():
        if column in columns:
            vectors = encode_names(catalog.to_texts([column]), split)
            if vectors is not None:
                yield FeatureBlock(f"{column} (names)", vectors)


def _choose_columns(catalog: Catalog, columns: Sequence[str] | None) -> list[str]:
    """Returns the columns to encode, with ``description`` as the catalog calls it."""
    if columns is None:
        columns = [name for name in TEXT_COLUMNS if name in catalog.frame.columns]
    names = ["text" if name == "description" else name for name in columns]
    names = list(dict.fromkeys(names))
    if not names or not any(text.strip() for text in catalog.to_texts(names)):
        raise UserError(
            "no item has any text" + (f" in {', '.join(names)}" if names else ""),
            hint="Give a table of items with titles (--items, --title) or descriptions "
            "(--item-table).",
        )
    return names


def _group_columns(columns: Sequence[str]) -> list[list[str]]:
    """Groups columns of names, and puts every other column into a group of its own."""
    names = [column for column in columns if column in NAME_COLUMNS]
    return [group for group in (names, *([c] for c in columns if c not in NAME_COLUMNS)) if group]


def _encode_block(
    catalog: Catalog,
    columns: Sequence[str],
    encoder: TextEncoder,
    cache: VectorCache | None,
    progress: Progress,
) -> FeatureBlock:
    """Encodes the joined texts of some columns."""
    texts = catalog.to_texts(columns)
    encoder = encoder.fit(texts)
    label = f"{', '.join(columns)} ({encoder.name})"
    # Many editions of a book, and many books of a series, have the same text.
    distinct_texts = list(dict.fromkeys(texts))
    row_of_text = {text: row for row, text in enumerate(distinct_texts)}
    rows = np.array([row_of_text[text] for text in texts])
    if cache is not None and encoder.is_pretrained:
        vectors = cache.encode(encoder, distinct_texts, label, progress)
    else:
        vectors = encoder.encode(distinct_texts)
    space = encoder.fingerprint if encoder.is_pretrained else ""
    return FeatureBlock(label, normalize_rows(vectors[rows]), space)
