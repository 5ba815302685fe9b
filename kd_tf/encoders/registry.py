"""Opens text encoders by name, or from a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.minilm import open_minilm
from kd_tf.encoders.multilingual import MultilingualEncoder
from kd_tf.encoders.static_table import open_static_table
from kd_tf.encoders.tfidf import TfidfEncoder
from kd_tf.errors import UserError

ENCODERS: dict[str, Callable[[], TextEncoder]] = {
    "tfidf": TfidfEncoder,
    "static": open_static_table,
    "minilm": open_minilm,
    "multilingual": MultilingualEncoder,
}
"""Encoders by name: counted words, and pretrained ones whose weights come with the extra text."""


def open_encoder(name: str) -> TextEncoder:
    """Opens an encoder by name, or from a folder with its files.

    Args:
        name: A name in `ENCODERS`, or the path of a folder (`kd_tf.encoders.folder`).

    Raises:
        UserError: There is no such encoder or folder, or the folder holds no encoder. Nothing is
            ever downloaded.
        MissingExtraError: The encoder needs the extra text.

    Example:
        >>> encoder = open_encoder("tfidf").fit(["a dragon story", "a dragon tale", "a fish tale"])
        >>> encoder.encode(["dragon soup"]).toarray()
        array([[1., 0.]], dtype=float32)
    """
    if name in ENCODERS:
        return ENCODERS[name]()
    path = Path(name).expanduser()
    if path.is_dir() and name.strip():
        # It may be a SavedModel, which needs TensorFlow; the others do not.
        from kd_tf.encoders.folder import open_folder

        return open_folder(path)
    hint = f"Choose from {', '.join(ENCODERS)}, or give the path of a folder with the model."
    if path.is_file():
        raise UserError("an encoder is a folder, this is a file", where=name, hint=hint)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        hint = (
            "A name of a model hub is not downloaded. Download the model yourself and give its "
            f"folder, or choose from {', '.join(ENCODERS)}."
        )
    raise UserError(f"there is no encoder and no folder {name!r}", hint=hint)
