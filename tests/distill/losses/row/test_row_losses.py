"""Losses on one prediction per row, by values that were computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.distill.losses.row import ROW_METHODS
from kd_tf.distill.losses.row.base import RowDistillationLoss
from kd_tf.distill.losses.row.hint import RowHint
from kd_tf.distill.losses.row.logit_matching import RowLogitMatching
from kd_tf.distill.losses.row.mutual import RowMutualLearning
from kd_tf.distill.losses.row.soft_targets import RowSoftTargets
from kd_tf.distill.losses.row.teacher_cross_entropy import TeacherCrossEntropy
from kd_tf.distill.weighting.row_confidence import RowTeacherConfidence
from kd_tf.models.ranking.students import FactorizationMachineStudent, RankingMLPStudent
from kd_tf.models.ranking.teachers import DeepTeacher
from kd_tf.models.ranking.teachers.bayesian_factorization_machine import (
    BayesianFactorizationMachineTeacher,
)
from kd_tf.models.students.mlp import MLPStudent

LOG3 = math.log(3)
"""The logit of three quarters."""


def make_batch(student, teachers, targets=(1.0,), progress: float = 1.0) -> DistillationBatch:
    labels = {"teacher_logits": teachers, "targets": targets}
    return DistillationBatch.from_row_logits(student, labels, progress=progress)


@pytest.mark.parametrize(
    ("loss", "student", "teacher", "expected"),
    [
        # KL(3/4, 1/4 || 1/2, 1/2) = log 2 - H(3/4).
        (RowSoftTargets(), 0.0, LOG3, 0.75 * math.log(1.5) + 0.25 * math.log(0.5)),
        # At temperature 2, logits of log 9 and 0 are those of 3/4 and 1/2; times 4.
        (
            RowSoftTargets(temperature=2.0),
            0.0,
            2 * LOG3,
            4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)),
        ),
        # The other way round it is another number.
        (RowSoftTargets(), LOG3, 0.0, 0.5 * math.log(2 / 3) + 0.5 * math.log(2)),
        (RowLogitMatching(), 0.5, -1.5, 4.0),
        (TeacherCrossEntropy(), LOG3, LOG3, -0.75 * math.log(0.75) - 0.25 * math.log(0.25)),
        (TeacherCrossEntropy(), -LOG3, LOG3, -0.75 * math.log(0.25) - 0.25 * math.log(0.75)),
        (TeacherCrossEntropy(), 0.0, 40.0, math.log(2)),
        # Logits far out stay finite.
        (RowSoftTargets(), -200.0, 200.0, 200.0 * 2 - 200.0),
    ],
)
def test_values(loss: RowDistillationLoss, student: float, teacher: float, expected: float) -> None:
    losses = loss.compute_loss(make_batch([student], [[teacher]])).numpy()
    assert losses.shape == (1,)
    assert losses[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "loss",
    [RowSoftTargets(), RowSoftTargets(temperature=3.0), RowLogitMatching(), TeacherCrossEntropy()],
)
def test_a_student_like_its_teacher_has_nothing_to_learn(loss: RowDistillationLoss) -> None:
    logits = tf.Variable([-3.0, 0.0, 0.4, 5.0])
    with tf.GradientTape() as tape:
        batch = make_batch(logits, logits.numpy()[:, None], targets=np.zeros(4))
        total = tf.reduce_sum(loss.compute_loss(batch))
    np.testing.assert_allclose(tape.gradient(total, logits), np.zeros(4), atol=1e-5)


def test_the_temperature_keeps_the_size_of_the_gradient() -> None:
    """d/ds of T^2 KL is T (sigmoid(s/T) - sigmoid(t/T)), near (s - t) / 4 for small logits."""
    for temperature in (1.0, 2.0, 10.0):
        logits = tf.Variable([0.1])
        with tf.GradientTape() as tape:
            loss = RowSoftTargets(temperature=temperature).compute_loss(
                make_batch(logits, [[-0.1]])
            )
        assert float(tape.gradient(loss, logits)[0]) == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.5, 1.0), (1.0, 2.0)])
def test_annealing_starts_with_a_teacher_that_knows_nothing(
    progress: float, expected: float
) -> None:
    batch = make_batch([0.0], [[2.0]], progress=progress)
    loss = RowLogitMatching(anneal=True)
    assert loss.combine_teachers(batch).numpy() == pytest.approx([expected])
    assert loss.compute_loss(batch).numpy() == pytest.approx([expected**2])
    assert RowLogitMatching().compute_loss(batch).numpy() == pytest.approx([4.0])


def test_teachers_that_predict_the_label_of_a_row_count_more() -> None:
    # Cross-entropies: of the first row log(4/3) and log 4, so softmax (1/4, 3/4) and weights
    # (3/4, 1/4); of the second row, with the other label, the other way round.
    batch = make_batch([0.0, 0.0], [[LOG3, -LOG3]] * 2, targets=[1.0, 0.0])
    combined = RowLogitMatching("confidence").combine_teachers(batch).numpy()
    np.testing.assert_allclose(combined, [LOG3 / 2, -LOG3 / 2], atol=1e-6)
    # Of three that agree each has a third.
    batch = make_batch([0.0], [[LOG3] * 3])
    assert RowLogitMatching("confidence").combine_teachers(batch).numpy() == pytest.approx([LOG3])
    # With three, the weights are (1 - softmax) / 2: here softmax of (log 4/3, log 2, log 4).
    shares = np.array([4 / 3, 2, 4]) / (4 / 3 + 2 + 4)
    batch = make_batch([0.0], [[LOG3, 0.0, -LOG3]])
    expected = np.dot((1 - shares) / 2, [LOG3, 0.0, -LOG3])
    assert RowLogitMatching("confidence").combine_teachers(batch).numpy() == pytest.approx(
        [expected]
    )


def test_teachers_are_weighted_as_given() -> None:
    batch = make_batch([0.0], [[1.0, 2.0, 6.0]])
    assert RowLogitMatching().combine_teachers(batch).numpy() == pytest.approx([3.0])
    weighted = RowLogitMatching(teacher_weights=[2, 2, 0])
    assert weighted.combine_teachers(batch).numpy() == pytest.approx([1.5])
    with pytest.raises(ValueError, match="3 teachers, but 2 weights"):
        RowLogitMatching(teacher_weights=[1, 1]).combine_teachers(batch)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"teachers": "best"}, "mean or confidence"),
        ({"teachers": "confidence", "teacher_weights": [1]}, "no effect"),
        ({"teacher_weights": [1, -1]}, "0 or more"),
        ({"teacher_weights": [0, 0]}, "not all 0"),
        ({"teacher_weights": []}, "0 or more"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RowSoftTargets(**arguments)


@pytest.mark.parametrize("name", ROW_METHODS)
def test_a_loss_is_rebuilt_from_its_configuration(name: str) -> None:
    loss = ROW_METHODS[name]()
    assert type(loss).from_config(loss.get_config()).get_config() == loss.get_config()


def test_the_weight_of_a_row_is_the_confidence_of_its_teachers() -> None:
    # The mean of (log 9, 0) is the logit of 3/4, whose entropy is .8113 bits.
    batch = make_batch([0.0] * 3, [[2 * LOG3, 0.0], [0.0, 0.0], [60.0, 40.0]], targets=[1.0] * 3)
    weighting = RowTeacherConfidence(student_loss_weight=0.2)
    bits = -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25)
    np.testing.assert_allclose(
        weighting.compute_weight(batch), [0.8 * (1 - bits), 0.0, 0.8], atol=1e-5
    )


@pytest.mark.parametrize("name", ROW_METHODS)
def test_a_loss_on_rows_teaches_no_catalog(name: str) -> None:
    student = MLPStudent(num_items=5, max_length=2, embedding_dim=4)
    with pytest.raises(ValueError, match=r"cannot teach a MLPStudent.*RankingModel"):
        Distiller(None, student, ROW_METHODS[name]())


def test_a_loss_on_a_catalog_teaches_no_rows(rows) -> None:
    student = rows.make(RankingMLPStudent)
    with pytest.raises(ValueError, match="cannot teach a RankingMLPStudent"):
        Distiller(None, student, SoftTargets())


def make_setup(student, *teachers) -> DistillationSetup:
    return DistillationSetup(student, teachers, np.zeros(0, np.int64), num_steps=4, seed=0)


def test_a_hint_is_the_error_of_the_projected_vector(rows) -> None:
    student, teacher = rows.make(RankingMLPStudent, hidden=(5,)), rows.make(DeepTeacher)
    examples = rows.draw(6)
    inputs = {name: tf.constant(array) for name, array in student.to_inputs(examples).items()}
    hint = RowHint()
    hint.build(make_setup(student, teacher))
    vectors = teacher.representation(inputs).numpy()
    batch = DistillationBatch(
        inputs=inputs,
        outputs=student(inputs),
        labels={"teacher_representations": tf.constant(vectors)},
        student=student,
        layer_outputs={},
        training=False,
        progress=tf.constant(1.0),
    )
    kernel, bias = (weight.numpy() for weight in hint.projector.weights)
    projected = student.representation(inputs).numpy() @ kernel + bias
    expected = ((projected - vectors) ** 2).mean(axis=1)
    np.testing.assert_allclose(hint.compute_loss(batch), expected, rtol=1e-4)
    factorization_machine = rows.make(FactorizationMachineStudent)
    with pytest.raises(ValueError, match="hint needs a hidden layer"):
        RowHint().build(make_setup(factorization_machine, teacher))


def test_the_peer_of_mutual_learning_starts_as_the_teacher_who_stays(rows) -> None:
    student, teacher = (
        rows.make(RankingMLPStudent, hidden=(5,)),
        rows.make(DeepTeacher, dropout=0.0),
    )
    examples = rows.draw(32)
    before = [weight.numpy() for weight in teacher.weights]
    loss = RowMutualLearning(peer_weight=0.5)
    distiller = Distiller(teacher, student, loss, student_loss_weight=0.5)
    distiller.build_losses(make_setup(student, teacher))
    inputs = {name: tf.constant(array) for name, array in student.to_inputs(examples).items()}
    batch = DistillationBatch(
        inputs=inputs,
        outputs=student(inputs),
        labels={"targets": tf.constant(examples.labels)},
        student=student,
        layer_outputs={},
        training=False,
        progress=tf.constant(1.0),
    )
    peer = 1 / (1 + np.exp(-teacher.predict_logits(examples).astype(float)))
    own = 1 / (1 + np.exp(-student.predict_logits(examples).astype(float)))

    def diverge(p, q):
        return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))

    hard = -np.log(np.where(examples.labels == 1, peer, 1 - peer))
    expected = diverge(peer, own) + hard + 0.5 * diverge(own, peer)
    np.testing.assert_allclose(loss.compute_loss(batch), expected, rtol=1e-3, atol=1e-5)

    distiller.compile("adam")
    distiller.fit(examples, epochs=1, batch_size=16, verbose=0)
    assert all(map(np.array_equal, before, (weight.numpy() for weight in teacher.weights)))
    assert not np.allclose(loss.peer.predict_logits(examples), teacher.predict_logits(examples))


def test_a_sampled_teacher_cannot_learn_together_with_a_student(rows) -> None:
    teacher = rows.make(BayesianFactorizationMachineTeacher, num_samples=2)
    setup = make_setup(rows.make(RankingMLPStudent), teacher)
    with pytest.raises(ValueError, match="a teacher that goes on learning"):
        RowMutualLearning().build(setup)
