from __future__ import annotations

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.tflite.compatibility import min_runtime_version, release
from kd_tf.tflite.convert import Quantization

ANDROID = "2.16.1"
"""What Maven Central has of ``org.tensorflow:tensorflow-lite``, Android's Java runtime."""

EVERY_FILE = [
    (name, form)
    for name, kind in TRAINED_STUDENTS.items()
    for form in Quantization
    if form.value in kind.forms
]

INTEGER_STUDENTS = [name for name, kind in TRAINED_STUDENTS.items() if "int8" in kind.forms]


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


@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_every_form_of_every_student_runs_on_android(file, name, form):
    assert release(min_runtime_version(file(name, form))) <= release(ANDROID)


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, form in EVERY_FILE if form is not Quantization.INT8]
)
def test_a_file_that_no_pass_changed_needs_what_the_converter_noted(file, name, form):
    content = file(name, form)
    assert min_runtime_version(content) == noted_by_the_converter(content)


@pytest.mark.parametrize("name", INTEGER_STUDENTS)
def test_an_int8_file_needs_what_the_converter_noted_before_the_pass(unshared, name):
    content = unshared(name)
    assert min_runtime_version(content) == noted_by_the_converter(content)


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
    assert min_runtime_version(content) == least


def test_versions_are_compared_as_numbers():
    assert release("2.16.1") > release("2.5.0") > release("1.15.0")


def test_an_operator_that_is_listed_but_not_used_needs_nothing(file):
    model = schema.ModelT.InitFromPackedBuf(bytearray(file("mlp", Quantization.FLOAT32)))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 14
    model.operatorCodes.append(code)
    assert min_runtime_version(packed(model)) == "2.4.0"


@pytest.mark.parametrize(
    ("name", "version"),
    [("FULLY_CONNECTED", 99), ("RESHAPE", 0), ("BIDIRECTIONAL_SEQUENCE_RNN", 1)],
)
def test_an_operator_that_nobody_looked_up_is_named(file, name, version):
    content = with_operator(file("mlp", Quantization.FLOAT32), name, version)
    with pytest.raises(NotImplementedError, match=f"operator {name} version {version} "):
        min_runtime_version(content)


def test_a_custom_operator_is_named(file):
    content = with_operator(file("mlp", Quantization.FLOAT32), "CUSTOM", 1, custom=b"FlexErf")
    with pytest.raises(NotImplementedError, match="FlexErf"):
        min_runtime_version(content)
