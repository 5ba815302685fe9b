"""What a model's layers gave on the way to its answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kd_tf.backend import keras, tf


def find_layer(model: keras.Model, name: str) -> keras.layers.Layer:
    """A layer of a model, however deep.

    Raises:
        ValueError: There is none of this name, or several; the nearest names are offered.
    """
    layers = [one for one in model._flatten_layers(include_self=False) if one.name == name]
    if len(layers) == 1:
        return layers[0]
    if layers:
        raise ValueError(f"{model.name} has {len(layers)} layers of the name {name!r}")
    names = sorted({one.name for one in model._flatten_layers(include_self=False)})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names
    raise ValueError(f"{model.name} has no layer {name!r}; there are {', '.join(near) or 'none'}")


@contextmanager
def capture_layer_outputs(
    model: keras.Model, layer_names: Sequence[str]
) -> Iterator[dict[str, tf.Tensor]]:
    """Collects what some layers give while the model is called.

    Args:
        model: Its weights exist.
        names: Of layers.

    Yields:
        The output of each by its name, as soon as it was called; of a layer that is called
        several times the last.
    """
    seen: dict[str, tf.Tensor] = {}
    layers = [find_layer(model, name) for name in layer_names]

    def recording(layer: keras.layers.Layer, original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            seen[layer.name] = original(*arguments, **named)
            return seen[layer.name]

        return call

    originals = [layer.call for layer in layers]
    try:
        for layer, original in zip(layers, originals, strict=True):
            layer.call = recording(layer, original)
        yield seen
    finally:
        for layer in layers:
            # What stood there was the method of the class.
            vars(layer).pop("call", None)
