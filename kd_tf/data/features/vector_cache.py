"""Keeps the vectors of pretrained encoders in a folder, by content: an input is encoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.encoders.base import Encoder, Input
from kd_tf.npz import read_npz, write_npz
from kd_tf.progress import Progress

KEY_BYTES = 16
"""Bytes of the hash of an input that are kept."""


class VectorCache:
    """A folder of vectors, by encoder and content of the input: a text, or the bytes of an image.

    What the folder has of an encoder is read once, however many columns are encoded with it.
    Every batch is written to a file of its own, under a temporary name that is then renamed: work
    that was interrupted goes on where it stopped, and two programs may use a folder at once. A
    damaged file is passed over, and its inputs are encoded again. Vectors that are zero are not
    kept: an image that one version of a library cannot read may be readable for the next.

    Args:
        folder: The folder; it is made when the first vectors are kept.

    Example:
        >>> import tempfile
        >>> from kd_tf.encoders.registry import open_encoder
        >>> from kd_tf.progress import NullProgress
        >>> cache = VectorCache(Path(tempfile.mkdtemp()))
        >>> encoder = open_encoder("static")
        >>> cache.encode(encoder, ["a whale"], "titles", NullProgress()).shape
        (1, 256)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._vectors: dict[Path, dict[bytes, np.ndarray]] = {}

    def encode(
        self, encoder: Encoder[Input], values: Sequence[Input], label: str, progress: Progress
    ) -> np.ndarray:
        """Encodes inputs, of which those that the folder has are not encoded again.

        Args:
            encoder: A pretrained encoder.
            values: Inputs, each once.
            label: What is encoded, for the progress report.
            progress: Reports the inputs that are encoded.

        Returns:
            float32 [n, d], as of `Encoder.encode`.
        """
        folder = self.folder / hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:32]
        if folder not in self._vectors:
            self._vectors[folder] = _read_vectors(folder)
        vectors = self._vectors[folder]
        keys = [encoder.hash_input(value)[:KEY_BYTES] for value in values]
        missing_rows = [row for row, key in enumerate(keys) if key not in vectors]
        if missing_rows:
            with progress.task(f"encoding {label}", len(missing_rows)) as advance:
                for start in range(0, len(missing_rows), encoder.batch_size):
                    rows = missing_rows[start : start + encoder.batch_size]
                    new_vectors = np.asarray(
                        encoder.encode([values[row] for row in rows]), np.float32
                    )
                    batch_keys = [keys[row] for row in rows]
                    vectors.update(zip(batch_keys, new_vectors, strict=True))
                    nonzero_rows = np.flatnonzero(new_vectors.any(axis=1))
                    if len(nonzero_rows):
                        _write_vectors(
                            folder,
                            [batch_keys[row] for row in nonzero_rows],
                            new_vectors[nonzero_rows],
                        )
                    advance(len(rows))
        return np.stack([vectors[key] for key in keys])


def _read_vectors(folder: Path) -> dict[bytes, np.ndarray]:
    """Reads all files of a folder; those that are damaged, or of another width, are passed over."""
    vectors: dict[bytes, np.ndarray] = {}
    width = None
    for path in sorted(folder.glob("*.npz")):
        try:
            arrays = read_npz(path)
            keys, rows = arrays["keys"], arrays["vectors"]
        except (OSError, ValueError, KeyError):
            continue
        width = rows.shape[-1] if width is None and rows.ndim == 2 else width
        fits = (
            keys.dtype == np.uint8
            and rows.dtype == np.float32
            and keys.shape == (len(rows), KEY_BYTES)
            and rows.shape == (len(keys), width)
            and np.isfinite(rows).all()
        )
        if fits:
            vectors.update(zip((key.tobytes() for key in keys), rows, strict=True))
    return vectors


def _write_vectors(folder: Path, keys: list[bytes], vectors: np.ndarray) -> None:
    """Writes a batch to a file whose name is the hash of its keys."""
    joined_keys = b"".join(keys)
    name = hashlib.sha256(joined_keys).hexdigest()[:32]
    key_array = np.frombuffer(joined_keys, np.uint8).reshape(len(keys), KEY_BYTES)
    write_npz(folder / f"{name}.npz", {"keys": key_array, "vectors": vectors})
