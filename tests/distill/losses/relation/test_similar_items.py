import numpy as np

from kd_tf.distill.losses.relation import similar_items as module
from kd_tf.distill.losses.relation.similar_items import find_similar_items


def test_the_items_most_like_each_are_those_of_a_full_sort(vector_models, monkeypatch):
    monkeypatch.setattr(module, "get_scoring_batch_size", lambda teacher: 7)  # several parts
    teacher = vector_models.random_model(3, seed=0)
    actual = find_similar_items(teacher, 6)
    table = teacher.item_table.numpy()
    for item in range(1, 31):
        scores = table @ table[item]
        order = [i for i in np.argsort(-scores) if i not in (0, item)][:6]
        np.testing.assert_array_equal(actual.ids[item], order)
        np.testing.assert_allclose(actual.scores[item], scores[order], rtol=1e-5)
    assert (actual.ids.numpy()[0] == 0).all()


def test_a_small_catalog_ends_in_padding(vector_models):
    teacher = vector_models.factor_model([[1]], [[1], [2], [3]])
    actual = find_similar_items(teacher, 5)
    np.testing.assert_array_equal(actual.ids[1], [3, 2, 0])
    np.testing.assert_array_equal(actual.scores[1], [3, 2, 0])
