from itertools import permutations

import numpy as np
import pytest
from scipy.special import huber

from kd_tf.distill.losses.relation.relational_angles import RelationalAngles


def cosine(vectors, i, j, k):
    one, other = vectors[i] - vectors[j], vectors[k] - vectors[j]
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def errors(student, teacher):
    """Of every triplet by its vertex: one list for each."""
    actual = [[] for _ in student]
    for i, j, k in permutations(range(len(student)), 3):
        actual[j].append(huber(1.0, cosine(student, i, j, k) - cosine(teacher, i, j, k)))
    return np.array(actual)


def test_the_angles_at_a_user_are_the_users_loss(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    users = [4, 1, 2, 3]
    actual = vector_models.loss(
        RelationalAngles(), student, teacher, [[one] for one in users], [[1]] * 4
    )
    expected = errors(student.user_table.numpy()[users], teacher.user_table.numpy()[users])
    np.testing.assert_allclose(actual, expected.mean(axis=1), rtol=1e-2)


def test_the_angles_between_items_are_the_loss_of_all(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    actual = vector_models.loss(
        RelationalAngles("items"), student, teacher, [[4], [1]], [[3, 8, 9], [8, 30, 0]]
    )
    items = [3, 8, 9, 30]
    expected = errors(student.item_table.numpy()[items], teacher.item_table.numpy()[items])
    assert actual == pytest.approx([expected.mean()] * 2, rel=1e-4)


def test_the_loss_by_hand(vector_models):
    # A right angle with two of 45 degrees for the teacher, three of 60 for the student.
    student = vector_models.factor_model([[0, 0], [1, 0], [0.5, 3**0.5 / 2]], np.ones((3, 2)))
    teacher = vector_models.factor_model([[0, 0], [1, 0], [0, 1]], np.ones((3, 2)))
    actual = vector_models.loss(
        RelationalAngles(), student, teacher, [[1], [2], [3]], [[1], [2], [3]]
    )
    at_right, at_others = 0.5**2 / 2, (0.5 - 0.5**0.5) ** 2 / 2
    assert actual == pytest.approx([at_right, at_others, at_others], rel=1e-3)


def test_a_student_turned_moved_and_stretched_knows_everything(vector_models):
    teacher = vector_models.random_model(3, seed=0)
    turn = 5 * np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    student = vector_models.factor_model(
        teacher.user_table.numpy()[1:] @ turn + 2, teacher.item_table.numpy()[1:] @ turn + 2
    )
    for of in ("users", "items"):
        actual = vector_models.loss(
            RelationalAngles(of), student, teacher, [[1], [3], [2]], [[4, 9], [30, 4], [9, 0]]
        )
        assert actual == pytest.approx([0, 0, 0], abs=1e-5)


def test_users_beyond_the_most_are_left_out(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    few, all_of_them = (
        vector_models.loss(
            RelationalAngles(max_entities=3), student, teacher, some, [[1]] * len(some)
        )
        for some in ([[1], [2], [3]], [[1], [2], [3], [4]])
    )
    assert all_of_them[3] == 0
    assert all_of_them.mean() == pytest.approx(few.mean(), rel=1e-5)


@pytest.mark.parametrize("settings", [{"entities": "teachers"}, {"max_entities": 2}])
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        RelationalAngles(**settings)
