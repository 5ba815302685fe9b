"""Setup for all tests: few threads, hypothesis without deadlines, and tiny models."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kd_tf.data.ranking.examples import RankingExamples
    from kd_tf.models.base import HistoryModel
    from kd_tf.models.ranking.base import RankingModel

# Read by TensorFlow when a test first imports it. Tiny models gain nothing from more threads,
# and parallel test workers would fight for the cores.
for _threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_threads, "1")

from hypothesis import settings  # noqa: E402 - after the threads, for whatever it loads

# No deadline: the first example of a test pays for TensorFlow's tracing.
settings.register_profile("kd_tf", deadline=None, print_blob=True)
settings.load_profile("kd_tf")

V, L, d = 40, 8, 6
"""Items, history length and width of a row of every tiny model."""

TINY = {"embedding_dim": d, "units": 9, "hidden": 12, "filters": 10, "wide_neighbours": 5}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., HistoryModel]:
    """``tiny(model_class, **settings)``: a small model with weights, every one of them random.

    Random and not fresh: biases, recency and memories begin at values that hide mistakes.
    """

    def make(model_class: type[HistoryModel], seed: int = 0, **settings) -> HistoryModel:
        import numpy as np

        from kd_tf.training.checkpoint import get_inference_weights

        taken = constructor(model_class)
        sizes = {name: size for name, size in TINY.items() if name in taken}
        model = model_class(**{"num_items": V, "max_length": L, **sizes, **settings})
        model.create_weights()
        random = np.random.default_rng(seed)
        for weight in get_inference_weights(model):
            if weight.dtype.is_integer:
                weight.assign(random.integers(0, V + 1, weight.shape))
            else:
                weight.assign(random.normal(0, 0.5, weight.shape))
        return model

    return make


def constructor(model_class: type[HistoryModel]) -> set[str]:
    """The names of all settings that a model's constructors take."""
    from kd_tf.models.base import HistoryModel

    return {
        name
        for base in model_class.__mro__[: model_class.__mro__.index(HistoryModel) + 1]
        for name, setting in inspect.signature(base.__init__).parameters.items()
        if name != "self" and setting.kind is not inspect.Parameter.VAR_KEYWORD
    }


@pytest.fixture(scope="session")
def settings_of() -> Callable[[type[HistoryModel]], set[str]]:
    """``settings_of(model_class)``: the names of all settings that the constructors take."""
    return constructor


class TinyRows:
    """Rows of the ranking task with features of every form, and models of them."""

    def __init__(self) -> None:
        from kd_tf.runtime.features.layout import CategoricalFeature, FeatureLayout

        self.layout = FeatureLayout(
            (
                CategoricalFeature("user", 9),
                CategoricalFeature("genres", 7, num_values=3),
                CategoricalFeature("device", 4),
                CategoricalFeature("hour", 6),
            ),
            ("price", "age"),
        )

    def draw(self, count: int, seed: int = 0) -> RankingExamples:
        """Rows whose lists have 0 to 3 values."""
        import numpy as np

        from kd_tf.data.ranking.examples import RankingExamples

        random = np.random.default_rng(seed)
        sizes = [self.layout.categorical[index].num_ids for index in self.layout.feature_of_place]
        categorical = random.integers(0, sizes, (count, len(sizes))).astype(np.int32)
        lengths = random.integers(0, 4, count)
        categorical[:, 1:4] = np.maximum(categorical[:, 1:4], 1)
        categorical[:, 1:4][np.arange(3) >= lengths[:, None]] = 0
        numeric = random.normal(0, 1, (count, 2)).astype(np.float32)
        labels = random.integers(0, 2, count).astype(np.float32)
        return RankingExamples(self.layout, categorical, numeric, labels)

    def make(
        self, model_class: type[RankingModel], seed: int = 0, scale: float = 0.4, **settings
    ) -> RankingModel:
        """A model with weights, every one of them random: biases and all."""
        import numpy as np

        from kd_tf.models.ranking.teachers.deep import DeepFeatureModel

        if issubclass(model_class, DeepFeatureModel):
            settings = {"hidden": (8, 4), "embedding_dim": 4, **settings}
        model = model_class(self.layout, **settings)
        model.create_weights()
        random = np.random.default_rng(seed)
        for weight in model.trainable_variables:
            weight.assign(random.normal(0, scale, weight.shape))
        return model


@pytest.fixture(scope="session")
def rows() -> TinyRows:
    return TinyRows()
