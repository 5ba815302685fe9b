"""Saves and loads trained models: configuration as JSON, weights as HDF5, without pickle."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic
from kd_tf.backend import keras, tf
from kd_tf.errors import UserError
from kd_tf.models.base import HistoryModel

MODEL_FILE = "model.json"
WEIGHTS_FILE = "model.weights.h5"

_IGNORED_CONFIG_KEYS = ("name", "build_config", "compile_config")


def save(model: HistoryModel, folder: Path) -> None:
    """Saves a model to `folder` atomically, replacing its contents.

    Example:
        >>> import tempfile
        >>> from kd_tf.models.students import MLPStudent
        >>> model = MLPStudent(num_items=3, max_length=2, embedding_dim=4, hidden=4)
        >>> model.create_weights()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(model, Path(folder) / "model")
        ...     loaded = load(Path(folder) / "model")
        >>> compute_fingerprint(loaded) == compute_fingerprint(model)
        True
    """
    with atomic.replace_directory(folder) as new_folder:
        model.save_weights(new_folder / WEIGHTS_FILE)
        description = {
            "model": keras.saving.serialize_keras_object(model),
            "fingerprint": compute_fingerprint(model),
        }
        atomic.write_json(new_folder / MODEL_FILE, description)


def load(folder: Path) -> HistoryModel:
    """Loads a model that `save` wrote.

    Raises:
        UserError: The folder does not contain a model, or its files do not belong together.
    """
    # Importing the classes registers them with Keras.
    from kd_tf.models import students, teachers  # noqa: F401
    from kd_tf.models.by_user_id import history_lookup, matrix_factorization  # noqa: F401
    from kd_tf.models.teachers import mixture  # noqa: F401

    try:
        description = json.loads((folder / MODEL_FILE).read_text("utf-8"))
        model = keras.saving.deserialize_keras_object(description["model"])
        if not isinstance(model, HistoryModel):
            raise ValueError(f"{MODEL_FILE} describes a {type(model).__name__}, not a model")
        model.create_weights()
        model.load_weights(folder / WEIGHTS_FILE)
        if compute_fingerprint(model) != description["fingerprint"]:
            raise ValueError("the weights do not match the saved fingerprint")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"cannot load the model: {error}",
            where=str(folder),
            hint="Delete the folder and run again to retrain the model.",
        ) from error
    return model


def make_slug(label: str) -> str:
    """Makes a folder name from a label.

    Example:
        >>> make_slug("MLP student (d = 16)")
        'MLP-student-d-16'
    """
    return re.sub(r"\W+", "-", label).strip("-")


def compute_fingerprint(model: HistoryModel) -> str:
    """Computes the SHA-256 over configuration and weights; saving and loading do not change it."""
    description = json.dumps(_remove_names(model.get_config()), sort_keys=True)
    digest = hashlib.sha256(description.encode())
    for weight in get_inference_weights(model):
        # The shape tells apart weights whose concatenated bytes are equal. Names are excluded.
        digest.update(str(weight.shape).encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _remove_names(config: Any) -> Any:
    """Removes what differs between equal models from a configuration, at all levels.

    Keras numbers names by how many models the process has created, and adds entries for layers that
    were called.
    """
    if isinstance(config, dict):
        return {
            key: _remove_names(value)
            for key, value in config.items()
            if key not in _IGNORED_CONFIG_KEYS
        }
    if isinstance(config, list | tuple):
        return [_remove_names(value) for value in config]
    return config


def get_inference_weights(model: HistoryModel) -> list[tf.Variable]:
    """Returns the weights that inference uses: all but those of metrics."""
    metric_ids = {id(variable) for metric in model.metrics for variable in metric.variables}
    return [weight for weight in model.weights if id(weight) not in metric_ids]


def count_parameters(model: HistoryModel) -> int:
    """Counts the numbers that a model stores, without those of metrics."""
    return sum(int(np.prod(weight.shape)) for weight in get_inference_weights(model))
