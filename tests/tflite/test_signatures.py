from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.backend import tf
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.signatures import Signatures

V, L, K, C = 250, 10, 20, 100

EVERY_FILE = [
    (name, form)
    for name, kind in TRAINED_STUDENTS.items()
    for form in Quantization
    if form.value in kind.quantizations
]
EXACT = (Quantization.FLOAT32, Quantization.FLOAT16)
INT32 = st.integers(-(2**31), 2**31 - 1)


def best_by_sorting(scores, excluded, k):
    """The K best books by sorting all of them: ids, ending in zeros."""
    scores = scores.astype(np.float64)
    scores[[0, *[item for item in excluded if 1 <= item < len(scores)]]] = -np.inf
    order = np.argsort(-scores, kind="stable")[:k]
    return np.where(np.isneginf(scores[order]), 0, order)


def assert_same(answer, right):
    for one, other in zip(answer, right, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def signatures(student):
    return Signatures(student("mlp"), K, C)


@pytest.mark.slow
@given(st.lists(st.one_of(st.integers(1, V), INT32), max_size=L))
@settings(max_examples=60, deadline=None)
def test_the_best_items_are_those_of_sorting_all_of_them(signatures, history):
    padded = np.zeros((1, L), np.int32)
    padded[0, : len(history)] = history
    answer = signatures.functions["recommend"](tf.constant(padded))
    scores = signatures.student(padded).numpy()[0]
    ids = answer["ids"].numpy()[0]
    assert ids.tolist() == best_by_sorting(scores, history, K).tolist()
    # A function on its own may add in another order than the model does.
    np.testing.assert_allclose(answer["scores"].numpy()[0], scores[ids], atol=1e-5)


@pytest.mark.slow
@given(INT32)
@settings(max_examples=40, deadline=None)
def test_the_most_similar_items_are_those_of_sorting_all_of_them(signatures, item):
    answer = signatures.functions["similar"](tf.constant([item], tf.int32))
    scores = signatures.student.similar(tf.constant([item], tf.int32)).numpy()[0]
    assert answer["ids"].numpy()[0].tolist() == best_by_sorting(scores, [item], K).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("recommendations", [0, -1, V + 1])
def test_a_list_longer_than_the_catalogue_or_empty_is_refused(student, recommendations):
    with pytest.raises(ValueError, match=rf"1\.\.{V}.*not {recommendations}$"):
        Signatures(student("mlp"), recommendations, C)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_neither_padding_nor_an_item_of_the_history_is_recommended(file, histories, name, form):
    ids, _ = TFLiteModel(file(name, form)).recommend_all(histories)
    assert ((ids >= 1) & (ids <= V)).all()
    for history, row in zip(histories, ids, strict=True):
        assert not set(row) & set(history)
        assert len(set(row)) == K


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_an_item_is_not_similar_to_itself(file, name, form):
    model = TFLiteModel(file(name, form))
    for item in range(1, V + 1, 7):
        ids, _ = model.similar(item)
        assert item not in ids
        assert 0 not in ids
        assert len(set(ids)) == K


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_ids_that_no_item_has_count_as_padding(file, name, form):
    model = TFLiteModel(file(name, form))
    padded = np.array([5, 17, 31, 0, 0, 0, 0, 0, 0, 0], np.int32)
    for unknown in (-1, V + 1, 2**31 - 1, -(2**31)):
        for filled in (padded, np.zeros(L, np.int32)):
            strange = np.where(filled == 0, unknown, filled).astype(np.int32)
            assert_same(model.recommend(strange), model.recommend(filled))
        assert_same(model.similar(unknown), model.similar(0))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_an_empty_history_gets_the_items_that_many_read(file, split, name, form):
    ids, _ = TFLiteModel(file(name, form)).recommend(np.zeros(L, np.int32))
    popularity = split.popularity()
    assert popularity[ids[:10]].mean() > 1.5 * popularity[1:].mean()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_the_same_history_gets_the_same_answer_on_every_call(file, histories, name, form):
    model = TFLiteModel(file(name, form))
    first = [model.recommend(history) for history in histories[:40]]
    model.similar(3)
    again = [model.recommend(history) for history in histories[39::-1]]
    for one, other in zip(first, again[::-1], strict=True):
        assert_same(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_an_app_meets_nothing_but_int32_and_float32_of_fixed_shape(file, name, form):
    interpreter = Interpreter(model_content=file(name, form))
    contract = {
        "recommend": (
            {"history": (np.int32, [1, L])},
            {"ids": (np.int32, [1, K]), "scores": (np.float32, [1, K])},
        ),
        "similar": (
            {"book": (np.int32, [1])},
            {"ids": (np.int32, [1, K]), "scores": (np.float32, [1, K])},
        ),
        "score": (
            {"history": (np.int32, [1, L]), "candidates": (np.int32, [1, C])},
            {"scores": (np.float32, [1, C])},
        ),
        "explain": (
            {"history": (np.int32, [1, L]), "book": (np.int32, [1])},
            {"contributions": (np.float32, [1, L])},
        ),
    }
    assert set(interpreter.get_signature_list()) == set(contract)
    for signature, (questions, answers) in contract.items():
        runner = interpreter.get_signature_runner(signature)
        runner(**{name: np.zeros(shape, kind) for name, (kind, shape) in questions.items()})
        for details, wanted in (
            (runner.get_input_details(), questions),
            (runner.get_output_details(), answers),
        ):
            found = {key: (one["dtype"], list(one["shape"])) for key, one in details.items()}
            assert found == wanted


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_a_score_is_that_of_the_recommendation(file, histories, name, form):
    model = TFLiteModel(file(name, form))
    for history in histories[:30]:
        ids, scores = model.recommend(history)
        asked = np.concatenate([ids, [0, -1, V + 1, 2**31 - 1], ids[:1]]).astype(np.int32)
        found = model.score(history, asked)
        # What ranks multiplies in whole numbers, int8 files encode in them too.
        loose = 1e-4 if form in EXACT else 0.5 if form is Quantization.INT8 else 0.05
        np.testing.assert_allclose(found[:K], scores, atol=loose * max(np.abs(scores).max(), 1))
        assert not found[K : K + 4].any()
        assert found[-1] == found[0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), EVERY_FILE)
def test_a_contribution_is_what_the_score_loses_without_the_item(file, student, name, form):
    model, sums = TFLiteModel(file(name, form)), name == "logistic"
    history = np.array([5, 0, 17, 17, -3, 31, 0, 0, 0, 0], np.int32)
    item = int(model.recommend(history)[0][0])
    found = model.explain(history, item)
    assert not found[[1, 3, 4, 6, 7, 8, 9]].any()
    whole = model.score(history, np.array([item], np.int32))[0]
    for place, read in ((0, 5), (2, 17), (5, 31)):
        without = np.where(history == read, 0, history).astype(np.int32)
        less = model.score(without, np.array([item], np.int32))[0]
        assert found[place] == pytest.approx(whole - less, abs=0.02 * max(abs(float(whole)), 1))
    if sums:
        prior = model.score(np.zeros(L, np.int32), np.array([item], np.int32))[0]
        assert found.sum() == pytest.approx(whole - prior, abs=0.01)


@pytest.fixture(scope="module", params=[Quantization.FLOAT32, Quantization.INT8])
def small_shop(request):
    """A file for 12 books that recommends 12: fewer than a full history leaves."""
    student = MLPStudent(num_items=12, max_length=L, embedding_dim=4)
    student.create_weights()
    calibration = np.tile(np.arange(1, L + 1, dtype=np.int32), (4, 1))
    return TFLiteModel(convert(student, request.param, recommendations=12, calibration=calibration))


@pytest.mark.slow
@pytest.mark.parametrize("read", [[], [3], [1, 2, 3, 4, 5], [3, 3, 9, 3], list(range(3, 13))])
def test_where_fewer_items_are_left_the_answer_ends_in_zeros(small_shop, read):
    history = np.zeros(L, np.int32)
    history[: len(read)] = read
    ids, scores = small_shop.recommend(history)
    left = set(range(1, 13)) - set(read)
    assert set(ids[: len(left)]) == left
    assert not ids[len(left) :].any()
    assert np.isfinite(scores).all()


@pytest.mark.slow
def test_where_fewer_items_are_left_the_similar_ones_end_in_zeros(small_shop):
    ids, _ = small_shop.similar(7)
    assert set(ids[:-1]) == set(range(1, 13)) - {7}
    assert ids[-1] == 0
