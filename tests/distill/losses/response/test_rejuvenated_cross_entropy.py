import numpy as np
import pytest
from scipy import special

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.rejuvenated_cross_entropy import RejuvenatedCrossEntropy

V, K = 30, 8


def cross_entropy(teacher, student) -> float:
    return float(-np.sum(special.softmax(teacher) * special.log_softmax(student)))


def test_the_loss_by_hand(responses):
    # The student ranks 3, 1, 2, 4, the teacher's best are 1 and 2, of which it misses 2. It draws
    # all of its best three.
    logits = np.log([[1, 4, 2, 8, 1]])
    teacher = np.log([[6, 2]])
    expected_scores = cross_entropy(np.log([2, 6]), np.log([8, 4]))  # 3 counts as the least cached
    near = cross_entropy(np.log([2, 6, 2]), np.log([8, 4, 2]))
    weight = np.exp(-3 * 0.5)
    method = RejuvenatedCrossEntropy(beta=3.0, num_samples=3, pool_size=3)
    actual = method.compute_loss(responses.make_batch(logits, [[1, 2]], teacher)).numpy()
    assert actual == pytest.approx([(1 - weight) * expected_scores + weight * near], rel=1e-5)


@pytest.mark.parametrize("pool", [K, 15, V])
def test_with_the_whole_pool_drawn_it_is_that_of_a_loop(responses, pool):
    random = np.random.default_rng(0)
    logits, teacher = random.normal(0, 1, (6, V + 1)), -np.sort(-random.normal(0, 2, (6, K)))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(6)])
    method = RejuvenatedCrossEntropy(beta=1.5, num_samples=V, pool_size=pool, temperature=1.3)
    actual = method.compute_loss(responses.make_batch(logits, ids, teacher)).numpy()
    for row in range(6):
        known = np.full(V + 1, teacher[row].min())
        known[ids[row]] = teacher[row]
        order = np.argsort(-logits[row, 1:]) + 1
        missed = np.setdiff1d(ids[row], order[:K])
        near = np.union1d(order[:pool], missed)
        weight = np.exp(-1.5 * (1 - len(missed) / K))
        parts = [
            cross_entropy(known[items] / 1.3, logits[row, items] / 1.3)
            for items in (order[:K], near)
        ]
        expected = (1 - weight) * parts[0] + weight * parts[1]
        assert actual[row] == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_least_where_the_student_agrees_with_the_teacher(responses):
    teacher = np.linspace(4, 1, K)[None]
    ids = np.arange(1, K + 1)[None]
    logits = np.full((1, V + 1), 1.0)  # what is not cached counts as the least that is
    logits[0, 1 : K + 1] = teacher
    student = tf.Variable(logits - 1e-4 * np.arange(V + 1), dtype=tf.float32)
    method = RejuvenatedCrossEntropy(num_samples=V, pool_size=V)
    with tf.GradientTape() as tape:
        loss = method.compute_loss(responses.make_batch(student, ids, teacher))
    slopes = tf.convert_to_tensor(tape.gradient(loss, student)).numpy()
    np.testing.assert_allclose(slopes, 0, atol=1e-3)


def test_with_beta_zero_only_missed_and_drawn_items_count(responses):
    logits = np.log([[1, 4, 2, 8, 1]])
    near = cross_entropy(np.log([2, 6, 2]), np.log([8, 4, 2]))
    method = RejuvenatedCrossEntropy(beta=0.0, num_samples=3, pool_size=3)
    actual = method.compute_loss(responses.make_batch(logits, [[1, 2]], np.log([[6, 2]]))).numpy()
    assert actual == pytest.approx([near], rel=1e-5)


def test_items_before_more_of_the_teachers_are_drawn_more_often(responses):
    # The student ranks 1, 2, 3, ...; the teacher's stand at the ranks 3 and 6 of the pool of 8,
    # so that 2 of them are left at the ranks 1 to 3, 1 at 4 to 6 and 0 at 7 and 8.
    rows = 8000
    logits = tf.Variable(np.tile(-1.0 * np.arange(V + 1), (rows, 1)), dtype=tf.float32)
    method = RejuvenatedCrossEntropy(beta=0.0, num_samples=1, pool_size=8, sampling_temperature=1.0)
    rng.set_seed(0)
    with tf.GradientTape() as tape:
        batch = responses.make_batch(
            logits, np.tile([3, 6], (rows, 1)), np.tile([1.0, 0.5], (rows, 1))
        )
        loss = method.compute_loss(batch)
    slopes = tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()
    samples = (slopes[:, 1:9] != 0).mean(axis=0)
    weights = special.softmax([2, 2, 2, 1, 1, 1, 0, 0])
    others = [0, 1, 3, 4, 6, 7]  # 3 and 6 are missed: they are in the set anyway
    np.testing.assert_allclose(samples[others], weights[others], atol=0.02)
    assert (slopes[:, 9:] == 0).all()


@pytest.mark.slow
def test_a_student_learns_the_teachers_items(responses):
    losses, before, after = responses.train(
        RejuvenatedCrossEntropy(num_samples=10, pool_size=20), steps=60
    )
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert after > before + 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -0.1}, "beta must be 0 or more, not -0.1"),
        ({"num_samples": 0}, "num_samples must be at least 1, not 0"),
        ({"pool_size": 0}, "pool_size must be at least 1, not 0"),
        ({"sampling_temperature": 0.0}, "sampling_temperature must be above 0, not 0.0"),
        ({"temperature": float("nan")}, "temperature must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RejuvenatedCrossEntropy(**settings)


def test_the_method_survives_its_configuration():
    config = {
        "beta": 0.5,
        "num_samples": 3,
        "pool_size": 9,
        "sampling_temperature": 2.0,
        "temperature": 1.5,
    }
    saved = keras.saving.serialize_keras_object(RejuvenatedCrossEntropy(**config))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, RejuvenatedCrossEntropy)
    assert {name: loaded.get_config()[name] for name in config} == config
