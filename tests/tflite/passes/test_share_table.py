from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.models.batch_scoring import compute_scores
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.passes.flatbuffer import get_builtin_code, is_constant
from kd_tf.tflite.passes.share_table import list_table_sizes, share_table
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

V, L, d, K = 250, 10, 16, 20

NOT_INT8 = [form for form in Quantization if form is not Quantization.INT8]

INTEGER_STUDENTS = [name for name, kind in TRAINED_STUDENTS.items() if "int8" in kind.quantizations]


def overlap(ids, others):
    return np.mean([len(set(a[:10]) & set(b[:10])) / 10 for a, b in zip(ids, others, strict=True)])


def best(student, histories):
    """int32 [n, 10], the student's own best books."""
    scores = compute_scores(student, histories)
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, histories, -np.inf, axis=1)
    return np.argsort(-scores, axis=1, kind="stable")[:, :10]


def unpacked(content):
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def packed(model):
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_the_converter_stores_the_table_more_than_once_and_the_pass_once(unshared, name):
    size = (V + 1) * d
    assert set(list_table_sizes(unshared(name), V + 1)) == {size}
    assert len(list_table_sizes(unshared(name), V + 1)) > 1
    assert list_table_sizes(share_table(unshared(name), V + 1), V + 1) == [size]


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_the_pass_brings_the_ranking_nearer_to_the_student(unshared, student, histories, name):
    before = TFLiteModel(unshared(name)).recommend_all(histories)
    after = TFLiteModel(share_table(unshared(name), V + 1)).recommend_all(histories)
    right = best(student(name), histories)
    assert overlap(after[0], right) > overlap(before[0], right)


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_the_pass_changes_scores_by_no_more_than_their_quantization(unshared, histories, name):
    before = TFLiteModel(unshared(name))
    after = TFLiteModel(share_table(unshared(name), V + 1))
    # The int8 scores come in steps; what the encoder rounds otherwise is worth a few of them.
    old = before.recommend_all(histories)[1]
    step = np.diff(np.unique(old)).min()
    assert np.abs(old - after.recommend_all(histories)[1]).max() < 6 * step
    for item in range(1, V + 1, 11):
        old, new = before.similar(item)[1], after.similar(item)[1]
        assert np.abs(old - new).max() < 6 * step


def test_the_scores_keep_more_levels_than_int8_has(unshared, histories):
    shared = share_table(unshared("mlp"), V + 1)
    assert len(np.unique(TFLiteModel(unshared("mlp")).recommend_all(histories)[1])) < 256
    assert len(np.unique(TFLiteModel(shared).recommend_all(histories)[1])) > 1000


@pytest.mark.parametrize("form", NOT_INT8)
def test_a_file_that_shares_its_table_already_is_given_back_as_it_is(file, form):
    content = file("mlp", form)
    assert share_table(content, V + 1) is content


def test_a_second_pass_changes_nothing(unshared):
    once = share_table(unshared("mlp"), V + 1)
    assert share_table(once, V + 1) is once


def test_products_with_a_table_of_another_size_are_left_alone(unshared):
    content = share_table(unshared("mlp"), V + 2)
    assert list_table_sizes(content, V + 1) == list_table_sizes(unshared("mlp"), V + 1)


def test_rows_are_taken_before_they_are_made_floats(unshared):
    def written_out(content):
        model = unpacked(content)
        return [
            graph.tensors[operator.inputs[0]].shape.tolist()
            for graph in model.subgraphs
            for operator in graph.operators
            if get_builtin_code(model.operatorCodes[operator.opcodeIndex])
            == schema.BuiltinOperator.DEQUANTIZE
            and is_constant(model, graph.tensors[operator.inputs[0]])
        ]

    assert [V + 1, d] in written_out(unshared("mlp"))
    assert not written_out(share_table(unshared("mlp"), V + 1))


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_every_constant_begins_at_a_multiple_of_16_bytes(unshared, name):
    content = share_table(unshared(name), V + 1)
    model = schema.Model.GetRootAs(content, 0)
    places = []
    for index in range(model.BuffersLength()):
        data = model.Buffers(index).DataAsNumpy()
        if isinstance(data, np.ndarray) and data.size:
            start = data.__array_interface__["data"][0]
            places.append(start - np.frombuffer(content, np.uint8).__array_interface__["data"][0])
    assert len(places) > 10
    assert all(place % 16 == 0 for place in places)
    assert all(0 < place < len(content) for place in places)


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_the_pass_leaves_no_constant_twice(unshared, name):
    buffers = [
        bytes(buffer.data)
        for buffer in unpacked(share_table(unshared(name), V + 1)).buffers
        if buffer.data is not None and len(buffer.data)
    ]
    assert len(set(buffers)) == len(buffers)


def test_scores_that_go_through_an_operator_that_the_pass_does_not_know_are_refused(unshared):
    model = unpacked(unshared("mlp"))
    graph = model.subgraphs[0]
    (scoring,) = [
        operator
        for operator in graph.operators
        if graph.tensors[operator.outputs[0]].shape.tolist() == [1, V + 1]
    ]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    code.version = 2
    model.operatorCodes.append(code)
    scores = int(scoring.outputs[0])
    graph.tensors.append(graph.tensors[scores])
    for operator in graph.operators:
        operator.inputs = np.where(
            operator.inputs == scores, len(graph.tensors) - 1, operator.inputs
        )
    between = schema.OperatorT()
    between.opcodeIndex = len(model.operatorCodes) - 1
    between.inputs = np.array([scores], np.int32)
    between.outputs = np.array([len(graph.tensors) - 1], np.int32)
    graph.operators.insert(graph.operators.index(scoring) + 1, between)
    number = schema.BuiltinOperator.LOGISTIC
    with pytest.raises(NotImplementedError, match=f"builtin operator {number}, which share_table"):
        share_table(packed(model), V + 1)
