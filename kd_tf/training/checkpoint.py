"""Saves and loads trained models: configuration as JSON, weights as plain arrays."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf import atomic, rng
from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.limited_read import read_limited
from kd_tf.models.trainable import TrainableModel
from kd_tf.npz import ArrayLayout, read_layout, read_npz, write_npz
from kd_tf.serialization import build_model, describe_model

MODEL_FILE = "model.json"
WEIGHTS_FILE = "weights.npz"
MODEL_FOLDER = "model"
"""Folder of a model within that of the stage of a run that trained it."""

MAX_JSON_BYTES = 2**20
"""Largest description of a model; that of an ensemble of four teachers takes 3 kB."""

_IGNORED_CONFIG_KEYS = ("name", "build_config", "compile_config")


def save(model: TrainableModel, folder: Path) -> None:
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
        weights = {
            f"{number:06d}": weight.numpy()
            for number, weight in enumerate(get_inference_weights(model))
        }
        write_npz(new_folder / WEIGHTS_FILE, weights)
        description = {
            "model": describe_model(model),
            "fingerprint": compute_fingerprint(model),
        }
        atomic.write_json(new_folder / MODEL_FILE, description)


def load(folder: Path) -> TrainableModel:
    """Loads a model that `save` wrote, or refuses it: a file cannot run code or fill the memory.

    Raises:
        UserError: The folder does not contain a model, its files do not belong together, or they
            are not what `save` writes.
    """
    # Importing the classes registers them with Keras.
    from kd_tf.models import students, teachers  # noqa: F401
    from kd_tf.models.by_user_id import history_lookup, matrix_factorization  # noqa: F401
    from kd_tf.models.ranking import students as ranking_students  # noqa: F401
    from kd_tf.models.ranking.teachers import ensemble as ranking_ensemble  # noqa: F401
    from kd_tf.models.teachers import mixture  # noqa: F401

    try:
        description = _read_description(folder / MODEL_FILE)
        _check_layout(description["model"], read_layout(folder / WEIGHTS_FILE))
        model: TrainableModel = build_model(description["model"])
        model.create_weights()
        arrays = read_npz(folder / WEIGHTS_FILE)
        for number, weight in enumerate(get_inference_weights(model)):
            weight.assign(arrays[f"{number:06d}"])
        if compute_fingerprint(model) != description["fingerprint"]:
            raise ValueError("the weights do not match the saved fingerprint")
    # Whatever a constructor makes of the values of a file that `save` did not write.
    except Exception as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise UserError(
            f"cannot load the model: {error}",
            where=str(folder),
            hint="Give the folder of a finished run."
            if is_missing and not folder.exists()
            else "Delete the folder and run again to retrain the model.",
        ) from error
    return model


def _read_description(path: Path) -> dict[str, Any]:
    description = json.loads(read_limited(path, MAX_JSON_BYTES).decode("utf-8"))
    if not isinstance(description, dict) or not isinstance(description.get("model"), dict):
        raise ValueError(f"{path.name} does not describe a model")
    return description


def _check_layout(description: dict[str, Any], layout: dict[str, ArrayLayout]) -> None:
    """Checks that a file has the weights of a model, before memory is taken for either."""
    # The generator of the process must not be made in the graph that is thrown away.
    rng.get_generator()
    # In a graph, variables have shapes but no values.
    with tf.Graph().as_default():
        model = build_model(description)
        model.create_weights()
        expected_layout = [
            (np.dtype(weight.dtype.as_numpy_dtype), tuple(weight.shape))
            for weight in get_inference_weights(model)
        ]
    actual = [(layout[name].dtype, layout[name].shape) for name in sorted(layout)]
    if actual != expected_layout:
        raise ValueError(f"{WEIGHTS_FILE} does not have the weights of a {type(model).__name__}")


def make_slug(label: str) -> str:
    """Makes a folder name from a label.

    Example:
        >>> make_slug("MLP student (d = 16)")
        'MLP-student-d-16'
    """
    return re.sub(r"\W+", "-", label).strip("-")


def compute_fingerprint(model: TrainableModel) -> str:
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


def get_inference_weights(model: TrainableModel) -> list[tf.Variable]:
    """Returns the weights that inference uses: all but those of metrics."""
    metric_ids = {id(variable) for metric in model.metrics for variable in metric.variables}
    return [weight for weight in model.weights if id(weight) not in metric_ids]


def count_parameters(model: TrainableModel) -> int:
    """Counts the numbers that a model stores, without those of metrics."""
    return sum(int(np.prod(weight.shape)) for weight in get_inference_weights(model))
