import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.feature.adversarial import (
    AdversarialDistillation,
    reverse_gradient,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_loss_by_hand(vector_models):
    student = vector_models.factor_model([[2.0]], [[1.0]])
    teacher = vector_models.factor_model([[3.0]], [[1.0]])
    method = AdversarialDistillation(1)
    method.build(vector_models.make_setup(student, teacher))
    method.projector.set_weights([np.array([[-2.0]]), np.array([1.0])])
    method.discriminator_hidden.set_weights([np.array([[1.0]]), np.array([-1.0])])
    method.discriminator_output.set_weights([np.array([[0.5]]), np.array([0.25])])
    actual = method.compute_loss(vector_models.make_batch(student, teacher, [[1]], [[1]]))
    real, false = 0.5 * 2 + 0.25, 0.5 * 0.2 * (-3 - 1) + 0.25
    expected = -np.log(sigmoid(real)) / 2 - np.log(1 - sigmoid(false)) / 2
    assert actual.numpy() == pytest.approx([expected], rel=1e-5)


def test_a_reversed_gradient_is_the_gradient_times_minus_strength():
    vectors = tf.Variable([[1.0, -2.0]])
    with tf.GradientTape() as tape:
        actual = reverse_gradient(vectors * 1.0, tf.constant(0.5))
        loss = tf.reduce_sum(actual**2)
    np.testing.assert_array_equal(actual, vectors)
    np.testing.assert_allclose(tape.gradient(loss, vectors), [[-1.0, 2.0]])


@pytest.mark.parametrize("progress", [0.0, 0.1, 1.0])
def test_the_discriminator_learns_to_separate_and_the_student_to_fool_it(vector_models, progress):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(3, seed=1)
    method = AdversarialDistillation(5, strength=2.0)
    method.build(vector_models.make_setup(student, teacher))
    batch = vector_models.make_batch(
        student, teacher, [[1], [2]], [[1], [2]], progress=tf.constant(progress)
    )
    judge = [
        *method.discriminator_hidden.trainable_weights,
        *method.discriminator_output.trainable_weights,
    ]
    expected_scores = [student.user_table, *method.projector.trainable_weights]
    with tf.GradientTape(persistent=True) as tape:
        loss = method.compute_loss(batch)
        plain = tf.nn.softplus(-method.discriminate(batch.labels["teacher_user_embeddings"])) / 2
        projected = method.projector(student.user_embeddings(batch.history))
        plain += tf.nn.softplus(method.discriminate(projected)) / 2
    np.testing.assert_allclose(loss, plain, rtol=1e-6)
    factor = -2.0 * (2 / (1 + np.exp(-10 * progress)) - 1)
    for weight in [*judge, *expected_scores]:
        actual, given = (tf.convert_to_tensor(tape.gradient(one, weight)) for one in (loss, plain))
        scale = 1.0 if any(weight is one for one in judge) else factor
        np.testing.assert_allclose(actual, scale * given.numpy(), rtol=1e-4, atol=1e-7)


def test_the_students_users_come_to_lie_where_the_teachers_lie(vector_models):
    random = np.random.default_rng(0)
    teacher = vector_models.factor_model(random.normal(2, 0.3, (40, 2)), np.ones((3, 2)))
    student = vector_models.factor_model(random.normal(-2, 0.3, (40, 2)), np.ones((3, 2)))
    method = AdversarialDistillation(16)
    method.build(vector_models.make_setup(student, teacher))
    method.projector.set_weights([np.eye(2), np.zeros(2)])
    users = [[number] for number in range(1, 41)]
    batch = vector_models.make_batch(
        student, teacher, users, [[1]] * 40, training=True, progress=tf.constant(0.3)
    )
    optimizer = keras.optimizers.SGD(0.5)
    weights = [student.user_table, *method.trainable_weights]

    def apart():
        projected = method.projector(student.user_embeddings(batch.history)).numpy()
        return np.linalg.norm(projected.mean(axis=0) - 2)

    before = apart()

    @tf.function
    def learn():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(method.compute_loss(batch))
        optimizer.minimize(loss, weights, tape=tape)

    for _ in range(200):
        learn()
    assert before > 5
    assert apart() < 0.5


@pytest.mark.parametrize(
    "settings", [{"hidden_dim": 0}, {"strength": 0}, {"strength": float("nan")}]
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        AdversarialDistillation(**settings)
