"""Text encoders that are TensorFlow SavedModels, for example exported from Keras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kd_tf.backend import tf
from kd_tf.encoders.base import TextEncoder
from kd_tf.encoders.package_files import hash_files
from kd_tf.errors import UserError

SIGNATURES = ("serving_default", "serve")
"""Names of the signature that is called, the first that there is."""


class SavedModelEncoder(TextEncoder):
    """Calls a SavedModel that takes texts.

    The model takes one string tensor [n] or [n, 1] and returns one float tensor [n, d]. It is
    loaded as a graph: no Python class or code of the folder is used.

    Args:
        folder: The SavedModel.

    Raises:
        UserError: It cannot be loaded, or takes or returns something else.
    """

    batch_size = 64

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._folder = folder
        try:
            self._model = tf.saved_model.load(str(folder))
        # TensorFlow raises its own errors, and plain ones, for different faults of a file.
        except Exception as error:
            raise UserError(
                f"TensorFlow cannot load this SavedModel: {error}", where=str(folder)
            ) from error
        names = [name for name in SIGNATURES if name in self._model.signatures]
        if not names:
            raise UserError(
                "the SavedModel has no signature to call",
                where=str(folder),
                hint="Export the Keras model with model.export(folder).",
            )
        self._signature = self._model.signatures[names[0]]
        inputs = self._signature.structured_input_signature[1]
        outputs = self._signature.structured_outputs
        if len(inputs) != 1 or next(iter(inputs.values())).dtype != tf.string or len(outputs) != 1:
            raise UserError(
                "a text encoder takes one string tensor and returns one tensor; this model takes "
                f"{', '.join(f'{name}: {spec.dtype.name}' for name, spec in inputs.items())}",
                where=str(folder),
                hint="Put the splitting of texts into the model (TextVectorization in Keras).",
            )
        ((self._input_name, spec),) = inputs.items()
        self._is_column = spec.shape.rank == 2

    @property
    def fingerprint(self) -> str:
        """A hash of all files of the folder."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return f"saved-model-1-{hash_files(*files)}"

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Returns float32 [n, d].

        Raises:
            UserError: The model fails on the texts, or returns another shape.
        """
        tensor = tf.constant(list(texts))
        if self._is_column:
            tensor = tf.expand_dims(tensor, 1)
        try:
            (vectors,) = self._signature(**{self._input_name: tensor}).values()
        except tf.errors.OpError as error:
            raise UserError(
                f"the SavedModel fails on the texts: {error.message}", where=str(self._folder)
            ) from error
        if (
            vectors.shape.rank != 2
            or vectors.shape[0] != len(texts)
            or not vectors.dtype.is_floating
        ):
            raise UserError(
                f"the SavedModel returns {vectors.dtype.name} {list(vectors.shape)} for "
                f"{len(texts)} texts, not a vector for each",
                where=str(self._folder),
            )
        return np.asarray(vectors, np.float32)
