"""Catalogues, tables and histories of every size: each file against its student."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kd_tf import rng
from kd_tf.models.base import HistoryModel
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.tflite.checks.parity import check_parity
from kd_tf.tflite.convert import convert, quantize_student
from kd_tf.tflite.quantization import Quantization

RUNTIMES = [
    (OpResolverType.AUTO, 1),
    (OpResolverType.AUTO, 4),
    (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 1),
    (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 4),
]


def made(kind: type[HistoryModel], items: int, width: int, length: int) -> HistoryModel:
    rng.set_seed(0)
    student = kind(num_items=items, max_length=length, embedding_dim=width)
    student.create_weights()
    random = np.random.default_rng(items + width)
    scale = 0.3 if kind is ItemKernelStudent else 1.0
    student.table.assign(random.normal(0, scale, (items + 1, width)).astype(np.float32))
    return student


def some_histories(items: int, length: int) -> np.ndarray:
    random = np.random.default_rng(7)
    rows = np.zeros((24, length), np.int32)
    for row in rows:
        count = random.integers(0, min(length, items) + 1)
        row[:count] = random.permutation(items)[:count] + 1
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("form", [Quantization.FLOAT32, Quantization.DYNAMIC_INT8])
@pytest.mark.parametrize(
    ("items", "width", "length", "recommended"),
    [
        *[(1, 1, 1, 1), (2, 3, 4, 2), (3, 7, 1, 3), (40, 5, 60, 40)],
        *[(63, 64, 8, 9), (4097, 33, 3, 9), (70_000, 8, 5, 50)],
    ],
)
def test_a_file_of_any_size_answers_like_its_student(items, width, length, recommended, form):
    student = made(MLPStudent, items, width, length)
    histories = some_histories(items, length)
    content = convert(
        student, form, recommendations=recommended, candidates=3, calibration=histories
    )
    stored = quantize_student(student, form, histories)
    parity = check_parity(content, student, histories, quantization=form, quantized_student=stored)
    assert parity.histories == len(histories)
    assert parity.numpy_overlap is not None


@pytest.mark.slow
@pytest.mark.parametrize("items", [1, 33, 5000])
def test_four_bits_of_any_size_hold_the_packed_student(items):
    student = made(MLPStudent, items, 16, 6)
    histories = some_histories(items, 6)
    content = convert(
        student, Quantization.INT4, recommendations=min(items, 20), calibration=histories
    )
    # Beside what it was packed to: random rows lose much in four bits.
    stored = quantize_student(student, Quantization.INT4, histories)
    parity = check_parity(
        content, stored, histories, quantization=Quantization.DYNAMIC_INT8, quantized_student=stored
    )
    assert parity.top10_overlap > 0.97


def test_a_list_longer_than_the_catalogue_is_refused():
    student = made(MLPStudent, 5, 4, 3)
    with pytest.raises(ValueError, match=r"recommendations must be in 1\.\.5"):
        convert(student, Quantization.FLOAT32, recommendations=6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPStudent, ItemKernelStudent])
@pytest.mark.parametrize("form", [Quantization.FLOAT32, Quantization.DYNAMIC_INT8])
def test_every_kernel_and_number_of_threads_gives_the_same_items(kind, form):
    # More books than the blocks of the best are looked for in.
    student = made(kind, 9000, 16, 10)
    histories = some_histories(9000, 10)
    content = convert(student, form, recommendations=20, calibration=histories)
    answers = []
    for resolver, threads in RUNTIMES:
        interpreter = Interpreter(
            model_content=content, num_threads=threads, experimental_op_resolver_type=resolver
        )
        recommend = interpreter.get_signature_runner("recommend")
        answers.append([recommend(history=row[np.newaxis])["ids"][0] for row in histories])
    for other in answers[1:]:
        same = [len(set(a[:10]) & set(b[:10])) / 10 for a, b in zip(answers[0], other, strict=True)]
        assert np.mean(same) >= (0.999 if form is Quantization.FLOAT32 else 0.95)
    # One kernel adds in one order, however many threads share the work.
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[2], answers[3])
