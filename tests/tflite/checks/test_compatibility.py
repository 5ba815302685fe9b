from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.errors import ParityError, UserError
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.tflite.checks.compatibility import (
    check_runtime,
    compute_min_runtime_version,
    parse_version,
)
from kd_tf.tflite.quantization import Quantization

ANDROID = "2.16.1"
"""What Maven Central has of ``org.tensorflow:tensorflow-lite``, Android's Java runtime."""

EVERY_FILE = [
    (name, form)
    for name, kind in TRAINED_STUDENTS.items()
    for form in Quantization
    if form.value in kind.quantizations
]

INTEGER_STUDENTS = [name for name, kind in TRAINED_STUDENTS.items() if "int8" in kind.quantizations]


def noted_by_the_converter(content):
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    (note,) = [one for one in model.metadata if one.name == b"min_runtime_version"]
    return bytes(model.buffers[note.buffer].data).rstrip(b"\0").decode()


def with_operator(content, name, version, custom=None):
    """`content` with the code of its first operator replaced."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version, code.customCode = version, custom
    return packed(model)


def packed(model):
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_every_form_of_every_student_runs_on_android(file, name, form):
    assert parse_version(compute_min_runtime_version(file(name, form))) <= parse_version(ANDROID)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name, form in EVERY_FILE
        if form not in (Quantization.INT8, Quantization.INT4)
    ],
)
def test_a_file_that_no_pass_changed_needs_what_the_converter_noted(file, name, form):
    content = file(name, form)
    assert compute_min_runtime_version(content) == noted_by_the_converter(content)


@pytest.mark.slow
@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_an_int8_file_needs_what_the_converter_noted_before_the_pass(unshared, name):
    content = unshared(name)
    assert compute_min_runtime_version(content) == noted_by_the_converter(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "version", "least"),
    [
        ("FULLY_CONNECTED", 9, "2.4.0"),  # 2.3.0 by itself; CUMSUM in the same file needs 2.4.0
        ("FULLY_CONNECTED", 11, "2.15.0"),
        ("FULLY_CONNECTED", 12, "2.17.0"),
        ("FULLY_CONNECTED", 13, "2.18.0"),
        ("GATHER", 5, "2.5.0"),
        ("QUANTIZE", 3, "2.7.0"),
    ],
)
def test_the_newest_operator_decides(file, name, version, least):
    content = with_operator(file("mlp", Quantization.FLOAT32), name, version)
    assert compute_min_runtime_version(content) == least


def test_versions_are_compared_as_numbers():
    assert parse_version("2.16.1") > parse_version("2.5.0") > parse_version("1.15.0")


@pytest.mark.slow
def test_an_operator_that_is_listed_but_not_used_needs_nothing(file):
    model = schema.ModelT.InitFromPackedBuf(bytearray(file("mlp", Quantization.FLOAT32)))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 14
    model.operatorCodes.append(code)
    assert compute_min_runtime_version(packed(model)) == "2.4.0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "version"),
    [("FULLY_CONNECTED", 99), ("RESHAPE", 0), ("BIDIRECTIONAL_SEQUENCE_RNN", 1)],
)
def test_an_operator_that_nobody_looked_up_is_named(file, name, version):
    content = with_operator(file("mlp", Quantization.FLOAT32), name, version)
    with pytest.raises(NotImplementedError, match=f"operator {name} version {version} "):
        compute_min_runtime_version(content)


@pytest.mark.slow
def test_a_custom_operator_is_named(file):
    content = with_operator(file("mlp", Quantization.FLOAT32), "CUSTOM", 1, custom=b"FlexErf")
    with pytest.raises(NotImplementedError, match="FlexErf"):
        compute_min_runtime_version(content)


def with_weights(content, change):
    """`content` with a change to the table that the first product of `recommend` reads."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    kind = schema.BuiltinOperator.FULLY_CONNECTED
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            weights = graph.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
            if code.builtinCode == kind and weights.shape[0] == 251:
                change(weights)
                return packed(model)
    raise AssertionError("no product over the table")


@pytest.mark.slow
def test_a_scale_a_row_that_an_older_runtime_would_misread_is_refused(file):
    def scale_by_row(weights):
        weights.quantization.scale = np.repeat(weights.quantization.scale, 251)

    changed = with_weights(file("mlp", Quantization.DYNAMIC_INT8), scale_by_row)
    with pytest.raises(ParityError, match=r"one scale per row, which need its version 12"):
        compute_min_runtime_version(changed)


@pytest.mark.slow
def test_four_bits_that_an_older_runtime_would_misread_are_refused(file):
    def four_bits(weights):
        weights.type = schema.TensorType.INT4

    changed = with_weights(file("mlp", Quantization.DYNAMIC_INT8), four_bits)
    with pytest.raises(ParityError, match=r"int4 values, which need its version"):
        check_runtime(changed, "litert")


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["android-2.16", "any"])
def test_a_file_that_androids_runtime_lacks_operators_for_is_refused(file, runtime):
    content = file("mlp", Quantization.DYNAMIC_INT8)
    check_runtime(content, runtime)
    newer = with_operator(content, "FULLY_CONNECTED", 13)
    with pytest.raises(UserError, match=r"needs TensorFlow Lite 2\.18\.0 .*android-2\.16"):
        check_runtime(newer, runtime)
    check_runtime(newer, "litert")


@pytest.mark.slow
def test_a_runtime_that_does_not_exist_is_named(file):
    with pytest.raises(ValueError, match=r"any or one of android-2\.16, litert, not 'ios'"):
        check_runtime(file("mlp", Quantization.FLOAT32), "ios")
