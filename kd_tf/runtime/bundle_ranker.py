"""The ranker of a bundle: a bundle of the ranking task in the folder of one that recommends.

Its files are those of `kd_tf.runtime.ranker_bundle`, in the folder ``ranker``, with items.json and
sources.json. config.json of the bundle around it has the hash of its config.json, so that neither
can be replaced alone.
"""

from __future__ import annotations

import hashlib

from kd_tf.errors import UserError
from kd_tf.runtime.bundle_files import CONFIG_FILE, RANKER_FOLDER, SOURCES_FILE, FolderFiles
from kd_tf.runtime.ranker_bundle import RankerBundle


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
