import numpy as np
import pytest

from kd_tf.distill.losses.parameter.soft_parameter import SoftParameter


def shape(values, count):
    scaled = values / np.sqrt((values**2).mean())
    levels = (np.arange(count) + 0.5) / count
    return scaled.mean(), scaled.std(), np.quantile(scaled, levels)


def by_hand(student, teacher, count):
    total = 0.0
    for one in (np.ravel, lambda rows: np.linalg.norm(rows, axis=1)):
        (m, s, q), (M, S, Q) = (
            shape(one(model.item_table.numpy()[1:].astype(float)), count)
            for model in (student, teacher)
        )
        total += (m - M) ** 2 + (s - S) ** 2 + ((q - Q) ** 2).mean()
    return total


@pytest.mark.parametrize("count", [1, 8, 50])
def test_the_loss_is_that_of_moments_and_quantiles_by_numpy(vector_models, count):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    actual = vector_models.loss(SoftParameter(count), student, teacher, [[1], [2]], [[1], [2]])
    assert actual == pytest.approx([by_hand(student, teacher, count)] * 2, rel=1e-3)


def test_a_stretched_and_shuffled_teacher_has_the_same_distribution(vector_models):
    teacher = vector_models.random_model(3, seed=0)
    items = np.random.default_rng(0).permutation(teacher.item_table.numpy()[1:])
    student = vector_models.factor_model(np.ones((4, 3)), 7 * items)
    actual = vector_models.loss(SoftParameter(), student, teacher, [[1]], [[1]])
    assert actual == pytest.approx([0], abs=1e-6)


def test_some_items_stand_for_all_of_them(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    few, every = (
        vector_models.loss(SoftParameter(4, num_samples=items), student, teacher, [[1]], [[1]])[0]
        for items in (29, 30)
    )
    assert few == pytest.approx(every, rel=0.5)
    assert few != every


def test_a_table_of_zeros_has_a_finite_loss(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(5, seed=1)
    student.item_table.assign(np.zeros((31, 2)))
    assert np.isfinite(vector_models.loss(SoftParameter(), student, teacher, [[1]], [[1]])).all()


@pytest.mark.parametrize("settings", [{"num_quantiles": 0}, {"num_samples": 0}])
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=r"not .*0"):
        SoftParameter(**settings)
