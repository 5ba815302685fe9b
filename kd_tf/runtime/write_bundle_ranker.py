"""Writes the ranker of a bundle: a bundle of the ranking task with two more files."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import (
    CONFIG_FILE,
    ITEMS_FILE,
    RANKER_FOLDER,
    SOURCES_FILE,
    check_bundle_folder,
    encode_with_own_hash,
    hash_files,
    write_verified_files,
)
from kd_tf.runtime.item_values import ItemValues, encode_items
from kd_tf.runtime.ranker_bundle import RankerBundle
from kd_tf.runtime.row_sources import RowSources, encode_sources


def write_bundle_ranker(
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
