import numpy as np
import pytest
from scipy import special

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.collaborative_distillation import (
    CollaborativeDistillation,
)

V, K = 30, 8


def test_the_loss_by_hand(responses):
    # At T = 2 the teacher's 2 log 3 and 0 mean 3/4 and 1/2; the student says 1/2 and 1/5.
    batch = responses.make_batch([[9, 0, np.log(1 / 4)]], [[1, 2, 0]], [[2 * np.log(3), 0, 0]])
    first = np.log(2)
    second = -0.5 * np.log(0.2) - 0.5 * np.log(0.8)
    actual = CollaborativeDistillation(temperature=2.0).compute_loss(batch).numpy()
    assert actual == pytest.approx([(first + second) / 2], rel=1e-6)


def test_with_all_items_drawn_it_is_the_mean_of_numpy(responses):
    random = np.random.default_rng(0)
    logits, teacher = random.normal(0, 1, (4, V + 1)), random.normal(0, 3, (4, K))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(4)])
    wanted = special.expit(teacher / 1.5)
    given = special.expit(np.take_along_axis(logits, ids, axis=1))
    expected = -(wanted * np.log(given) + (1 - wanted) * np.log(1 - given)).mean(axis=1)
    actual = CollaborativeDistillation(temperature=1.5).compute_loss(
        responses.make_batch(logits, ids, teacher)
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_the_loss_is_least_where_student_and_teacher_have_equal_probabilities(responses):
    teacher = np.linspace(3, -2, K)[None]
    ids = np.arange(1, K + 1)[None]
    logits = np.zeros((1, V + 1))
    logits[0, 1 : K + 1] = teacher[0] / 2
    method = CollaborativeDistillation(temperature=2.0)
    student = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        least = method.compute_loss(responses.make_batch(student, ids, teacher))
    slopes = tf.convert_to_tensor(tape.gradient(least, student)).numpy()
    np.testing.assert_allclose(slopes, 0, atol=1e-6)
    for worse in (logits + 0.5, logits[:, ::-1]):
        assert (
            method.compute_loss(responses.make_batch(worse, ids, teacher)).numpy()
            > least.numpy() + 0.01
        )


def test_items_are_drawn_by_their_rank_alone(responses):
    rows, method = 6000, CollaborativeDistillation(num_samples=1, rank_decay=3.0)
    rng.set_seed(0)
    student = tf.Variable(np.zeros((rows, V + 1), np.float32))
    ids = np.tile(np.arange(1, K + 1), (rows, 1))
    with tf.GradientTape() as tape:
        loss = method.compute_loss(responses.make_batch(student, ids, np.full(ids.shape, 2.0)))
    slopes = tf.convert_to_tensor(tape.gradient(loss, student)).numpy()
    assert ((slopes != 0).sum(axis=1) == 1).all()
    expected = special.softmax(-np.arange(1, K + 1) / 3)
    np.testing.assert_allclose((slopes < 0).mean(axis=0)[1 : K + 1], expected, atol=0.025)


@pytest.mark.slow
def test_training_brings_the_student_to_the_teachers_probabilities(responses):
    losses, _, _ = responses.train(CollaborativeDistillation(num_samples=4), steps=60)
    # The least possible is the teacher's own entropy, about 0.45 here.
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    all_items, _, _ = responses.train(CollaborativeDistillation(), steps=60)
    assert all_items[-1] < 0.55


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 0}, "num_samples must be at least 1, not 0"),
        ({"temperature": 0.0}, "temperature must be above 0, not 0.0"),
        ({"rank_decay": float("nan")}, "rank_decay must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CollaborativeDistillation(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(CollaborativeDistillation(3, 4.5, 5.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, CollaborativeDistillation)
    assert (loaded.num_samples, loaded.temperature, loaded.rank_decay) == (3, 4.5, 5.5)
