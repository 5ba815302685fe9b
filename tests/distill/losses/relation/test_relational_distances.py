import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.special import huber

from kd_tf.backend import tf
from kd_tf.distill.losses.relation.relational_base import compute_huber_loss
from kd_tf.distill.losses.relation.relational_distances import RelationalDistances


def errors(student, teacher):
    """Huber's of every pair, [N, N], by SciPy."""
    expected_scores, expected = (pdist(vectors) for vectors in (student, teacher))
    return squareform(
        huber(1.0, expected_scores / expected_scores.mean() - expected / expected.mean())
    )


def test_the_pairs_of_users_are_the_loss_of_each(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    actual = vector_models.loss(
        RelationalDistances(), student, teacher, [[4], [1], [2]], [[1], [2], [3]]
    )
    users = [4, 1, 2]
    expected = errors(student.user_table.numpy()[users], teacher.user_table.numpy()[users])
    np.testing.assert_allclose(actual, 3 * expected.sum(axis=1) / 6, rtol=5e-3)


def test_the_pairs_of_items_are_the_loss_of_all(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    actual = vector_models.loss(
        RelationalDistances("items"), student, teacher, [[4], [1]], [[3, 8, 9], [8, 30, 0]]
    )
    items = [3, 8, 9, 30]
    expected = errors(student.item_table.numpy()[items], teacher.item_table.numpy()[items])
    assert actual == pytest.approx([expected.sum() / 12] * 2, rel=1e-4)


def test_the_loss_by_hand(vector_models):
    # Distances 1, 1, 2 for the teacher, 1 each for the student: over their means 3/4, 3/4, 3/2.
    student = vector_models.factor_model([[0, 0], [1, 0], [0.5, 3**0.5 / 2]], np.ones((3, 2)))
    teacher = vector_models.factor_model([[0], [1], [2]], np.ones((3, 1)))
    actual = vector_models.loss(
        RelationalDistances(), student, teacher, [[1], [2], [3]], [[1], [2], [3]]
    )
    assert actual.mean() == pytest.approx((1 / 16 + 1 / 16 + 1 / 4) / 2 / 3, rel=1e-4)


def test_a_student_turned_moved_and_stretched_knows_everything(vector_models):
    teacher = vector_models.random_model(3, seed=0)
    turn = 5 * np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    student = vector_models.factor_model(
        teacher.user_table.numpy()[1:] @ turn + 2, teacher.item_table.numpy()[1:] @ turn + 2
    )
    for of in ("users", "items"):
        actual = vector_models.loss(
            RelationalDistances(of), student, teacher, [[1], [3], [2]], [[4, 9], [30, 4], [9, 0]]
        )
        assert actual == pytest.approx([0, 0, 0], abs=1e-5)


def test_users_beyond_the_most_are_left_out(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    few, all_of_them = (
        vector_models.loss(
            RelationalDistances(max_entities=3), student, teacher, some, [[1]] * len(some)
        )
        for some in ([[1], [2], [3]], [[1], [2], [3], [4]])
    )
    assert all_of_them[3] == 0
    assert all_of_them.mean() == pytest.approx(few.mean(), rel=1e-5)


def test_equal_users_have_a_distance_of_zero_and_a_finite_gradient(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    method = RelationalDistances()
    method.build(vector_models.make_setup(student, teacher))
    batch = vector_models.make_batch(student, teacher, [[1], [1], [1]], [[1]] * 3)
    with tf.GradientTape() as tape:
        actual = method.compute_loss(batch)
    assert actual.numpy() == pytest.approx([0, 0, 0])
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(actual, student.user_table))).all()


def test_hubers_loss_is_scipys():
    x = np.linspace(-3, 3, 25, dtype=np.float32)
    np.testing.assert_allclose(compute_huber_loss(x), huber(1.0, x), rtol=1e-6)


def test_only_users_need_the_teachers_users():
    assert RelationalDistances("users").teacher_outputs == ("teacher_user_embeddings",)
    assert RelationalDistances("items").teacher_outputs == ()


@pytest.mark.parametrize("settings", [{"entities": "teachers"}, {"max_entities": 1}])
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        RelationalDistances(**settings)
