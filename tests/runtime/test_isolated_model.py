"""A model in another process answers the same; its crash, hang or lie is an error here."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.runtime import isolated_model
from kd_tf.runtime.isolated_model import IsolatedModel
from kd_tf.runtime.model import TFLiteModel
from kd_tf.runtime.recommender import Recommender

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be waited for there"),
]

HISTORIES = np.array(
    [[3, 1, 4, 0, 0, 0, 0, 0, 0, 0], [0] * 10, [2**31 - 1, -5, *range(8)]], np.int32
)


@pytest.fixture(scope="module")
def isolated(tflite):
    model = IsolatedModel(tflite)
    yield model
    model.close()


def test_it_answers_as_in_this_process(isolated, tflite):
    model = TFLiteModel(tflite)
    for name in ("signatures", "max_length", "k", "candidates", "min_runtime_version"):
        assert getattr(isolated, name) == getattr(model, name)
    assert isolated.weight_types == model.weight_types
    for mine, theirs in zip(
        isolated.recommend_all(HISTORIES), model.recommend_all(HISTORIES), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    for mine, theirs in zip(isolated.similar(7), model.similar(7), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    candidates = np.arange(-2, 30, dtype=np.int32)
    for history in HISTORIES:
        np.testing.assert_array_equal(
            isolated.score(history, candidates), model.score(history, candidates)
        )
        np.testing.assert_array_equal(isolated.explain(history, 3), model.explain(history, 3))


def test_a_file_that_is_refused_is_refused_with_the_same_words(tflite):
    with pytest.raises(UserError, match="the model cannot be loaded") as here:
        TFLiteModel(tflite[:5000])
    with pytest.raises(UserError, match="the model cannot be loaded") as there:
        IsolatedModel(tflite[:5000])
    assert here.value.what in there.value.what


def test_a_process_that_dies_is_an_error_with_its_signal(tflite):
    model = IsolatedModel(tflite)
    os.kill(model._process.pid, signal.SIGSEGV)
    with pytest.raises(UserError, match="ended with SIGSEGV"):
        model.recommend(HISTORIES[0])
    model.close()


def test_a_process_that_hangs_is_ended(tflite):
    model = IsolatedModel(tflite, timeout=0.5)
    os.kill(model._process.pid, signal.SIGSTOP)
    with pytest.raises(UserError, match=r"took more than 0\.5 seconds"):
        model.recommend(HISTORIES[0])
    assert model._process.poll() is not None
    model.close()


@pytest.mark.parametrize(
    "answer",
    [
        '{"ids": [1], "scores": [1.0]}',
        '{"ids": "many", "scores": []}',
        '{"ids": {"a": 1}, "scores": [[1]]}',
        "[]",
        "not json",
        "[" * 100_000,
        "{}",
    ],
)
def test_an_answer_of_another_form_is_an_error(isolated, answer, monkeypatch):
    monkeypatch.setattr(IsolatedModel, "_receive", lambda self, stream, timeout: answer.encode())
    monkeypatch.setattr(isolated_model, "_send", lambda stream, content: None)
    with pytest.raises(UserError, match="the process with the model"):
        isolated.recommend(HISTORIES[0])


def test_a_recommender_may_be_isolated(bundle):
    isolated, ordinary = Recommender.load(bundle, isolated=True), Recommender.load(bundle)
    assert isolated.recommend(["b1", "b7"]) == ordinary.recommend(["b1", "b7"])
    assert isolated.explain(["b1", "b7"], "b9") == ordinary.explain(["b1", "b7"], "b9")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_children_give_the_same_answers(bundle):
    recommender = Recommender.load(bundle)
    expected = [item.item.item_id for item in recommender.recommend(["b1", "b7"])]
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # a child that hangs is ended and noticed
            answers = [
                [item.item.item_id for item in recommender.recommend(["b1", "b7"])]
                for _ in range(50)
            ]
            os._exit(0 if answers == [expected] * 50 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
