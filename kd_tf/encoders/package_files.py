"""Finds weights that come inside packages of the extra ``text``, without running the packages."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

from kd_tf.errors import UserError
from kd_tf.extras import find_extra, require_modules


def find_package_file(module: str, relative_path: str) -> Path:
    """Returns the path of a file in an installed package, which is not imported.

    Args:
        module: Name of the package's top-level module.
        relative_path: The file in it.

    Raises:
        MissingExtraError: The package is not installed.
        UserError: It is another version, without that file.
    """
    require_modules(module)
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / relative_path
    if not path.is_file():
        raise UserError(
            f"the package {module} has no file {relative_path}",
            where=str(path.parent),
            hint=f"Install the version that is known to have it: pip install "
            f"'kd_tf[{find_extra(module)}]'",
        )
    return path


@lru_cache
def hash_files(*paths: Path) -> str:
    """Returns the SHA-256 of the contents of files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
