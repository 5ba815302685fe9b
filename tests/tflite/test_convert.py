from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kd_tf.backend import tf
from kd_tf.errors import ParityError
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite import converter as converter_module
from kd_tf.tflite.artifact import compute_floor_bytes
from kd_tf.tflite.checks.parity import TOLERANCES, check_parity
from kd_tf.tflite.convert import convert
from kd_tf.tflite.passes.share_table import list_table_sizes
from kd_tf.tflite.quantization import Quantization

V, L, d, K = 250, 10, 16, 20

EVERY_FILE = [
    (name, form)
    for name, kind in TRAINED_STUDENTS.items()
    for form in Quantization
    if form.value in kind.quantizations
]
PRIVATE_FLAG = "_experimental_disable_per_channel_quantization_for_dense_layers"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_every_student_answers_the_same_in_every_form(file, student, histories, name, form):
    parity = check_parity(file(name, form), student(name), histories, quantization=form)
    assert parity.histories == len(histories)
    assert TOLERANCES[form].min_top10_overlap <= parity.top10_overlap <= 1
    # A quantized file that scores like the float one was not quantized.
    assert (parity.max_score_error < 1e-4) == (form is Quantization.FLOAT32)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_every_table_stands_in_the_file_once(file, name, form):
    tables = len(TRAINED_STUDENTS[name].quantized_weights)
    size = (V + 1) * d * form.bytes_per_weight // (2 if form is Quantization.INT4 else 1)
    assert list_table_sizes(file(name, form), V + 1) == [size] * tables


@pytest.mark.slow
@pytest.mark.parametrize("form", Quantization)
def test_a_file_is_hardly_larger_than_its_table(form):
    items = 8_000
    student = MLPStudent(num_items=items, max_length=L, embedding_dim=32)
    student.create_weights()
    histories = np.random.default_rng(0).integers(1, items + 1, (8, L), np.int32)
    content = convert(student, form, recommendations=K, calibration=histories)
    floor = compute_floor_bytes(student, form)
    # The graphs of four signatures take 14 kB, or 20 with the taking apart of bytes.
    assert floor < len(content) < floor + (22_000 if form is Quantization.INT4 else 16_000)


@pytest.mark.slow
def test_a_file_does_not_depend_on_the_name_of_the_student():
    # The converter orders operators by name: names made a difference of 300 bytes.
    table = np.random.default_rng(0).normal(0, 0.5, (V + 1, d)).astype(np.float32)
    contents = []
    for name in ("a", "mlp_student", "zzz"):
        student = MLPStudent(num_items=V, max_length=L, embedding_dim=d, name=name)
        student.create_weights()
        student.table.assign(table)
        contents.append(convert(student, Quantization.DYNAMIC_INT8, recommendations=K))
    assert len({len(content) for content in contents}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_every_file_answers_the_same_where_xnnpack_is_off(file, histories, name, form):
    # Android's default, and every build without the delegate.
    plain = Interpreter(
        model_content=file(name, form),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    ).get_signature_runner("recommend")
    answers = [plain(history=history[np.newaxis]) for history in histories]
    ids, scores = TFLiteModel(file(name, form)).recommend_all(histories)
    plain_ids = np.concatenate([answer["ids"] for answer in answers])
    plain_scores = np.concatenate([answer["scores"] for answer in answers])
    overlap = [len(set(a[:10]) & set(b[:10])) / 10 for a, b in zip(ids, plain_ids, strict=True)]
    # Kernels that quantize on the fly round in another way; the others only add in another order.
    if form in (Quantization.FLOAT32, Quantization.FLOAT16):
        np.testing.assert_allclose(scores, plain_scores, atol=1e-5)
        assert np.mean(overlap) >= 0.999
    else:
        np.testing.assert_allclose(scores, plain_scores, atol=0.1)
        assert np.mean(overlap) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("calibration", [None, np.zeros((0, L), np.int32)])
def test_int8_without_calibration_is_refused(student, calibration):
    with pytest.raises(ValueError, match="calibration"):
        convert(student("mlp"), Quantization.INT8, recommendations=K, calibration=calibration)


def test_a_student_without_weights_is_refused():
    student = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
    with pytest.raises(ValueError, match="no weights yet"):
        convert(student, Quantization.FLOAT32, recommendations=K)


@pytest.mark.slow
def test_the_private_flag_of_the_converter_is_still_there_and_still_needed(student, monkeypatch):
    """Guards the one private name that `convert` sets."""
    found = tf.lite.TFLiteConverter.from_saved_model

    def without_the_flag(*arguments, **settings):
        converter = found(*arguments, **settings)
        assert PRIVATE_FLAG in vars(converter), (
            f"TensorFlow {tf.__version__} has no {PRIVATE_FLAG} any more: setting it in "
            "kd_tf/tflite/converter.py does nothing, and the table is stored twice again. Look for "
            "what took its place in TFLiteConverterBase, or quantize with ai-edge-quantizer "
            "TENSORWISE."
        )
        ignored = property(lambda self: False, lambda self, value: None)
        kind = type(converter)
        converter.__class__ = type(kind.__name__, (kind,), {PRIVATE_FLAG: ignored})
        return converter

    monkeypatch.setattr(
        converter_module.tf.lite.TFLiteConverter, "from_saved_model", without_the_flag
    )
    # When nothing is raised, TensorFlow stores one table without the flag too: delete the flag from
    # kd_tf/tflite/converter.py, and this test.
    with pytest.raises(ParityError, match="more item tables than the student has"):
        convert(student("mlp"), Quantization.DYNAMIC_INT8, recommendations=K)
