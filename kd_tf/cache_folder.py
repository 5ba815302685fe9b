"""The folder in which what took long is kept for later runs, apart from any run."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "KD_TF_CACHE"
"""Environment variable that names another folder."""


def find_cache_folder() -> Path:
    """Returns ``$KD_TF_CACHE``, or ``kd_tf`` in the user's folder for caches; it may not exist yet.

    Example:
        >>> find_cache_folder().name
        'kd_tf'
    """
    if folder := os.environ.get(VARIABLE):
        return Path(folder)
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "kd_tf"
