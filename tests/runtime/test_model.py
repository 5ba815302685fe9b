from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_tf.errors import UserError
from kd_tf.runtime.model import TFLiteModel, pad_history

V, L, K = 200, 10, 20


@pytest.fixture(scope="module")
def model(tflite):
    return TFLiteModel(tflite)


def expected(module, history):
    """The K best books by a plain NumPy reckoning."""
    table = module.table.numpy().astype(np.float64)
    read = [item for item in history if 1 <= item <= V]
    scores = table @ (table[read].sum(0) / max(1, len(read)))
    scores[[0, *read]] = -np.inf
    ids = np.argsort(-scores, kind="stable")[:K]
    return ids, scores[ids]


def test_the_shape_of_the_contract_is_read_from_the_file(model):
    assert model.signatures == ("explain", "recommend", "score", "similar")
    assert model.candidates == 6
    assert (model.max_length, model.k, model.threads) == (L, K, 1)


def test_answers_are_those_of_an_independent_reckoning(model, module, histories):
    for history in histories:
        ids, scores = model.recommend(history)
        right_ids, right_scores = expected(module, history)
        assert ids.dtype == np.int32
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(ids, right_ids)
        np.testing.assert_allclose(scores, right_scores, rtol=1e-5, atol=1e-5)


def test_similar_items_are_those_of_an_independent_reckoning(model, module):
    table = module.table.numpy()
    scores = table @ table[7]
    scores[[0, 7]] = -np.inf
    ids, found = model.similar(7)
    np.testing.assert_array_equal(ids, np.argsort(-scores)[:K])
    np.testing.assert_allclose(found, np.sort(scores)[::-1][:K], rtol=1e-5)


def test_a_history_may_have_a_batch_of_one(model, histories):
    np.testing.assert_array_equal(
        model.recommend(histories[5])[0], model.recommend(histories[5:6])[0]
    )


@pytest.mark.parametrize("as_path", [True, False])
def test_a_path_and_its_bytes_are_the_same_model(tflite, tmp_path, histories, model, as_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite)
    other = TFLiteModel(path if as_path else str(path), threads=2)
    np.testing.assert_array_equal(
        model.recommend(histories[3])[0], other.recommend(histories[3])[0]
    )


def test_the_same_history_gets_the_same_answer_on_every_call(model, histories):
    first = model.recommend(histories[0])
    model.recommend(histories[1])
    model.similar(4)
    again = model.recommend(histories[0])
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_an_answer_stays_what_it_was_when_the_model_is_asked_again(model, histories):
    ids, scores = model.recommend(histories[0])
    kept = ids.copy(), scores.copy()
    model.recommend(histories[1])
    np.testing.assert_array_equal(ids, kept[0])
    np.testing.assert_array_equal(scores, kept[1])


def test_threads_that_share_a_model_get_their_own_answers(model, histories):
    alone = [model.recommend(history) for history in histories]
    alike = [model.similar(item)[0] for item in range(1, 65)]
    order = np.random.default_rng(2).permutation(np.repeat(np.arange(64), 30))

    def ask(row):
        return model.recommend(histories[row]), model.similar(int(row) + 1)[0]

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, order))
    finally:
        sys.setswitchinterval(switching)
    for row, ((ids, scores), similar) in zip(order, answers, strict=True):
        np.testing.assert_array_equal(ids, alone[row][0])
        np.testing.assert_array_equal(scores, alone[row][1])
        np.testing.assert_array_equal(similar, alike[row])


def test_a_whole_split_gets_the_answers_of_single_calls(model, histories):
    many = np.tile(histories, (5, 1))  # more than one turn
    ids, scores = model.recommend_all(many)
    assert ids.shape == scores.shape == (320, K)
    assert (ids.dtype, scores.dtype) == (np.int32, np.float32)
    for row, history in enumerate(many):
        one = model.recommend(history)
        np.testing.assert_array_equal(ids[row], one[0])
        np.testing.assert_array_equal(scores[row], one[1])


def test_an_empty_split_gets_no_answers(model):
    ids, scores = model.recommend_all(np.zeros((0, L), np.int32))
    assert ids.shape == scores.shape == (0, K)


def test_a_split_that_is_not_contiguous_gets_the_same_answers(model, histories):
    np.testing.assert_array_equal(
        model.recommend_all(np.asfortranarray(histories))[0], model.recommend_all(histories)[0]
    )
    np.testing.assert_array_equal(
        model.recommend(histories[::2][3])[0], model.recommend_all(histories)[0][6]
    )


@pytest.mark.parametrize(
    "history",
    [
        np.zeros(L + 1, np.int32),
        np.zeros(L, np.int64),
        np.zeros(L, np.float32),
        np.zeros((2, L), np.int32),
        np.zeros((1, 1, L), np.int32),
    ],
)
def test_a_history_of_another_shape_or_type_is_refused(model, history):
    with pytest.raises(ValueError, match="histor"):
        model.recommend(history)


