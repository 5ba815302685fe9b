"""Properties of every loss that uses the teacher's top k items."""

from __future__ import annotations

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.response.adaptive_soft_targets import AdaptiveSoftTargets
from kd_tf.distill.losses.response.collaborative_distillation import (
    CollaborativeDistillation,
)
from kd_tf.distill.losses.response.dual_correction import DualCorrection
from kd_tf.distill.losses.response.hard_predictions import HardPredictions
from kd_tf.distill.losses.response.logit_matching import LogitMatching
from kd_tf.distill.losses.response.ranking_distillation import RankingDistillation
from kd_tf.distill.losses.response.rejuvenated_cross_entropy import RejuvenatedCrossEntropy
from kd_tf.distill.losses.response.relaxed_ranking import RelaxedRanking
from kd_tf.distill.losses.response.top_k_with_tail import TopKWithTail
from kd_tf.distill.losses.response.unbiased_distillation import UnbiasedDistillation
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT

V, K, B = 30, 8, 6

# Everything is drawn, so that nothing is left to chance; but for the pairs of the last.
CERTAIN = [
    AdaptiveSoftTargets(),
    TopKWithTail(2.0),
    LogitMatching(),
    HardPredictions(5),
    RankingDistillation(),
    CollaborativeDistillation(num_samples=V),
    RelaxedRanking(num_interesting=V, num_uninteresting=V),
    DualCorrection(num_underestimated=V, num_overestimated=V),
    RejuvenatedCrossEntropy(num_samples=V),
]
EVERY = [*CERTAIN, UnbiasedDistillation(num_groups=3)]


def named(method) -> str:
    return type(method).__name__


@pytest.fixture(scope="module")
def batch():
    """Logits that lie 0.2 apart, so that a small change leaves the ranks alone, and a teacher."""
    random = np.random.default_rng(1)
    logits = np.stack([random.permutation(V + 1) for _ in range(B)]) * 0.2 - 3
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(B)]).astype(np.int32)
    ids[1, 3:] = 0
    teacher = np.where(ids > 0, -np.sort(-random.normal(0, 2, (B, K))), 0)
    return logits, ids, teacher


@pytest.fixture(scope="module", autouse=True)
def _prepared(responses):
    for method in EVERY:
        method.build(responses.make_setup())


@pytest.mark.slow
@pytest.mark.parametrize("method", EVERY, ids=named)
def test_the_gradient_is_the_slope(method, batch, responses):
    logits, ids, teacher = batch
    total = np.full(B, 6.0)
    assert (
        responses.gradient_error(
            method, lambda at: responses.make_batch(at, ids, teacher, total=total), logits
        )
        < 5e-3
    )


@pytest.mark.parametrize("method", EVERY, ids=named)
def test_an_example_without_teacher_output_has_zero_loss_and_gradient(method, batch, responses):
    logits, ids, teacher = batch
    ids, student = ids.copy(), tf.Variable(logits, dtype=tf.float32)
    ids[2] = 0
    with tf.GradientTape() as tape:
        loss = method.compute_loss(
            responses.make_batch(student, ids, np.where(ids > 0, teacher, 0))
        )
    gradient = tf.convert_to_tensor(tape.gradient(loss, student)).numpy()
    assert loss[2] == 0
    assert (gradient[2] == 0).all()
    assert (loss.numpy()[[0, 3, 4, 5]] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", EVERY, ids=named)
@pytest.mark.parametrize("remaining", [0, 1, 2])
def test_items_that_the_student_has_masked_stay_out_of_loss_and_gradient(
    method, batch, responses, remaining
):
    # The student is left with that many of the teacher's items, then with nothing else either.
    logits, ids, teacher = batch
    for others in (True, False):
        student = np.array(logits) if others else np.full_like(logits, MASKED_LOGIT)
        for row in range(B):
            student[row, ids[row, remaining:]] = MASKED_LOGIT
            student[row, ids[row, :remaining]] = logits[row, ids[row, :remaining]]
        student[:, 0] = MASKED_LOGIT
        variable = tf.Variable(student, dtype=tf.float32)
        with tf.GradientTape() as tape:
            loss = method.compute_loss(
                responses.make_batch(variable, ids, teacher, total=np.full(B, 6.0))
            )
        gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
        assert loss.dtype == tf.float32
        assert loss.shape == [B]
        assert (np.abs(loss) < 1e3).all()
        assert np.isfinite(gradient).all()
        assert (gradient[student < MASKED_LOGIT / 2] == 0).all()


@pytest.mark.parametrize("method", CERTAIN, ids=named)
def test_more_padding_changes_nothing(method, batch, responses):
    logits, ids, teacher = batch
    wide = [np.pad(one, [[0, 0], [0, V]]) for one in (ids, teacher)]
    total = np.full(B, 6.0)
    np.testing.assert_allclose(
        method.compute_loss(responses.make_batch(logits, *wide, total=total)),
        method.compute_loss(responses.make_batch(logits, ids, teacher, total=total)),
        rtol=1e-5,
        atol=1e-6,
    )


# Yes or no for each item: the height of a logit means something.
@pytest.mark.parametrize(
    "method",
    [
        one
        for one in CERTAIN
        if not isinstance(one, RankingDistillation | CollaborativeDistillation)
    ],
    ids=named,
)
def test_a_constant_in_all_of_the_students_logits_changes_nothing(method, batch, responses):
    logits, ids, teacher = batch
    total = np.full(B, 6.0)
    np.testing.assert_allclose(
        method.compute_loss(responses.make_batch(logits + 7, ids, teacher, total=total)),
        method.compute_loss(responses.make_batch(logits, ids, teacher, total=total)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("method", EVERY, ids=named)
def test_extreme_logits_give_finite_losses(method, batch, responses):
    logits, ids, teacher = batch
    variable = tf.Variable(logits * 300, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = method.compute_loss(responses.make_batch(variable, ids, teacher * 30))
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, variable)).all()


# Compiling takes long: these two hold every operation that XLA might not know.
COMPILED = [one for one in CERTAIN if isinstance(one, DualCorrection | RelaxedRanking)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "compiled"),
    [*((one, False) for one in CERTAIN), *((one, True) for one in COMPILED)],
    ids=lambda one: str(one) if isinstance(one, bool) else named(one),
)
def test_graphs_of_unknown_batch_size_and_xla_agree_with_eager(method, batch, responses, compiled):
    logits, ids, teacher = batch
    labels = responses.make_batch(logits, ids, teacher, total=np.full(B, 6.0))

    @tf.function(reduce_retracing=True, jit_compile=compiled)
    def loss(student, ids, teacher, total):
        known = {"teacher_ids": ids, "teacher_logits": teacher, "teacher_total": total}
        return method.compute_loss(
            DistillationBatch(
                inputs=tf.zeros([1, 1], tf.int32),
                outputs=MaskedLogits.from_masked_logits(student),
                labels=known,
                student=None,
                layer_outputs={},
                training=True,
                progress=tf.constant(1.0),
            )
        )

    given = [labels.student_logits, *labels.labels.values()]
    if not compiled:
        shapes = [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in given]
        loss = loss.get_concrete_function(*shapes)
    np.testing.assert_allclose(loss(*given), method.compute_loss(labels), rtol=1e-4, atol=1e-5)
