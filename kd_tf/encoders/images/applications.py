"""Networks of keras.applications, with weights from a file of the user's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kd_tf.backend import keras
from kd_tf.encoders.images.base import ImageEncoder
from kd_tf.encoders.images.keras_weights import WeightsMismatchError, load_weights
from kd_tf.encoders.package_files import hash_files
from kd_tf.errors import UserError

SIZE = 224
"""Pixels of a side: what most of these networks were trained with. They take any size."""

WIDTH_MULTIPLIERS = (1.0, 0.75, 0.5, 0.35, 0.25, 1.3, 1.4)
"""The argument alpha of the MobileNets; the shapes of the weights show which."""


class ApplicationEncoder(ImageEncoder):
    """Encodes images with the last features of a network, averaged over the picture.

    The network is built from its name in `keras.applications`, and only numbers are read from the
    file: no model, class or code in it is used, and nothing is downloaded.

    Args:
        application: A name in `keras.applications`, such as ``MobileNetV2``.
        weights: Its weights, with or without the classifier: an .h5 or .keras file of Keras 2 or 3.

    Raises:
        UserError: There is no such network or file, or the weights are of another network.
        MissingExtraError: A package is not installed.
    """

    width = height = SIZE
    batch_size = 32

    def __init__(self, application: str, weights: Path) -> None:
        build, module = _find_application(application)
        if not weights.is_file():
            raise UserError(
                "there is no such file with weights",
                where=str(weights),
                hint=f"Weights are never downloaded. Download those of {application} yourself, or "
                "take --image-encoder statistics, which needs none.",
            )
        self.name = application
        self._weights = weights
        self._preprocess = module.preprocess_input
        self._model = _build_with_weights(build, application, weights)

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and of what is done with them."""
        return f"keras-application-1-{self.name}-{SIZE}-{hash_files(self._weights)}"

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Returns float32 [n, d]."""
        images = self._preprocess(pixels.astype(np.float32))
        return np.asarray(self._model(images, training=False), np.float32)


def _find_application(name: str) -> tuple[Any, ModuleType]:
    """Returns the function that builds a network, and its module, which has the preprocessing.

    Raises:
        UserError: There is no such network.
    """
    applications = {
        key: (function, module)
        for module in vars(keras.applications).values()
        if inspect.ismodule(module) and hasattr(module, "preprocess_input")
        for key, function in vars(module).items()
        if inspect.isfunction(function) and key[0].isupper()
    }
    if name not in applications:
        close = get_close_matches(name, applications, n=1)
        raise UserError(
            f"keras.applications has no network {name!r}",
            hint=f"Did you mean {close[0]}?"
            if close
            else f"It has {', '.join(sorted(applications))}.",
        )
    return applications[name]


def _build_with_weights(build: Any, name: str, weights: Path) -> Any:
    """Builds the network without its classifier, as wide as the weights are.

    Raises:
        UserError: The weights do not fit.
    """
    mismatch: WeightsMismatchError | None = None
    for arguments in _list_widths(build):
        model = build(
            include_top=False,
            weights=None,
            input_shape=(SIZE, SIZE, 3),
            pooling="avg",
            **arguments,
        )
        try:
            load_weights(model, weights)
        except WeightsMismatchError as error:
            mismatch = mismatch or error
        else:
            return model
    raise UserError(
        f"these are no weights of {name}: {mismatch}",
        where=str(weights),
        hint="Give the weights of the network that is named.",
    ) from mismatch


def _list_widths(build: Any) -> Iterator[dict[str, float]]:
    if "alpha" not in inspect.signature(build).parameters:
        yield {}
        return
    for alpha in WIDTH_MULTIPLIERS:
        yield {"alpha": alpha}
