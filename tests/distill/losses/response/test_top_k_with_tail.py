import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.top_k_with_tail import TopKWithTail
from kd_tf.losses.softmax import MASKED_LOGIT

V, K = 12, 4

temperatures = st.sampled_from([0.5, 1.0, 2.0, 7.0])
logits = hnp.arrays(np.float32, (2, V + 1), elements=st.floats(-6, 6, width=32))


def best(teacher):
    """Ids, logits and total of a teacher of these logits [B, V + 1]."""
    ids = np.argsort(-teacher[:, 1:], axis=1, kind="stable")[:, :K] + 1
    return ids, np.take_along_axis(teacher, ids, axis=1), special.logsumexp(teacher[:, 1:], axis=1)


def outcomes(probabilities, ids, temperature):
    """The K + 1 probabilities, softened as one distribution."""
    one = probabilities[ids - 1]
    lumped = np.append(one, max(probabilities.sum() - one.sum(), 1e-30)) ** (1 / temperature)
    return lumped / lumped.sum()


def test_the_loss_by_hand(responses):
    # The teacher: 1/2, 1/4 and a tail of 1/4. The student: 1/4, 1/4 and 1/4 + 1/4.
    batch = responses.make_batch(
        np.zeros((1, 5)), [[1, 3, 0]], [np.log([2, 1, 1])], total=[np.log(4)]
    )
    expected = 0.5 * np.log(2) + 0 + 0.25 * np.log(1 / 2)
    assert TopKWithTail().compute_loss(batch).numpy() == pytest.approx([expected], rel=1e-5)


@pytest.mark.slow
@given(logits, logits, temperatures)
def test_the_loss_is_that_of_scipy_over_the_outcomes(responses, teacher, student, temperature):
    ids, scores, total = best(teacher)
    batch = responses.make_batch(student, ids, scores, total=total)
    actual = TopKWithTail(temperature).compute_loss(batch).numpy()
    for row in range(2):
        p, q = (special.softmax(one[row, 1:].astype(np.float64)) for one in (teacher, student))
        expected = temperature**2 * stats.entropy(
            outcomes(p, ids[row], temperature), outcomes(q, ids[row], temperature)
        )
        # In float32 a tail is known to about one in a million of the whole.
        assert actual[row] == pytest.approx(expected, rel=0.02, abs=2e-3 * temperature**2)


@given(logits, temperatures, st.floats(-20, 20))
def test_a_student_with_the_teachers_logits_has_nothing_to_learn(
    responses, teacher, temperature, shift
):
    ids, scores, total = best(teacher)
    batch = responses.make_batch(teacher + np.float32(shift), ids, scores, total=total)
    actual = TopKWithTail(temperature).compute_loss(batch)
    np.testing.assert_allclose(actual, 0, atol=2e-3 * temperature**2)


def test_how_the_student_spreads_the_tail_is_its_own_matter(responses):
    teacher = np.linspace(3, 0, V + 1)[None]
    ids, scores, total = best(teacher)
    student = np.random.default_rng(0).normal(0, 1, (1, V + 1))
    rest = np.setdiff1d(np.arange(1, V + 1), ids)
    shuffled = student.copy()
    shuffled[0, rest] = student[0, rest[::-1]]
    losses = [
        TopKWithTail(2.0).compute_loss(responses.make_batch(one, ids, scores, total=total)).numpy()
        for one in (student, shuffled)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_student_that_calls_the_tail_impossible_pays_for_it(responses):
    teacher = np.zeros((1, V + 1))
    ids, scores, total = best(teacher)
    student = np.full((1, V + 1), -8.0)
    student[0, ids] = 0
    actual = TopKWithTail().compute_loss(responses.make_batch(student, ids, scores, total=total))
    assert actual.numpy() > 3  # two thirds of the teacher's mass are there


def test_an_item_that_the_student_has_masked_is_no_outcome(responses):
    student = np.array([[0, MASKED_LOGIT, np.log(3), 0, 0]])
    # Without the first: 1/4 and a tail of 1/4, which is a half each; the student 3/5 and 2/5.
    batch = responses.make_batch(student, [[1, 2]], [np.log([2, 1])], total=[np.log(4)])
    expected = stats.entropy([0.5, 0.5], [0.6, 0.4])
    assert TopKWithTail().compute_loss(batch).numpy() == pytest.approx([expected], rel=1e-5)


def test_the_gradient_keeps_its_size_at_every_temperature(responses):
    random = np.random.default_rng(0)
    teacher = random.normal(0, 0.1, (1, K + 1))
    ids, total = np.arange(1, K)[None], special.logsumexp(teacher[:, 1:], axis=1)
    sizes = []
    for temperature in (1.0, 4.0, 20.0):
        student = tf.Variable(random.normal(0, 0.001, (1, K + 1)), dtype=tf.float32)
        with tf.GradientTape() as tape:
            batch = responses.make_batch(student, ids, teacher[:, 1:K], total=total)
            loss = TopKWithTail(temperature).compute_loss(batch)
        sizes.append(np.linalg.norm(tf.convert_to_tensor(tape.gradient(loss, student))))
    assert max(sizes) < 1.1 * min(sizes)


@pytest.mark.slow
def test_a_student_comes_to_agree_with_the_teacher(responses):
    losses, before, after = responses.train(TopKWithTail(), steps=60)
    assert losses[-1] < 0.1 * losses[0]
    # Not all of them: the teacher gives its last items no more than the tail has an item.
    assert after > before + 0.3


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    with pytest.raises(ValueError, match=f"temperature must be above 0, not {temperature}"):
        TopKWithTail(temperature)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(TopKWithTail(3.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, TopKWithTail)
    assert loaded.temperature == 3.5
