"""Tiny models of every kind in the registries."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from kd_tf.models.base import HistoryModel
from kd_tf.training.checkpoint import get_inference_weights

V, L, d = 40, 8, 6
"""Books, history length and width of a row of every tiny model."""

TINY = {"dimensions": d, "units": 9, "hidden": 12, "filters": 10, "memory": 5}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., HistoryModel]:
    """``tiny(kind, **settings)``: a small model with weights, every one of them random.

    Random and not fresh: biases, recency and memories begin at values that hide mistakes.
    """

    def make(kind: type[HistoryModel], seed: int = 0, **settings) -> HistoryModel:
        taken = constructor(kind)
        sizes = {name: size for name, size in TINY.items() if name in taken}
        model = kind(**{"books": V, "history_length": L, **sizes, **settings})
        model.create_weights()
        random = np.random.default_rng(seed)
        for weight in get_inference_weights(model):
            if weight.dtype.is_integer:
                weight.assign(random.integers(0, V + 1, weight.shape))
            else:
                weight.assign(random.normal(0, 0.5, weight.shape))
        return model

    return make


def constructor(kind: type[HistoryModel]) -> set[str]:
    """The names of all settings that a model's constructors take."""
    return {
        name
        for base in kind.__mro__[: kind.__mro__.index(HistoryModel) + 1]
        for name, setting in inspect.signature(base.__init__).parameters.items()
        if setting.kind is inspect.Parameter.KEYWORD_ONLY
    }


@pytest.fixture(scope="session")
def settings_of() -> Callable[[type[HistoryModel]], set[str]]:
    """``settings_of(kind)``: the names of all settings that the constructors take."""
    return constructor
