"""The ranker of a bundle: a bundle of the ranking task in the folder of one that recommends.

Its files are those of `kd_tf.runtime.ranker_bundle`, in the folder ``ranker``, with items.json and
sources.json. config.json of the bundle around it has the hash of its config.json, so that neither
can be replaced alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

from kd_tf.errors import UserError
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import (
    CONFIG_FILE,
    ITEMS_FILE,
    RANKER_FOLDER,
    SOURCES_FILE,
    FolderFiles,
    check_bundle_folder,
    encode_with_own_hash,
    hash_files,
    write_verified_files,
)
from kd_tf.runtime.item_values import ItemValues, encode_items
from kd_tf.runtime.ranker_bundle import RankerBundle
from kd_tf.runtime.row_sources import RowSources, encode_sources


def open_bundle_ranker(files: FolderFiles, expected_hash: str) -> RankerBundle:
    """Opens the ranker in the folder of a bundle.

    Args:
        files: The bundle's folder.
        expected_hash: SHA-256 of the ranker's config.json, as the bundle says.

    Raises:
        UserError: A file is missing or was changed, or this is the ranker of another bundle.
    """
    folder = files.open_folder(RANKER_FOLDER)
    try:
        ranker = RankerBundle.open_files(folder)
    finally:
        folder.close()
    where = str(folder.folder / CONFIG_FILE)
    if hashlib.sha256(ranker.files[CONFIG_FILE]).hexdigest() != expected_hash.lower():
        raise UserError(
            f"this is not the ranker of the bundle: its SHA-256 differs from {CONFIG_FILE}",
            where=where,
            hint="Copy the whole bundle again, or add the ranker with kd-tf add-ranker: its "
            "folder alone cannot be replaced.",
        )
    if ranker.sources is None:
        raise UserError(
            f"the ranker has no {SOURCES_FILE}, which says where a device finds its columns",
            where=where,
            hint="Add the ranker again with kd-tf add-ranker.",
        )
    return ranker


def add_ranker_files(
    bundle: Bundle,
    ranker: RankerBundle,
    items: ItemValues,
    sources: RowSources,
    check: Callable[[Bundle], object] | None = None,
) -> Bundle:
    """Writes a bundle anew with a bundle of the ranking task in it; replaces an earlier one.

    Written atomically: an interrupted run leaves the folder as it was.

    Args:
        bundle: The bundle that recommends.
        ranker: The bundle of the ranking task; nothing is written into its own folder.
        items: What it takes of each item.
        sources: Where a device finds its columns.
        check: Gets the new bundle before it takes the place of the old one, and raises if it is
            not good enough.

    Returns:
        The bundle, opened and verified.

    Raises:
        UserError: The disk is full, or the folder cannot be written or has other files.
    """
    check_bundle_folder(bundle.folder)
    files = {name: bundle.files[name] for name in bundle.config.sha256}
    ranker_files = {name: ranker.files[name] for name in ranker.config.sha256}
    ranker_files |= {ITEMS_FILE: encode_items(items), SOURCES_FILE: encode_sources(sources)}
    ranker_config = encode_with_own_hash(
        dataclasses.replace(ranker.config, sha256=hash_files(ranker_files)).to_json()
    )
    ranker_files[CONFIG_FILE] = ranker_config
    config = dataclasses.replace(
        bundle.config, ranker_sha256=hashlib.sha256(ranker_config).hexdigest()
    )
    written_bundle = write_verified_files(
        bundle.folder,
        files,
        lambda hashes: dataclasses.replace(config, sha256=hashes).to_json(),
        Bundle.open,
        check,
        {f"{RANKER_FOLDER}/{name}": content for name, content in ranker_files.items()},
    )
    return dataclasses.replace(written_bundle, folder=bundle.folder)
