"""Small .tflite recommenders that follow contract version 1, made by TensorFlow's converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.native_stderr import suppress_native_stderr
from kd_tf.runtime.bundle import BundleConfig, write_bundle

V, d, L, K, C = 200, 8, 10, 20, 6


class MeanOfItems(tf.Module):
    """Scores every book by its inner product with the mean of the history's rows."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        table = np.random.default_rng(0).standard_normal((items + 1, width), np.float32)
        table[0] = 0
        self.items = items
        self.table = tf.Variable(table)

    def _answer(self, query, never):
        scores = tf.matmul(query, self.table, transpose_b=True)
        padding = tf.one_hot([0], self.items + 1)
        scores, ids = tf.math.top_k(scores - 1e9 * tf.maximum(never, padding), K)
        return {"ids": ids, "scores": scores}

    def _known(self, ids):
        return tf.where((ids >= 1) & (ids <= self.items), ids, 0)

    def _shares(self, history):
        """What each book of a history brings to the mean: [1, L, d]."""
        count = tf.reduce_sum(tf.cast(history > 0, tf.float32))
        return tf.gather(self.table, history) / tf.maximum(count, 1.0)

    @tf.function(input_signature=[tf.TensorSpec([1, L], tf.int32, name="history")])
    def recommend(self, history):
        history = self._known(history)
        query = tf.reduce_sum(self._shares(history), 1)
        return self._answer(query, tf.reduce_max(tf.one_hot(history, self.items + 1), 1))

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, L], tf.int32, name="history"),
            tf.TensorSpec([1, C], tf.int32, name="candidates"),
        ]
    )
    def score(self, history, candidates):
        query = tf.reduce_sum(self._shares(self._known(history)), 1)
        rows = tf.gather(self.table, self._known(candidates))
        return {"scores": tf.reduce_sum(rows * query[:, tf.newaxis], 2)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, L], tf.int32, name="history"),
            tf.TensorSpec([1], tf.int32, name="book"),
        ]
    )
    def explain(self, history, book):
        row = tf.gather(self.table, self._known(book))
        return {"contributions": tf.reduce_sum(self._shares(self._known(history)) * row, 2)}

    @tf.function(input_signature=[tf.TensorSpec([1], tf.int32, name="book")])
    def similar(self, book):
        book = tf.where((book >= 1) & (book <= self.items), book, 0)
        return self._answer(tf.gather(self.table, book), tf.one_hot(book, self.items + 1))

    @tf.function(input_signature=[tf.TensorSpec([1, L], tf.int32, name="history")])
    def beyond_built_in_operators(self, history):
        answer = self.recommend(history)
        return {"ids": answer["ids"], "scores": tf.math.bessel_i0(answer["scores"])}

    @tf.function(input_signature=[tf.TensorSpec([1, L], tf.int32, name="history")])
    def breach(self, history):
        """Gives its ids as floats."""
        answer = self.recommend(history)
        return {"ids": tf.cast(answer["ids"], tf.float32), "scores": answer["scores"]}


def convert(folder: Path, module: MeanOfItems, **signatures) -> bytes:
    with suppress_native_stderr():
        tf.saved_model.save(module, str(folder), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder), signature_keys=sorted(signatures)
        )
        converter.allow_custom_ops = True
        return converter.convert()


@pytest.fixture(scope="session")
def module():
    return MeanOfItems(V, d)


@pytest.fixture(scope="session")
def tflite(module, tmp_path_factory):
    """The bytes of a model with all signatures."""
    return convert(
        tmp_path_factory.mktemp("saved"),
        module,
        recommend=module.recommend,
        similar=module.similar,
        score=module.score,
        explain=module.explain,
    )


@pytest.fixture(scope="session")
def recommend_only(module, tmp_path_factory):
    return convert(tmp_path_factory.mktemp("saved"), module, recommend=module.recommend)


@pytest.fixture(scope="session")
def similar_only(module, tmp_path_factory):
    return convert(tmp_path_factory.mktemp("saved"), module, similar=module.similar)


@pytest.fixture(scope="session")
def with_a_custom_operator(module, tmp_path_factory):
    """A model with an operator that no interpreter has built in."""
    return convert(
        tmp_path_factory.mktemp("saved"), module, recommend=module.beyond_built_in_operators
    )


@pytest.fixture(scope="session")
def breach_of_contract(module, tmp_path_factory):
    return convert(tmp_path_factory.mktemp("saved"), module, recommend=module.breach)


@pytest.fixture(scope="session")
def large_tflite(tmp_path_factory):
    """A model whose table takes 12.8 MB."""
    module = MeanOfItems(50_000, 64)
    return convert(tmp_path_factory.mktemp("saved"), module, recommend=module.recommend)


@pytest.fixture(scope="session")
def histories():
    """int32 [64, L]: random histories of 0..L books."""
    random = np.random.default_rng(1)
    rows = np.zeros((64, L), np.int32)
    for row, length in zip(rows, random.integers(0, L + 1, len(rows)), strict=True):
        row[:length] = random.choice(V, length, replace=False) + 1
    return rows


@pytest.fixture
def catalog():
    """Rows as a caller gives them; the caller's ids run against the model's."""
    return [
        {"item_id": f"b{V - row}", "title": f"Title number {row + 1}", "year": 1900 + row % 100}
        for row in range(V)
    ]


@pytest.fixture
def config():
    return BundleConfig(
        name="mean of books",
        num_items=V,
        max_length=L,
        recommendations=K,
        candidates=C,
        signatures=("explain", "recommend", "score", "similar"),
        min_runtime_version="2.2.0",
        quantization="float32",
        metrics={"ndcg@10": 0.25},
        dataset={"name": "invented", "users": 3},
    )


@pytest.fixture
def bundle(tmp_path, tflite, catalog, config):
    """The folder of a sound bundle."""
    folder = tmp_path / "bundle"
    write_bundle(folder, model=tflite, catalog=catalog, config=config, model_card="# Mean\n")
    return folder
