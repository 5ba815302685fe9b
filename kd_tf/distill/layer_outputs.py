"""Captures the outputs of a model's inner layers during a call (a forward hook)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kd_tf.backend import keras, tf


def find_layer(model: keras.Model, name: str) -> keras.layers.Layer:
    """Finds a layer by name at any depth of a model.

    Raises:
        ValueError: No layer or several layers have this name. The message suggests similar names.
    """
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.name == name]
    if len(layers) == 1:
        return layers[0]
    if layers:
        raise ValueError(f"{model.name} has {len(layers)} layers named {name!r}")
    names = sorted({layer.name for layer in model._flatten_layers(include_self=False)})
    similar = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names
    raise ValueError(
        f"{model.name} has no layer {name!r}. Did you mean {', '.join(similar)}?"
        if similar
        else f"{model.name} has no layer {name!r}: it has no layers"
    )


@contextmanager
def capture_layer_outputs(
    model: keras.Model, layer_names: Sequence[str]
) -> Iterator[dict[str, tf.Tensor]]:
    """Captures the outputs of some layers while the model is called in the ``with`` block.

    Args:
        model: A model whose weights exist.
        layer_names: Names of layers at any depth.

    Yields:
        Layer outputs by name, filled in as the layers are called. For a layer that is called
        several times, the last output.
    """
    outputs: dict[str, tf.Tensor] = {}
    layers = [find_layer(model, name) for name in layer_names]

    def add_hook(layer: keras.layers.Layer, original_call: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            outputs[layer.name] = original_call(*args, **kwargs)
            return outputs[layer.name]

        return call

    original_calls = [layer.call for layer in layers]
    try:
        for layer, original_call in zip(layers, original_calls, strict=True):
            layer.call = add_hook(layer, original_call)
        yield outputs
    finally:
        for layer in layers:
            # Removing the instance attribute uncovers the class's own method again.
            vars(layer).pop("call", None)
