"""Encodes the images of a catalog, such as covers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from kd_tf.data.catalog import Catalog
from kd_tf.data.features.content import FeatureBlock
from kd_tf.data.features.vector_cache import VectorCache
from kd_tf.encoders.images.base import ImageEncoder
from kd_tf.encoders.images.image_files import (
    ImageFile,
    UnusableImageError,
    find_image,
    is_web_address,
    read_pixels,
)
from kd_tf.encoders.images.registry import open_image_encoder
from kd_tf.errors import UserError
from kd_tf.progress import NullProgress, Progress

MAX_EXAMPLES = 5
"""Images that cannot be used and are named; all are counted."""


def encode_images(
    catalog: Catalog,
    columns: Sequence[str],
    encoders: Sequence[str],
    folders: Sequence[Path],
    *,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> tuple[tuple[FeatureBlock, ...], tuple[str, ...]]:
    """Encodes the images whose paths are in a catalog.

    Args:
        catalog: The items.
        columns: Its columns of paths, such as ``cover``.
        encoders: Names as of `open_image_encoder`; several are used side by side.
        folders: Folders in which the images are. Paths are relative to one of them, or absolute;
            none leads out of them. Addresses of the web are not fetched.
        cache: Keeps the vectors.
        progress: Reports progress.

    Returns:
        A block for each column and encoder, and notes for the user: which images cannot be used.

    Raises:
        UserError: There is no such column, encoder or folder, or no image can be used.
        MissingExtraError: A package of the extra image is not installed.
    """
    progress = progress or NullProgress()
    paths_of_column = {column: _list_paths(catalog, column) for column in columns}
    opened_encoders = [open_image_encoder(name) for name in dict.fromkeys(encoders)]
    if not folders:
        raise UserError(
            "the folder of the images is not known",
            hint="Set content.image_folder, or image_folders in Python.",
        )
    for folder in folders:
        if not folder.expanduser().is_dir():
            raise UserError(
                "there is no such folder with images",
                where=str(folder),
                hint="Set content.image_folder to the folder of the images.",
            )
    blocks: list[FeatureBlock] = []
    notes: list[str] = []
    for column, paths in paths_of_column.items():
        column_blocks, column_notes = _encode_column(
            column, paths, opened_encoders, folders, cache, progress
        )
        blocks += column_blocks
        notes += column_notes
    return tuple(blocks), tuple(notes)


def _encode_column(
    column: str,
    paths: Sequence[str],
    encoders: Sequence[ImageEncoder],
    folders: Sequence[Path],
    cache: VectorCache | None,
    progress: Progress,
) -> tuple[list[FeatureBlock], list[str]]:
    """Encodes the images of one column: a block for each encoder, and notes."""
    reasons: dict[str, str] = {}
    images: dict[str, ImageFile] = {}
    # Editions of a book often have the same cover.
    distinct_paths = list(dict.fromkeys(path for path in paths if path))
    num_addresses = sum(map(is_web_address, paths))
    files = [path for path in distinct_paths if not is_web_address(path)]
    with progress.task(f"reading {column}", len(files)) as advance:
        for path in files:
            try:
                images[path] = find_image(path, folders)
            except UnusableImageError as error:
                reasons[path] = str(error)
            advance()
    distinct_images: dict[bytes, ImageFile] = {}
    for image in images.values():
        distinct_images.setdefault(image.digest, image)
    row_of_digest = {digest: row for row, digest in enumerate(distinct_images)}
    blocks = []
    for encoder in encoders if images else ():
        vectors = _encode_files(
            encoder, list(distinct_images.values()), f"{column} ({encoder.name})", cache, progress
        )
        for path, image in images.items():
            if path not in reasons and not vectors[row_of_digest[image.digest]].any():
                reasons[path] = _explain(image, encoder)
        vectors = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
        rows = [row_of_digest[images[path].digest] if path in images else -1 for path in paths]
        label = f"{column} ({encoder.name})"
        blocks.append(FeatureBlock(label, vectors[rows], encoder.fingerprint))
    notes = _describe(column, paths, num_addresses, reasons)
    if not any(path in images and path not in reasons for path in paths):
        raise UserError(
            "; ".join([f"the column {column} has no image that can be used", *notes]),
            where=", ".join(map(str, folders)),
            hint="The column must hold paths of image files, relative to the table's folder or to "
            "content.image_folder.",
        )
    return blocks, notes


def _list_paths(catalog: Catalog, column: str) -> list[str]:
    """Returns the path of each item's image; "" where there is none.

    Raises:
        UserError: There is no such column of texts.
    """
    if catalog.frame.schema.get(column) != pl.String or column == "item_id":
        raise UserError(
            f"the catalog has no column {column!r} with paths of images",
            hint="Name the column in data.item_columns.cover, or join a table that has it: "
            "--item-table FILE --item-table-id COLUMN. The synthetic bookshop draws covers with "
            "--set data.synthetic_covers=true.",
        )
    return [path.strip() for path in catalog.frame[column].fill_null("").to_list()]


def _encode_files(
    encoder: ImageEncoder,
    images: Sequence[ImageFile],
    label: str,
    cache: VectorCache | None,
    progress: Progress,
) -> np.ndarray:
    if cache is not None:
        return cache.encode(encoder, images, label, progress)
    parts = []
    with progress.task(f"encoding {label}", len(images)) as advance:
        for start in range(0, len(images), encoder.batch_size):
            batch = images[start : start + encoder.batch_size]
            parts.append(encoder.encode(batch))
            advance(len(batch))
    return np.concatenate(parts)


def _explain(image: ImageFile, encoder: ImageEncoder) -> str:
    """Says why an image has no vector."""
    try:
        read_pixels(image, encoder.width, encoder.height)
    except UnusableImageError as error:
        return str(error)
    return f"{encoder.name} has no finite features of it"


def _describe(
    column: str, paths: Sequence[str], num_addresses: int, reasons: dict[str, str]
) -> list[str]:
    """Says how many items have no image that can be used, and why."""
    notes = []
    num_blank = sum(not path for path in paths)
    if num_blank:
        notes.append(f"{num_blank:,} of {len(paths):,} items have no path in {column}")
    if num_addresses:
        notes.append(
            f"{num_addresses:,} of {len(paths):,} items have an address of the web in {column}; "
            "images are not downloaded: download them, and give their paths"
        )
    if reasons:
        unusable_paths = [path for path in dict.fromkeys(paths) if path in reasons]
        examples = [f"{path}: {reasons[path]}" for path in unusable_paths[:MAX_EXAMPLES]]
        num_more = len(reasons) - len(examples)
        notes.append(
            f"{len(reasons):,} images of {column} cannot be used, and their items have none: "
            + "; ".join(examples)
            + (f"; and {num_more:,} more" if num_more else "")
        )
    return notes
