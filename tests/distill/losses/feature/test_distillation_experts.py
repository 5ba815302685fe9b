import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.distill.losses.feature.distillation_experts import DistillationExperts


def test_the_loss_is_the_users_own_error_and_the_mean_of_the_items(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(3, seed=1)
    method = DistillationExperts(4)
    method.build(vector_models.make_setup(student, teacher))

    def error(experts, expected_scores, wanted):
        """In NumPy, with the expert that is preferred."""
        first, first_bias, second, second_bias, selection, _ = experts.get_weights()
        actual = []
        for s, t in zip(expected_scores, wanted, strict=True):
            e = np.argmax(t @ selection)
            answer = np.maximum(s @ first[e] + first_bias[e], 0) @ second[e] + second_bias[e]
            actual.append(np.mean((answer - t) ** 2))
        return np.array(actual)

    users, items = [1, 3], [4, 9, 30]
    expected = error(
        method.user_experts,
        student.user_table.numpy()[users],
        teacher.user_table.numpy()[users],
    )
    expected += error(
        method.item_experts, student.item_table.numpy()[items], teacher.item_table.numpy()[items]
    ).mean()
    batch = vector_models.make_batch(student, teacher, [[1], [3]], [[4, 9, 0], [30, 4, 0]])
    np.testing.assert_allclose(method.compute_loss(batch), expected, rtol=2e-3)


def test_the_draw_cools_with_the_progress(vector_models):
    seen = []
    method = DistillationExperts(2, initial_temperature=4.0, final_temperature=0.25)
    student = vector_models.random_model(2, seed=0)
    method.build(vector_models.make_setup(student, student))
    method.user_experts.compute_error = lambda expected_scores, expected, temperature, training: (
        seen.append(float(temperature)) or tf.zeros([1])
    )
    for progress in (0.0, 0.5, 1.0):
        method.compute_loss(
            vector_models.make_batch(student, student, [[1]], [[1]], progress=tf.constant(progress))
        )
    assert seen == pytest.approx([4, 1, 0.25])


@pytest.mark.parametrize(
    "settings",
    [
        {"num_experts": 0},
        {"max_items": 0},
        {"final_temperature": 0},
        {"final_temperature": 2.0},
        {"initial_temperature": float("nan")},
    ],
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        DistillationExperts(**settings)
