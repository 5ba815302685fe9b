"""Files whose own numbers ask for more memory than they can mean are refused."""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.models.students import STUDENTS
from kd_tf.runtime.flatbuffer_check import StructureError
from kd_tf.runtime.model_check import check_model
from kd_tf.tflite.quantization import Quantization


def pack(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def find_fault(content: bytes) -> str:
    try:
        check_model(content)
    except StructureError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDENTS)
def test_what_students_compute_sizes_from_is_small(name, file):
    assert check_model(file(name, Quantization.FLOAT32))


@pytest.mark.slow
def test_an_offset_far_beyond_the_file_is_refused(file):
    """Entries of an item would begin and end a thousand million numbers apart."""
    content = file("neighbours", Quantization.FLOAT32)
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    graph = model.subgraphs[0]
    refused = 0
    for tensor in graph.tensors:
        data = model.buffers[tensor.buffer].data
        is_table = tensor.type == schema.TensorType.INT32 and data is not None and len(data) > 100
        if not is_table:
            continue
        original = data.copy()
        numbers = data.view(np.int32).copy()
        numbers[len(numbers) // 2] = 10**9
        model.buffers[tensor.buffer].data = numbers.view(np.uint8)
        refused += "1,000,000,000" in find_fault(pack(model))
        model.buffers[tensor.buffer].data = original
    assert refused, "no table of offsets was changed"
