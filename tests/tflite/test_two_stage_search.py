"""Two stages: the same answers where all blocks are looked at, most of them where few are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.errors import UserError
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.two_tower import TwoTowerStudent
from kd_tf.runtime.model import TFLiteModel
from kd_tf.tflite.checks.parity import check_parity
from kd_tf.tflite.convert import convert
from kd_tf.tflite.passes.share_table import list_table_sizes
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.signatures import BLOCK_SIZE, find_top_k
from kd_tf.tflite.two_stage_search import (
    MIN_RECALL,
    TwoStageStudent,
    choose_block_size,
    choose_num_probes,
    cluster_items,
)

V, L, d, K = 3000, 12, 8, 20


@pytest.fixture(scope="module")
def student() -> MLPStudent:
    """Of 60 genres whose books are alike."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 1, (60, d))
    table = centres[random.integers(0, 60, V + 1)] + 0.3 * random.normal(0, 1, (V + 1, d))
    rng.set_seed(0)
    model = MLPStudent(num_items=V, max_length=L, embedding_dim=d)
    model.create_weights()
    model.table.assign(table.astype(np.float32))
    return model


@pytest.fixture(scope="module")
def order(student) -> np.ndarray:
    return cluster_items(student.table.numpy(), choose_block_size(V + 1))


@pytest.fixture(scope="module")
def histories(student) -> np.ndarray:
    """int32 [60, L]: books near one another."""
    random = np.random.default_rng(1)
    table = student.table.numpy()
    rows = np.zeros((60, L), np.int32)
    for row in rows:
        near = np.argsort(-(table[1:] @ table[random.integers(1, V + 1)]))[:40] + 1
        count = random.integers(1, L + 1)
        row[:count] = random.permutation(near)[:count]
    return rows


def test_the_order_is_a_permutation_in_which_neighbours_are_alike(student, order):
    assert sorted(order.tolist()) == list(range(1, V + 1))
    rows = student.table.numpy()[order]
    beside = np.linalg.norm(rows[1:] - rows[:-1], axis=1).mean()
    anywhere = np.linalg.norm(rows[1:] - np.random.default_rng(0).permutation(rows)[1:], axis=1)
    assert beside < 0.6 * anywhere.mean()


@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 1000, 1001, 100_001, 1_000_001])
def test_blocks_leave_few_rows_over(rows):
    size = choose_block_size(rows)
    assert 48 <= size < 80
    assert -rows % size <= max(5, size - rows)


def scores_in_order(student, order, history):
    """What the plain student says of the reordered books: float32 [V + 1]."""
    own = np.append(0, order)
    return student(tf.constant(own[history][np.newaxis].astype(np.int32))).numpy()[0][own]


def test_scores_are_those_of_the_student_in_another_order(student, order, histories):
    clustered = TwoStageStudent(student, order, 8)
    for history in histories[:10]:
        found = clustered(tf.constant(history[np.newaxis])).numpy()[0]
        np.testing.assert_allclose(
            found[1:], scores_in_order(student, order, history)[1:], atol=1e-4
        )


@pytest.mark.slow
@pytest.mark.parametrize("form", [Quantization.FLOAT32, Quantization.DYNAMIC_INT8])
def test_with_all_blocks_the_file_answers_as_an_exact_one(student, order, histories, form):
    clustered = TwoStageStudent(student, order, 10_000)
    content = convert(clustered, form, recommendations=K, calibration=histories)
    parity = check_parity(content, clustered, histories, quantization=form)
    assert parity.top10_overlap > (0.999 if form is Quantization.FLOAT32 else 0.93)
    assert list_table_sizes(content, clustered.table_rows) == [
        clustered.table_rows * d * form.bytes_per_weight
    ]


@pytest.mark.slow
def test_with_enough_blocks_most_of_the_best_are_found_by_reading_few_rows(
    student, order, histories
):
    probed = choose_num_probes(student, order, histories[:30])
    clustered = TwoStageStudent(student, order, probed)
    assert probed * clustered.rows_per_block < 0.5 * V
    content = convert(clustered, Quantization.FLOAT32, recommendations=10)
    ids, scores = TFLiteModel(content).recommend_all(histories[30:])
    hits = []
    for history, row, said in zip(histories[30:], ids, scores, strict=True):
        exact = scores_in_order(student, order, history)
        np.testing.assert_allclose(said, exact[row], atol=1e-4)
        exact[np.append(history, 0)] = -np.inf
        assert not set(row.tolist()) & set(history[history > 0].tolist())
        hits.append(len(set(np.argsort(-exact)[:10].tolist()) & set(row.tolist())) / 10)
    assert np.mean(hits) > MIN_RECALL - 0.05


def test_items_that_are_not_alike_are_refused(histories):
    random = np.random.default_rng(0)
    student = MLPStudent(num_items=90_000, max_length=L, embedding_dim=64)
    student.create_weights()
    student.table.assign(random.normal(0, 1, (90_001, 64)))
    order = random.permutation(90_000).astype(np.int32) + 1
    with pytest.raises(UserError, match="two-stage search finds only"):
        choose_num_probes(student, order, histories[:20])


def test_a_student_with_two_tables_is_refused(order):
    two = TwoTowerStudent(num_items=V, max_length=L, embedding_dim=d)
    two.create_weights()
    with pytest.raises(UserError, match="has two embedding tables"):
        TwoStageStudent(two, order, 8)


@given(
    st.integers(1, 3000),
    st.integers(1, 60),
    st.sampled_from([1, 2, 5, 1000]),
    st.integers(0, 2**31),
)
@settings(max_examples=80, deadline=None)
def test_the_best_of_blocks_are_the_best_of_all_in_the_same_order(size, count, levels, seed):
    # Few different scores, so that many are equal.
    scores = np.random.default_rng(seed).integers(0, levels, size).astype(np.float32)
    count = min(count, size)
    values, places = find_top_k(tf.constant(scores), count)
    wanted = np.argsort(-scores, kind="stable")[:count]
    assert places.numpy().tolist() == wanted.tolist()
    assert values.numpy().tolist() == scores[wanted].tolist()


def test_a_catalogue_of_many_blocks_is_searched_in_blocks():
    graph = tf.function(lambda scores: find_top_k(scores, 10)[1]).get_concrete_function(
        tf.TensorSpec([BLOCK_SIZE * 30], tf.float32)
    )
    assert any(node.type == "Max" for node in graph.graph.get_operations())
