"""Operators that graphs share: the same graphs in fewer bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from kd_tf.models.base import HistoryModel
from kd_tf.tflite import convert as convert_module
from kd_tf.tflite.convert import convert
from kd_tf.tflite.passes.flatbuffer import make_content_key
from kd_tf.tflite.passes.share_operators import share_operators
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

NAMES = ["mlp", "neighbours"]


@pytest.fixture(scope="module")
def apart(student, started) -> Callable[[str], bytes]:
    """``apart(name)``: the file before its graphs are numbered alike."""
    made: dict[str, bytes] = {}

    def make(name: str) -> bytes:
        if name not in made:
            model: HistoryModel = student(name) if name == "mlp" else started(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(convert_module, "share_operators", lambda content: content)
                made[name] = convert(model, Quantization.DYNAMIC_INT8, recommendations=20)
        return made[name]

    return make


def opened(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


@pytest.mark.parametrize("name", NAMES)
def test_the_graphs_are_the_same_but_for_their_numbers(apart, name):
    before, after = opened(apart(name)), opened(share_operators(apart(name)))
    for old, new in zip(before.subgraphs, after.subgraphs, strict=True):
        number: dict[int, int] = {-1: -1}
        for was, now in zip(old.operators, new.operators, strict=True):
            assert was.opcodeIndex == now.opcodeIndex
            assert make_content_key(was.builtinOptions) == make_content_key(now.builtinOptions)
            ends = [*was.inputs, *was.outputs], [*now.inputs, *now.outputs]
            for one, other in zip(*ends, strict=True):
                assert number.setdefault(int(one), int(other)) == other
        assert len(set(number.values())) == len(number)
        del number[-1]
        for one, other in number.items():
            assert make_content_key(old.tensors[one]) == make_content_key(new.tensors[other])
        for ends in ("inputs", "outputs"):
            moved = [number[int(one)] for one in getattr(old, ends)]
            assert moved == getattr(new, ends).tolist()
    for old, new in zip(before.signatureDefs, after.signatureDefs, strict=True):
        assert (old.signatureKey, old.subgraphIndex) == (new.signatureKey, new.subgraphIndex)


@pytest.mark.parametrize("name", NAMES)
def test_most_operators_stand_in_the_file_once(apart, name):
    content = apart(name)
    shared = share_operators(content)
    assert len(shared) < len(content) - 1500
    operators = [
        make_content_key(operator)
        for graph in opened(shared).subgraphs
        for operator in graph.operators
    ]
    assert len(set(operators)) < 0.75 * len(operators)
    # What is numbered alike already stays as it is.
    assert len(share_operators(shared)) <= len(shared)


@pytest.mark.parametrize("name", NAMES)
def test_every_signature_answers_the_same(apart, histories, name):
    files = [
        Interpreter(model_content=content, num_threads=1)
        for content in (apart(name), share_operators(apart(name)))
    ]
    history = histories[:1]
    inputs = {
        "recommend": {"history": history},
        "similar": {"book": history[0, :1]},
        "score": {"history": history, "candidates": np.arange(100, dtype=np.int32)[np.newaxis]},
        "explain": {"history": history, "book": np.array([7], np.int32)},
    }
    for signature, given in inputs.items():
        one, other = (file.get_signature_runner(signature)(**given) for file in files)
        for output in one:
            np.testing.assert_array_equal(one[output], other[output])
