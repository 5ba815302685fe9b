import numpy as np
import pytest
from scipy import special

from kd_tf.distill.losses.relation.item_similarity import ItemSimilarity


def test_the_loss_is_the_cross_entropy_of_the_rows(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(3, seed=1)
    actual = vector_models.loss(
        ItemSimilarity(4, temperature=2.0), student, teacher, [[1], [2]], [[5, 8], [8, 0]]
    )
    expected_scores, expected = (
        student.item_table.numpy().astype(float),
        teacher.item_table.numpy().astype(float),
    )
    rows = []
    for item in (5, 8):
        likes, scores = expected_scores @ expected_scores[item], expected @ expected[item]
        likes[[0, item]] = -np.inf
        scores[[0, item]] = -np.inf
        best = np.argsort(-scores)[:4]
        rows.append(-special.softmax(scores[best] / 2) @ special.log_softmax(likes / 2)[best])
    assert actual == pytest.approx([4 * np.mean(rows)] * 2, rel=1e-4)


def test_the_loss_is_least_for_the_teacher_itself(vector_models):
    teacher = vector_models.random_model(3, seed=1)
    arguments = teacher, [[1], [2]], [[5, 8], [8, 0]]
    best = vector_models.loss(ItemSimilarity(29), teacher, *arguments)[0]
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(0, 0.1, (30, 3))
        near = vector_models.factor_model(np.ones((4, 3)), teacher.item_table.numpy()[1:] + noise)
        assert vector_models.loss(ItemSimilarity(29), near, *arguments)[0] > best


def test_a_batch_without_targets_has_nothing_to_learn(vector_models):
    model = vector_models.random_model(2, seed=0)
    assert vector_models.loss(ItemSimilarity(), model, model, [[1]], [[0]]) == pytest.approx([0])


@pytest.mark.parametrize(
    "settings",
    [{"num_neighbours": 0}, {"max_items": 0}, {"temperature": 0}, {"temperature": float("nan")}],
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        ItemSimilarity(**settings)
