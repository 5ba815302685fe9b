"""Keeps the finished stages of a run in its folder, so that a second run reuses them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import __version__
from kd_tf.config import Config
from kd_tf.data.catalog import Catalog
from kd_tf.data.split import Split
from kd_tf.keyed_folder import fill_folder
from kd_tf.progress import Progress


@dataclass(frozen=True)
class Cache:
    """The finished stages of a run.

    Attributes:
        folder: The run's folder.
        shared_key: The part that the keys of all stages share; see `make_shared_key`.
        progress: Reports which stages are reused.

    Example:
        >>> import tempfile
        >>> from kd_tf.progress import NullProgress
        >>> with tempfile.TemporaryDirectory() as name:
        ...     cache = Cache(Path(name), {"seed": 42}, NullProgress())
        ...     for text in ("first", "second"):
        ...         cache.build_once(
        ...             Path(name) / "stage",
        ...             cache.make_key(setting=1),
        ...             lambda folder: (folder / "text").write_text(text),
        ...         )
        ...     (Path(name) / "stage" / "text").read_text()
        'first'
    """

    folder: Path
    shared_key: dict[str, Any]
    progress: Progress

    def make_key(self, **inputs: Any) -> dict[str, Any]:
        """Returns the key of a stage: what all stages depend on, and its own `inputs`."""
        return {**self.shared_key, **inputs}

    def build_once(self, folder: Path, key: dict[str, Any], build: Callable[[Path], Any]) -> None:
        """Fills a folder unless it was filled with the same key before; see `fill_folder`.

        Args:
            folder: The stage's folder, replaced as a whole.
            key: Everything that its content depends on.
            build: Writes the content into the folder that it gets.
        """
        name = folder.relative_to(self.folder).as_posix()
        outcome = fill_folder(folder, key, build)
        if outcome == "reused":
            self.progress.info(f"{name}: reused from an earlier run")
        elif outcome == "damaged":
            self.progress.info(
                f"{name}: made anew, as its files were not those that the earlier run wrote"
            )


def make_shared_key(settings: Config, split: Split, max_length: int) -> dict[str, Any]:
    """Returns what every stage of a run depends on.

    Args:
        settings: Its seed and its settings of the examples are part of the key.
        split: Training and validation data. Their contents count, not the name of a file.
        max_length: L of the student.
    """
    low_rated = split.low_rated
    return {
        "train": hash_arrays(split.train.items, split.train.offsets),
        "validation": hash_arrays(split.validation.histories.items, split.validation.targets.items),
        "low_rated": None if low_rated is None else hash_arrays(low_rated.items, low_rated.offsets),
        "content": None if split.content is None else split.content.compute_fingerprint(),
        "friendships": None if split.friendships is None else hash_arrays(split.friendships),
        "num_items": split.num_items,
        "seed": settings.seed,
        "kd_tf": __version__,
        "examples": settings.examples.model_dump(mode="json"),
        "max_length": max_length,
    }


def hash_arrays(*arrays: np.ndarray) -> str:
    """Returns the SHA-256 of the arrays' contents."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def hash_catalog(catalog: Catalog) -> str:
    """Returns the SHA-256 of the catalog columns that teachers use."""
    columns = [name for name in ("authors", "series") if name in catalog.frame.columns]
    return hashlib.sha256(catalog.frame.select(columns).write_json().encode()).hexdigest()
