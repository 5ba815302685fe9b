"""Describes models as plain JSON, and builds them again from classes that are loaded already.

Keras' own deserialization imports any module that a file names and calls any class in it. Here a
file can only name a class that is registered with Keras and is a `TrainableModel`, and give it
plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kd_tf.backend import keras

MAX_DEPTH = 32
"""Deepest nesting of a description; ensembles of ensembles need 6."""

_REGULARIZERS = ("L1", "L2", "L1L2")
_OBJECT_KEYS = frozenset(("class_name", "registered_name", "module"))


def describe_model(model: keras.Model) -> dict[str, Any]:
    """Describes a model by its class and the arguments of its constructor, without weights.

    Returns:
        ``{"class_name": ..., "registered_name": ..., "config": {...}}``, plain JSON.

    Example:
        >>> from kd_tf.models.students import MLPStudent
        >>> description = describe_model(MLPStudent(num_items=3, max_length=2, embedding_dim=4))
        >>> description["registered_name"]
        'kd_tf>MLPStudent'
        >>> build_model(description).num_items
        3
    """
    return {
        "class_name": type(model).__name__,
        "registered_name": keras.saving.get_registered_name(type(model)),
        "config": model.get_config(),
    }


def build_model(description: Any) -> Any:
    """Builds the model that `describe_model` described, with new weights.

    Raises:
        ValueError: The description names a class that is not registered or is no model, or holds
            anything but plain values, models and Keras' regularizers.
    """
    # This module stands below the models, which call it.
    from kd_tf.models.trainable import TrainableModel

    _check_value(description, depth=0)
    model_class = _get_class(description)
    if not (isinstance(model_class, type) and issubclass(model_class, TrainableModel)):
        raise ValueError(f"{_name(description)} is not a model")
    config = description["config"]
    if not isinstance(config, Mapping):
        raise ValueError(f"config must be an object, not {config!r}")
    return model_class.from_config(dict(config))


def _check_value(value: Any, depth: int) -> None:
    """Checks that a value is plain, down to the objects inside it."""
    if depth > MAX_DEPTH:
        raise ValueError(f"the description is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is not a string")
        if _OBJECT_KEYS & value.keys():
            _check_object(value)
        for inner in value.values():
            _check_value(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_value(inner, depth + 1)
    elif not isinstance(value, str | int | float | None):
        raise ValueError(f"a {type(value).__name__} is not plain JSON")


def _check_object(value: Mapping[str, Any]) -> None:
    """Checks that an object is a known model, or one of Keras' regularizers."""
    from kd_tf.models.trainable import TrainableModel

    extra_keys = value.keys() - _OBJECT_KEYS - {"config"}
    if extra_keys:
        raise ValueError(f"{_name(value)} has {', '.join(sorted(extra_keys))}, which is not read")
    known_class = _get_class(value)
    if known_class is not None:
        if not (
            isinstance(known_class, type)
            and issubclass(known_class, TrainableModel | keras.regularizers.Regularizer)
        ):
            raise ValueError(f"{_name(value)} is neither a model nor a regularizer")
    elif not (
        value.get("module") == "keras.regularizers"
        and value.get("class_name") in _REGULARIZERS
        and value.get("registered_name") is None
    ):
        raise ValueError(
            f"{_name(value)} is not a known class; a model of your own is known once its module "
            "is imported and the class is registered with register_keras_serializable"
        )


def _get_class(value: Any) -> Any:
    """Returns the registered class that an object names; imports nothing."""
    name = value.get("registered_name") if isinstance(value, Mapping) else None
    return keras.saving.get_registered_object(name) if isinstance(name, str) else None


def _name(value: Any) -> str:
    """Returns how a message names an object."""
    if isinstance(value, Mapping):
        value = value.get("registered_name") or value.get("class_name")
    return repr(value)[:100]
