"""The gate on what a file holds, fed with files that hold too much or other numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.backend import tf
from kd_tf.errors import ParityError
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.tflite.checks.stored_weights import check_stored_weights, read_item_constants
from kd_tf.tflite.convert import convert, quantize_student
from kd_tf.tflite.passes.flatbuffer import is_constant, pack
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

V, L, d, K = 250, 10, 16, 20

EVERY_FILE = [
    (name, form)
    for name, kind in TRAINED_STUDENTS.items()
    for form in Quantization
    if form.value in kind.quantizations
]


def opened(content: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def table_of(model: schema.ModelT) -> schema.TensorT:
    return next(
        tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and tensor.shape.tolist() == [V + 1, d]
    )


PLAIN = [form for form in Quantization if form is not Quantization.INT4]


@pytest.fixture(scope="module")
def stored(student, calibration):
    """``stored(name, form)``: the student with the weights that the file holds."""
    return lambda name, form: quantize_student(student(name), form, calibration)


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, form in EVERY_FILE if form in PLAIN]
)
def test_the_numbers_in_a_file_are_the_students_within_half_a_step(file, stored, name, form):
    model = stored(name, form)
    tables = [getattr(model, table).numpy() for table in model.quantized_weights]
    constants = read_item_constants(file(name, form), V + 1)
    found = [one for one in constants if one.values.ndim == 2 and len(one.values) == V + 1]
    assert len(found) == len(tables)
    for table in tables:
        error = min(float(np.abs(one.values - table).max()) for one in found)
        # The tables of int8 files lie on the steps already; logistic ones are rounded to them.
        steps = np.abs(table).max() / 127 * (0.51 if name == "logistic" else 1e-3)
        most = {
            Quantization.FLOAT32: 0,
            Quantization.FLOAT16: 2**-11 * np.abs(table).max() + 1e-7,
        }.get(form, steps)
        assert error <= most


@pytest.mark.parametrize("name", ["mlp", "shallow-cnn"])
def test_four_bits_are_in_the_file_as_they_were_packed(file, stored, name):
    nibbles = stored(name, Quantization.INT4).packed_table.nibbles.numpy()
    found = [one.values for one in read_item_constants(file(name, Quantization.INT4), V + 1)]
    assert sum(np.array_equal(one, nibbles) for one in found) == 1


@pytest.mark.parametrize("form", PLAIN)
def test_one_changed_number_is_found(file, stored, form):
    model = opened(file("mlp", form))
    data = np.array(model.buffers[table_of(model).buffer].data, np.uint8)
    kind = {Quantization.FLOAT32: np.float32, Quantization.FLOAT16: np.float16}.get(form, np.int8)
    numbers = data.view(kind)
    place = 100 * d + 3
    numbers[place] = numbers[place] + 2 if numbers[place] < 100 else numbers[place] - 2
    model.buffers[table_of(model).buffer].data = data
    with pytest.raises(ParityError, match=r"does not hold the student's .*table.* \[251, 16\]"):
        check_stored_weights(pack(model), stored("mlp", form))


@pytest.mark.parametrize("form", PLAIN)
def test_a_second_table_is_found(file, stored, form):
    model = opened(file("mlp", form))
    tensor = copy.copy(table_of(model))
    buffer = schema.BufferT()
    buffer.data = np.array(model.buffers[tensor.buffer].data, np.uint8)[::-1].copy()
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    with pytest.raises(ParityError, match=r"more item tables .*\[251, 16\] in \d"):
        check_stored_weights(pack(model), stored("mlp", form))


def test_a_table_that_is_written_out_in_float32_is_found(unshared, student):
    # What the converter leaves: DEQUANTIZE of the whole table, then GATHER.
    with pytest.raises(ParityError, match=r"whole table \[251, 16\] to float32"):
        check_stored_weights(unshared("mlp"), student("mlp"))


def test_the_file_of_another_student_is_refused(file, student):
    other = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
    other.create_weights()
    with pytest.raises(ParityError, match="does not hold the student's"):
        check_stored_weights(file("mlp", Quantization.DYNAMIC_INT8), other)
    with pytest.raises(ParityError, match="does not hold the student's"):
        check_stored_weights(file("mlp", Quantization.DYNAMIC_INT8), student("two-tower"))


class ScalesItsScores(MLPStudent):
    """A constant behind the scores, which a converter multiplies a copy of the table with."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return 3.0 * super().call(inputs, training)


def test_a_student_whose_file_would_hold_two_tables_is_not_converted():
    student = ScalesItsScores(num_items=V, max_length=L, embedding_dim=d)
    student.create_weights()
    with pytest.raises(ParityError, match="more item tables than the student has"):
        convert(student, Quantization.FLOAT32, recommendations=K)
