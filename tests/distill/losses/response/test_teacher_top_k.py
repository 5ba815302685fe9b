import numpy as np
import pytest

from kd_tf.distill.losses.response.teacher_top_k import (
    compute_rank_errors,
    compute_student_ranks,
    gather_teacher_top_k,
)
from kd_tf.losses.softmax import MASKED_LOGIT

LOGITS = np.array([[0, 1.0, 5, 3, MASKED_LOGIT, 3, 2]])


def test_padding_and_masked_items_are_not_there_and_have_no_rank(responses):
    best = gather_teacher_top_k(responses.make_batch(LOGITS, [[6, 4, 1, 0]], [[9.0, 8, 7, 55]]))
    assert best.mask.numpy().tolist() == [[True, False, True, False]]
    assert best.ranks.numpy()[0, [0, 2]].tolist() == [1, 2]
    assert best.teacher_logits.numpy().tolist() == [[9, 0, 7, 0]]
    assert best.student_logits.numpy().tolist() == [[2, 0, 1, 0]]


def test_ranks_are_those_of_the_whole_catalog_and_ties_share_the_worst(responses):
    batch = responses.make_batch(LOGITS, [[2, 3, 5, 6, 1]])
    assert compute_student_ranks(
        batch, gather_teacher_top_k(batch).student_logits, 9
    ).numpy().tolist() == [[1, 3, 3, 4, 5]]


def test_ranks_are_exact_up_to_the_limit_and_clipped_beyond(responses):
    batch = responses.make_batch(LOGITS, [[2, 3, 5, 6, 1]])
    scores = gather_teacher_top_k(batch).student_logits
    assert compute_student_ranks(batch, scores, 3).numpy().tolist() == [[1, 3, 3, 4, 4]]
    assert compute_student_ranks(batch, scores, 1).numpy().tolist() == [[1, 2, 2, 2, 2]]


@pytest.mark.parametrize("discrepancy", [0.1, 1.0, 30.0])
def test_the_tanh_of_a_misplacement_is_that_of_all_ranks(responses, discrepancy):
    logits = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    batch = responses.make_batch(logits, [np.arange(1, 13)] * 4)
    best = gather_teacher_top_k(batch)
    actual = compute_rank_errors(batch, best, discrepancy).numpy()
    exact = (logits[:, None] >= best.student_logits.numpy()[:, :, None]).sum(
        axis=2
    ) - best.ranks.numpy()
    assert exact.max() > 200
    np.testing.assert_allclose(
        np.tanh(np.float32(discrepancy) * actual.astype(np.float32)),
        np.tanh(np.float32(discrepancy) * exact.astype(np.float32)),
        rtol=1e-6,
    )
