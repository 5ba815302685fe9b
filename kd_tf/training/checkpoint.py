"""A trained model on disk: what it is as JSON, its weights as HDF5. Nothing is unpickled."""

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
    """Writes `folder` in one step, replacing what is there."""
    with atomic.replace_directory(folder) as unfinished:
        model.save_weights(unfinished / WEIGHTS_FILE)
        description = {
            "model": keras.saving.serialize_keras_object(model),
            "fingerprint": compute_fingerprint(model),
        }
        atomic.write_json(unfinished / MODEL_FILE, description)


def load(folder: Path) -> HistoryModel:
    """The model that `save` wrote.

    Raises:
        UserError: The folder does not hold a model, or its files do not fit together.
    """
    # The classes register themselves by being imported.

    try:
        description = json.loads((folder / MODEL_FILE).read_text("utf-8"))
        model = keras.saving.deserialize_keras_object(description["model"])
        if not isinstance(model, HistoryModel):
            raise ValueError(f"it describes a {type(model).__name__}")
        model.create_weights()
        model.load_weights(folder / WEIGHTS_FILE)
        if compute_fingerprint(model) != description["fingerprint"]:
            raise ValueError("the weights are not those that were saved")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"no model can be loaded: {error}",
            where=str(folder),
            hint="Delete the folder and run again: the model is then trained anew.",
        ) from error
    return model


def make_slug(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"\W+", "-", label).strip("-")


def compute_fingerprint(model: HistoryModel) -> str:
    """SHA-256 over configuration and weights: the same for the same model, saved and loaded or
    not.
    """
    description = json.dumps(_remove_names(model.get_config()), sort_keys=True)
    digest = hashlib.sha256(description.encode())
    for weight in get_inference_weights(model):
        # The shape too, for two weights that only meet at another place. Not the name.
        digest.update(str(weight.shape).encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _remove_names(config: Any) -> Any:
    """Without names, which Keras numbers by how many models a process has made, and without
    what it notes of parts that were called.
    """
    if isinstance(config, dict):
        left = {key: one for key, one in config.items() if key not in _IGNORED_CONFIG_KEYS}
        return {key: _remove_names(value) for key, value in left.items()}
    return [_remove_names(one) for one in config] if isinstance(config, list | tuple) else config


def get_inference_weights(model: HistoryModel) -> list[tf.Variable]:
    """Every number that the model answers with: its weights without those of its metrics."""
    counters = {id(one) for metric in model.metrics for one in metric.variables}
    return [weight for weight in model.weights if id(weight) not in counters]


def count_parameters(model: HistoryModel) -> int:
    """How many numbers a model stores."""
    return sum(int(np.prod(weight.shape)) for weight in get_inference_weights(model))
