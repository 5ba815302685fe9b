import numpy as np

from kd_tf.distill.losses.relation import similar_items as module
from kd_tf.distill.losses.relation.similar_items import find_similar_items


def test_the_items_most_like_each_are_those_of_a_full_sort(vector_models, monkeypatch):
    monkeypatch.setattr(module, "get_scoring_batch_size", lambda teacher: 7)  # several parts
    teacher = vector_models.drawn(3, seed=0)
    found = find_similar_items(teacher, 6)
    table = teacher.item_table.numpy()
    for item in range(1, 31):
        scores = table @ table[item]
        order = [i for i in np.argsort(-scores) if i not in (0, item)][:6]
        np.testing.assert_array_equal(found.ids[item], order)
        np.testing.assert_allclose(found.scores[item], scores[order], rtol=1e-5)
    assert (found.ids.numpy()[0] == 0).all()


def test_a_small_catalogue_ends_in_padding(vector_models):
    teacher = vector_models.factors([[1]], [[1], [2], [3]])
    found = find_similar_items(teacher, 5)
    np.testing.assert_array_equal(found.ids[1], [3, 2, 0])
    np.testing.assert_array_equal(found.scores[1], [3, 2, 0])
