"""Students that start from what is known: their files against them, in every form they have."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.distill.warm_start import WARM_STARTS
from kd_tf.runtime.operator_versions import parse_version
from kd_tf.tflite.checks.compatibility import compute_min_runtime_version
from kd_tf.tflite.checks.parity import check_parity
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.slow

K = 20
FORMS = (Quantization.FLOAT32, Quantization.DYNAMIC_INT8)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.value)
@pytest.mark.parametrize("kind", WARM_STARTS)
def test_a_file_answers_like_its_student(file, started, histories, kind: str, form: Quantization):
    content = file(kind, form)
    parity = check_parity(content, started(kind), histories, quantization=form)
    # Packed whole numbers lose nothing; products in int8 do.
    exact = form is Quantization.FLOAT32 or kind == "neighbours"
    assert parity.top10_overlap > (0.999 if exact else 0.93)


@pytest.mark.parametrize("kind", WARM_STARTS)
def test_a_settled_student_is_settled(started, histories, kind: str):
    once = started(kind)
    twice = snap_to_quantization_grid(once)
    assert compute_quantized_size(once) == compute_quantized_size(twice) <= 14_000
    np.testing.assert_allclose(
        twice(histories[:20]).numpy(), once(histories[:20]).numpy(), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("kind", WARM_STARTS)
def test_every_runtime_on_android_can_read_the_file(file, kind: str):
    content = file(kind, Quantization.DYNAMIC_INT8)
    assert parse_version(compute_min_runtime_version(content)) <= parse_version("2.16.1")


def test_packed_weights_are_in_the_file_once_and_as_bytes(file, started):
    made = started("neighbours")
    content = file("neighbours", Quantization.DYNAMIC_INT8)
    model = schema.ModelT.InitFromPackedBuf(bytearray(content))
    sizes = sorted(len(one.data) for one in model.buffers if one.data is not None)
    packed = [one.numpy().nbytes for one in made.pack().weights if "entries" in one.name]
    assert sum(packed) == made.pack().packed_entries.num_bytes
    assert [sizes.count(size) for size in packed] == [1] * len(packed)
    assert sum(sizes) < compute_quantized_size(made) + 2500


def test_a_form_that_a_student_does_not_have_is_refused(started):
    with pytest.raises(ValueError, match="does not support int8"):
        convert(started("item-kernel"), Quantization.INT8, recommendations=K)
