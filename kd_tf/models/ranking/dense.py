"""Stacks of dense layers, as deep models of the ranking task have them."""

from __future__ import annotations

from collections.abc import Sequence

from kd_tf.backend import keras
from kd_tf.layers.dropout import Dropout


def make_dense_layers(
    units: Sequence[int], *, dropout: float = 0.0, name: str = "deep"
) -> keras.Sequential:
    """Makes hidden layers with ReLU, each followed by dropout.

    Args:
        units: Width of each layer; at least one.
        dropout: Share of units that are dropped in training, 0 or more and below 1.
        name: Name of the stack.

    Example:
        >>> [layer.name for layer in make_dense_layers([8, 4]).layers]
        ['dense_1', 'dense_2']
    """
    if not units or min(units) < 1:
        raise ValueError(f"hidden layers need at least one unit each, not {list(units)}")
    layers: list[keras.layers.Layer] = []
    for number, width in enumerate(units, start=1):
        layers.append(keras.layers.Dense(width, activation="relu", name=f"dense_{number}"))
        if dropout:
            layers.append(Dropout(dropout, name=f"dropout_{number}"))
    return keras.Sequential(layers, name=name)
