import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.distill.losses.feature.hint import Hint


def test_the_loss_by_hand(vector_models):
    student = vector_models.factor_model([[1, 2], [0, 1]], np.ones((3, 2)))
    teacher = vector_models.factor_model([[1, 0, 0], [2, 0, 1]], np.ones((3, 3)))
    method = Hint()
    method.build(vector_models.make_setup(student, teacher))
    method.projector.set_weights([np.array([[1, 0, 1], [0, 1, 0]]), np.array([0, 0, 1])])
    # (1, 2) becomes (1, 2, 2), off (1, 0, 0) by 4 + 4; (0, 1) becomes (0, 1, 1), off by 4 + 1.
    actual = method.compute_loss(vector_models.make_batch(student, teacher, [[1], [2]], [[1], [1]]))
    assert actual.numpy() == pytest.approx([8 / 3, 5 / 3])


def test_a_student_that_is_a_linear_map_away_can_lose_nothing(vector_models):
    teacher = vector_models.random_model(3, seed=0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    student = vector_models.factor_model(teacher.user_table.numpy()[1:] @ turn, np.ones((30, 3)))
    method = Hint()
    method.build(vector_models.make_setup(student, teacher))
    method.projector.set_weights([turn.T, np.zeros(3)])
    actual = method.compute_loss(
        vector_models.make_batch(student, teacher, [[1], [2], [3]], [[1]] * 3)
    )
    assert actual.numpy() == pytest.approx([0, 0, 0], abs=1e-5)  # the cache has half precision


def test_the_layer_that_is_named_is_the_one_that_learns(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    method = Hint("hidden")
    method.build(vector_models.make_setup(student, teacher))
    given = tf.ones([6, 6])
    expected = np.square(
        method.projector(given) - teacher.user_embeddings(vector_models.make_arrays(teacher)[0])
    ).mean(axis=1)
    actual = method.compute_loss(
        vector_models.make_batch(student, teacher, layer_outputs={"hidden": given})
    )
    assert method.student_layers == ("hidden",)
    np.testing.assert_allclose(actual, expected, rtol=1e-2)


def test_a_layer_that_is_not_there_is_refused(vector_models):
    student = vector_models.mlp(4, seed=0)
    with pytest.raises(ValueError, match=r"no layer 'hiden'\. Did you mean hidden"):
        Hint("hiden").build(vector_models.make_setup(student, student))


def test_the_same_seed_makes_the_same_projector(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    one, other = Hint(), Hint()
    for method in (one, other):
        method.build(vector_models.make_setup(student, teacher))
    np.testing.assert_array_equal(one.projector.kernel, other.projector.kernel)
