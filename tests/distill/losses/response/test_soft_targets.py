import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.base import DistillationBatch
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT

V, K = 9, 4


def make_batch(logits, **labels) -> DistillationBatch:
    return DistillationBatch(
        inputs=tf.zeros([logits.shape[0], 1], tf.int32),
        outputs=MaskedLogits.from_masked_logits(tf.cast(logits, tf.float32)),
        labels={
            "teacher_ids": tf.cast(labels["teacher_ids"], tf.int32),
            "teacher_logits": tf.cast(labels["teacher_logits"], tf.float32),
        },
        student=None,
        layer_outputs={},
        training=True,
        progress=tf.zeros([]),
    )


temperatures = st.sampled_from([0.5, 1.0, 2.0, 7.0])


def loss(temperature: float, student, ids, teacher) -> np.ndarray:
    batch = make_batch(np.asarray(student), teacher_ids=ids, teacher_logits=teacher)
    return SoftTargets(temperature).compute_loss(batch).numpy()


@st.composite
def teachers(draw):
    """Ids [2, K] of the best items, padded with 0 at the end, and their logits."""
    ids = np.zeros((2, K), np.int32)
    for row in ids:
        chosen = draw(st.lists(st.integers(1, V), min_size=1, max_size=K, unique=True))
        row[: len(chosen)] = chosen
    logits = draw(hnp.arrays(np.float32, (2, K), elements=st.floats(-8, 8, width=32)))
    return ids, np.where(ids > 0, logits, 0)


logits = hnp.arrays(np.float32, (2, V + 1), elements=st.floats(-8, 8, width=32))


def masked(student: np.ndarray) -> np.ndarray:
    student = student.copy()
    student[:, 0] = MASKED_LOGIT
    return student


def test_the_loss_by_hand():
    # At T = 2 the logits log(9), log(1) are log(3), log(1): the teacher says 3/4 and 1/4.
    # The student says 1/2, 1/4, 1/4 of the items 1, 2, 3.
    teacher = np.log([[9.0, 1.0]])
    student = 2 * np.log([[1e-30, 2.0, 1.0, 1.0]])
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.25)
    assert loss(2.0, student, [[1, 2]], teacher) == pytest.approx([4 * expected], rel=1e-5)


@given(teachers(), logits, temperatures)
def test_the_loss_is_temperature_squared_times_the_divergence(teacher, student, temperature):
    ids, scores = teacher
    actual = loss(temperature, masked(student), ids, scores)
    for row in range(2):
        mask = ids[row] > 0
        wanted = np.zeros(V)
        wanted[ids[row][mask] - 1] = special.softmax(
            scores[row][mask].astype(np.float64) / temperature
        )
        given_ = special.softmax(student[row, 1:].astype(np.float64) / temperature)
        expected = temperature**2 * stats.entropy(wanted, given_)
        assert actual[row] == pytest.approx(expected, rel=1e-3, abs=1e-4 * temperature**2)


@given(teachers(), logits, temperatures)
def test_the_loss_is_never_negative(teacher, student, temperature):
    actual = loss(temperature, masked(student), *teacher)
    assert (actual >= -1e-5 * temperature**2).all()  # but for the rounding of float32


@given(teachers(), temperatures, st.floats(-20, 20))
def test_a_student_with_the_teachers_distribution_has_nothing_to_learn(teacher, temperature, shift):
    ids, scores = teacher
    student = np.full((2, V + 1), MASKED_LOGIT, np.float32)
    for row in range(2):
        mask = ids[row] > 0
        student[row, ids[row][mask]] = scores[row][mask] + shift
    actual = loss(temperature, student, ids, scores)
    np.testing.assert_allclose(actual, 0, atol=1e-5 * temperature**2)


def test_weight_on_items_that_the_teacher_does_not_recommend_costs():
    student = np.full((1, V + 1), MASKED_LOGIT)
    student[0, [1, 2]] = [1.0, 0.5]
    assert loss(1.0, student, [[1, 2]], [[1.0, 0.5]]) == pytest.approx([0], abs=1e-6)
    student[0, 3] = 1.0
    assert loss(1.0, student, [[1, 2]], [[1.0, 0.5]])[0] > 0.1


@given(teachers(), logits, temperatures, st.floats(-50, 50))
def test_logits_of_padding_are_ignored(teacher, student, temperature, rubbish):
    ids, scores = teacher
    spoilt = np.where(ids > 0, scores, rubbish)
    actual = loss(temperature, masked(student), ids, scores)
    np.testing.assert_array_equal(loss(temperature, masked(student), ids, spoilt), actual)


def test_more_padding_changes_nothing():
    student = masked(np.linspace(-1, 1, V + 1)[None])
    narrow = loss(2.0, student, [[3, 5]], [[1.0, 0.5]])
    wide = loss(2.0, student, [[3, 5, 0, 0, 0]], [[1.0, 0.5, 0, 0, 0]])
    np.testing.assert_allclose(wide, narrow, rtol=1e-6)


def test_an_example_without_teacher_output_has_zero_loss_and_gradient():
    student = tf.Variable(masked(np.linspace(-1, 1, V + 1, dtype=np.float32)[None]))
    labels = {"teacher_ids": tf.zeros([1, K], tf.int32), "teacher_logits": tf.zeros([1, K])}
    with tf.GradientTape() as tape:
        actual = SoftTargets(2.0).compute_loss(make_batch(student, **labels))
    assert actual.numpy() == [0]
    assert (tf.convert_to_tensor(tape.gradient(actual, student)).numpy() == 0).all()


def gradient(temperature: float) -> np.ndarray:
    random = np.random.default_rng(0)
    student = tf.Variable(masked(random.normal(0, 0.1, (1, V + 1)).astype(np.float32)))
    labels = {
        "teacher_ids": tf.range(1, V + 1)[tf.newaxis],
        "teacher_logits": tf.constant(random.normal(0, 0.1, (1, V)), tf.float32),
    }
    with tf.GradientTape() as tape:
        actual = SoftTargets(temperature).compute_loss(make_batch(student, **labels))
    return tf.convert_to_tensor(tape.gradient(actual, student)).numpy()[0, 1:]


def test_the_gradient_keeps_its_size_at_every_temperature():
    sizes = [np.linalg.norm(gradient(temperature)) for temperature in (1.0, 4.0, 20.0)]
    assert max(sizes) < 1.1 * min(sizes)


def test_at_a_high_temperature_the_gradient_is_that_of_matching_logits():
    # Hinton et al. (2015), section 2.1: (z - v) / N where both have mean 0.
    random = np.random.default_rng(0)
    z, v = random.normal(0, 0.1, (1, V + 1))[0, 1:], random.normal(0, 0.1, (1, V))[0]
    expected = ((z - z.mean()) - (v - v.mean())) / V
    np.testing.assert_allclose(gradient(50.0), expected, atol=3e-4)


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(ValueError, match=f"temperature must be above 0, not {temperature}"):
        SoftTargets(temperature)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(SoftTargets(3.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, SoftTargets)
    assert loaded.temperature == 3.5
