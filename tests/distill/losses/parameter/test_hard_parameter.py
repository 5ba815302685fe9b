import numpy as np
import pytest

from kd_tf.distill.losses.parameter.hard_parameter import HardParameter, project_embeddings
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.two_tower import TwoTowerStudent


def test_a_student_of_the_same_width_begins_as_the_teacher(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(4, seed=1)
    padding = student.table.numpy()[0]
    HardParameter().build(vector_models.make_setup(student, teacher))
    np.testing.assert_allclose(student.table[1:], teacher.table[1:], rtol=1e-6)
    np.testing.assert_array_equal(student.table[0], padding)


def test_a_narrower_student_keeps_as_much_of_the_dot_products_as_it_can():
    table = np.random.default_rng(0).normal(size=(31, 7)).astype(np.float32)
    actual = project_embeddings(table, 3)[1:]
    left_vectors, values, _ = np.linalg.svd(table[1:], full_matrices=False)
    best = (left_vectors[:, :3] * values[:3] ** 2) @ left_vectors[:, :3].T
    np.testing.assert_allclose(actual @ actual.T, best, atol=1e-4)


def test_a_wider_student_keeps_all_of_them():
    table = np.random.default_rng(0).normal(size=(31, 3)).astype(np.float32)
    actual = project_embeddings(table, 5)
    np.testing.assert_allclose(actual[1:] @ actual[1:].T, table[1:] @ table[1:].T, rtol=1e-5)
    assert actual.shape == (31, 5)


def test_the_table_that_scores_is_the_one_that_begins_there(vector_models):
    student = TwoTowerStudent(num_items=30, max_length=5, embedding_dim=4)
    student.create_weights()
    history = student.table.numpy()
    teacher = vector_models.mlp(4, seed=1)
    HardParameter().build(vector_models.make_setup(student, teacher))
    np.testing.assert_allclose(student.candidate_table[1:], teacher.table[1:], rtol=1e-6)
    np.testing.assert_array_equal(student.table, history)


def test_the_pull_by_hand(vector_models):
    student = vector_models.factor_model([[1, 1]] * 2, np.zeros((4, 2)), read=[[2, 3], [0, 0]])
    teacher = vector_models.random_model(2, seed=0)
    teacher = vector_models.factor_model([[1, 1]] * 2, [[0, 0], [1, 0], [2, 0], [3, 0]])
    method = HardParameter(3.0)
    method.build(vector_models.make_setup(student, teacher))
    student.item_table.assign([[7, 7], [1, 1], [1, 0], [2, 2], [3, 0]])
    batch = vector_models.make_batch(student, teacher, [[1], [2]], [[1, 0], [0, 0]])
    # Of the items 1, 2 and 3: (1 + 1) / 2, 0, 4 / 2.
    assert method.compute_loss(batch).numpy() == pytest.approx([3 * (1 + 0 + 2) / 3, 0])


def test_vectors_that_are_computed_are_refused(vector_models):
    class Computing(ItemKernelStudent):
        def item_embeddings(self):
            return 2 * self.table.embeddings

    student = Computing(num_items=30, max_length=5, embedding_dim=4)
    student.create_weights()
    with pytest.raises(ValueError, match="a Computing computes them"):
        HardParameter().build(vector_models.make_setup(student, vector_models.mlp(4, seed=0)))


@pytest.mark.parametrize("strength", [-1.0, float("nan")])
def test_a_strength_below_zero_is_refused(strength):
    with pytest.raises(ValueError, match=f"strength must be 0 or more, not {strength}"):
        HardParameter(strength)