@given(st.lists(st.integers(1, 2**31 - 1), max_size=30), st.integers(0, 12))
def test_padding_keeps_the_newest_items_and_stands_at_the_end(ids, length):
    padded = pad_history(ids, length)
    kept = min(length, len(ids))
    assert padded.dtype == np.int32
    assert padded.tolist() == ids[len(ids) - kept :] + [0] * (length - kept)


def test_padding_by_hand():
    assert pad_history([1, 2, 3, 4, 5], 3).tolist() == [3, 4, 5]
    assert pad_history([7], 3).tolist() == [7, 0, 0]
    assert pad_history([], 2).tolist() == [0, 0]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="No such file") as refusal:
        TFLiteModel(tmp_path / "gone.tflite")
    assert "gone.tflite" in str(refusal.value)


def test_a_folder_is_not_a_model(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        TFLiteModel(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"TFL3", "not a .tflite model"),
        (b"PK\x03\x04" + bytes(100), "not a .tflite model"),
        (b"\x1c\x00\x00\x00TFL3", "cannot be loaded"),
    ],
)
@pytest.mark.parametrize("as_path", [True, False])
def test_what_is_no_model_is_refused(tmp_path, content, message, as_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        TFLiteModel(path if as_path else content)


def test_a_truncated_model_is_refused_without_a_crash(tflite, tmp_path):
    # In a process of its own: a crash of the interpreter would take this one with it.
    program = """
import sys
from pathlib import Path
from kd_tf.errors import UserError
from kd_tf.runtime.model import TFLiteModel
whole = Path(sys.argv[1]).read_bytes()
for part in range(0, len(whole), 97):
    Path(sys.argv[2]).write_bytes(whole[:part])
    for source in (sys.argv[2], whole[:part]):
        try:
            TFLiteModel(source)
        except UserError:
            continue
        sys.exit(f"{part} bytes were taken for a model")
"""
    (tmp_path / "whole.tflite").write_bytes(tflite)
    arguments = [str(tmp_path / "whole.tflite"), str(tmp_path / "part.tflite")]
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_a_model_without_recommend_is_refused(similar_only):
    with pytest.raises(UserError, match=r"no signature recommend \(signatures: similar\)"):
        TFLiteModel(similar_only)


def test_a_model_that_breaks_the_contract_is_refused(breach_of_contract):
    with pytest.raises(UserError, match="'ids': \\('float32'"):
        TFLiteModel(breach_of_contract)


def test_an_operator_that_the_interpreter_lacks_is_found_at_loading(with_a_custom_operator):
    with pytest.raises(UserError, match="has the custom operator") as refusal:
        TFLiteModel(with_a_custom_operator)
    assert "built-in operators only" in str(refusal.value)


def test_similar_is_refused_when_the_model_has_none(recommend_only):
    model = TFLiteModel(recommend_only)
    assert model.signatures == ("recommend",)
    with pytest.raises(UserError, match="no signature similar"):
        model.similar(3)


def test_any_number_of_candidates_is_scored_with_0_for_no_item(model, module, histories):
    candidates = np.array([5, 0, V, -1, V + 1, 2**31 - 1, 9, 9, 1, 2, 3, 4, 6], np.int32)
    table = module.table.numpy()
    for history in histories[:8]:
        items = history[history > 0]
        query = table[items].sum(axis=0) / max(len(items), 1)
        known = (candidates >= 1) & (candidates <= V)
        wanted = np.where(known, table[np.where(known, candidates, 0)] @ query, 0)
        np.testing.assert_allclose(model.score(history, candidates), wanted, atol=1e-5)
        assert len(model.score(history, candidates[:0])) == 0


@pytest.mark.parametrize("candidates", [np.zeros((1, 3), np.int32), np.zeros(3, np.int64)])
def test_candidates_of_another_shape_or_type_are_refused(model, candidates):
    with pytest.raises(ValueError, match="candidates must be int32"):
        model.score(np.zeros(L, np.int32), candidates)


@pytest.mark.parametrize("signature", ["score", "explain"])
def test_a_signature_that_the_model_lacks_is_named(recommend_only, signature):
    model, history = TFLiteModel(recommend_only), np.zeros(L, np.int32)
    ask = {
        "score": lambda: model.score(history, np.array([3], np.int32)),
        "explain": lambda: model.explain(history, 3),
    }
    with pytest.raises(UserError, match=f"no signature {signature}"):
        ask[signature]()


def test_fewer_than_one_thread_is_refused(tflite):
    with pytest.raises(ValueError, match="threads"):
        TFLiteModel(tflite, threads=0)
