import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.response.adaptive_soft_targets import MIN_STD, AdaptiveSoftTargets
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT

V, K = 9, 4


def make_batch(logits, ids, teacher) -> DistillationBatch:
    logits = tf.cast(logits, tf.float32)
    return DistillationBatch(
        inputs=tf.zeros([logits.shape[0], 1], tf.int32),
        outputs=MaskedLogits.from_masked_logits(
            tf.concat([tf.fill([logits.shape[0], 1], MASKED_LOGIT), logits[:, 1:]], axis=1)
        ),
        labels={
            "teacher_ids": tf.cast(ids, tf.int32),
            "teacher_logits": tf.cast(teacher, tf.float32),
        },
        student=None,
        layer_outputs={},
        training=True,
        progress=tf.zeros([]),
    )


def loss(student, ids, teacher, temperature: float = 1.0) -> np.ndarray:
    return AdaptiveSoftTargets(temperature).compute_loss(make_batch(student, ids, teacher)).numpy()


@st.composite
def batches(draw):
    """A student's logits and a teacher's best items; both tell the best items apart."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(3)])
    ids[0, draw(st.integers(2, K)) :] = 0
    apart = np.arange(K, 0, -1) + random.uniform(0, 0.5, (3, K))
    teacher = np.where(ids > 0, apart * draw(st.floats(0.1, 5)), 0)
    student = random.permuted(np.tile(np.arange(V + 1.0), (3, 1)), axis=1)
    return (student + random.uniform(0, 0.5, student.shape)) * draw(st.floats(0.5, 3)), ids, teacher


temperatures = st.sampled_from([0.5, 1.0, 3.0])


def test_the_loss_by_hand():
    # The teacher's 5, 1 become 1, -1, the student's 1, 3 and 2 of a third item -1, 1 and 0.
    teacher = special.softmax([1, -1])
    student = special.softmax([-1, 1, 0])
    expected = np.sum(teacher * np.log(teacher / student[:2]))
    assert loss([[0, 1.0, 3.0, 2.0]], [[1, 2]], [[5.0, 1.0]]) == pytest.approx([expected])


@given(batches(), temperatures)
def test_the_loss_is_the_divergence_that_scipy_finds(batch, temperature):
    student, ids, teacher = batch
    actual = loss(student, ids, teacher, temperature)
    for row in range(3):
        mask = ids[row] > 0
        expected_scores = student[row, ids[row][mask]]
        wanted = np.zeros(V)
        wanted[ids[row][mask] - 1] = special.softmax(stats.zscore(teacher[row][mask]) / temperature)
        given_ = special.softmax(
            (student[row, 1:] - expected_scores.mean()) / expected_scores.std() / temperature
        )
        expected = temperature**2 * stats.entropy(wanted, given_)
        assert actual[row] == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(batches(), temperatures, st.floats(-30, 30), st.floats(0.1, 20))
def test_a_constant_and_a_positive_factor_of_the_teachers_logits_change_nothing(
    batch, temperature, constant, factor
):
    student, ids, teacher = batch
    changed = np.where(ids > 0, factor * teacher + constant, 0)
    np.testing.assert_allclose(
        loss(student, ids, changed, temperature),
        loss(student, ids, teacher, temperature),
        rtol=1e-3,
        atol=1e-4,
    )


@given(batches(), temperatures, st.floats(-30, 30), st.floats(1, 20))
def test_a_constant_and_a_positive_factor_of_the_students_logits_change_nothing(
    batch, temperature, constant, factor
):
    student, ids, teacher = batch
    np.testing.assert_allclose(
        loss(factor * student + constant, ids, teacher, temperature),
        loss(student, ids, teacher, temperature),
        rtol=1e-3,
        atol=1e-3,
    )


def test_the_order_of_the_teachers_items_does_matter():
    student = [[0, 3.0, 2.0, 1.0]]
    right = loss(student, [[1, 2, 3]], [[9.0, 5.0, 1.0]])
    assert right == pytest.approx([0], abs=1e-5)
    assert loss(student, [[3, 2, 1]], [[9.0, 5.0, 1.0]]) > 1


@given(batches(), temperatures, st.floats(-20, 20), st.floats(0.5, 5))
def test_a_student_with_the_teachers_standardised_logits_has_nothing_to_learn(
    batch, temperature, constant, factor
):
    _, ids, teacher = batch
    student = np.full((3, V + 1), MASKED_LOGIT)
    for row in range(3):
        mask = ids[row] > 0
        student[row, ids[row][mask]] = factor * stats.zscore(teacher[row][mask]) + constant
    np.testing.assert_allclose(
        loss(student, ids, teacher, temperature), 0, atol=1e-4 * temperature**2
    )


def test_logits_of_deviation_one_give_plain_soft_targets():
    teacher = stats.zscore([4.0, 1.0, 0.0])[None]
    student = np.array([[0, 0, 0, 0, 0.3, -1.0]])
    student[0, 1:4] = stats.zscore([0.0, 1.0, 5.0])
    batch = make_batch(student, [[1, 2, 3]], teacher)
    for temperature in (0.5, 2.0):
        actual = AdaptiveSoftTargets(temperature).compute_loss(batch)
        np.testing.assert_allclose(actual, SoftTargets(temperature).compute_loss(batch), rtol=1e-4)


def test_items_that_tie_are_equally_good_and_their_gradient_is_small():
    student = tf.Variable(np.zeros((2, V + 1), np.float32))
    ids = [[1, 2, 3], [4, 0, 0]]
    with tf.GradientTape() as tape:
        actual = AdaptiveSoftTargets().compute_loss(
            make_batch(student, ids, [[0.1] * 3, [0.7, 0, 0]])
        )
    # A third each of the teacher, a ninth of the student; one item alone against nine.
    assert actual.numpy() == pytest.approx([np.log(3), np.log(9)], rel=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(actual, student)).numpy()
    assert np.isfinite(gradient).all()
    assert 0 < np.abs(gradient).max() <= 1 / MIN_STD


def test_a_temperature_that_is_not_above_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be above 0, not 0"):
        AdaptiveSoftTargets(0)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(AdaptiveSoftTargets(3.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, AdaptiveSoftTargets)
    assert loaded.temperature == 3.5
