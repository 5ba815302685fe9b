import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.relation.item_side_ranking import ItemSideRanking


def by_hand(ordered, others):
    """The mean of -log of each choice among what has not been chosen yet."""
    total = 0.0
    for k, score in enumerate(ordered):
        total -= np.log(np.exp(score) / (np.exp(ordered[k:]).sum() + np.exp(others).sum()))
    return total / len(ordered)


def test_the_loss_is_that_of_the_students_vectors_in_the_teachers_order(vector_models):
    student, teacher = vector_models.random_model(2, seed=0), vector_models.random_model(3, seed=1)
    actual = vector_models.loss(
        ItemSideRanking(4, 10, 6), student, teacher, [[1], [2]], [[5, 7], [7, 0]]
    )
    expected_scores, expected = (
        student.item_table.numpy().astype(float),
        teacher.item_table.numpy().astype(float),
    )
    rows = []
    for item in (5, 7):
        order = np.argsort(-(expected @ expected[item]))
        order = order[(order != 0) & (order != item)]
        others = [i for i in range(1, 31, 3) if i != item and i not in order[:6]]
        scores = expected_scores @ expected_scores[item]
        rows.append(by_hand(scores[order[:4]], scores[others]))
    assert actual == pytest.approx([np.mean(rows)] * 2, rel=1e-4)


def test_drawn_items_stand_in_the_teachers_order_and_better_ones_more_often(vector_models):
    method = ItemSideRanking(3, 5, 8, rank_decay=2.0)
    strongest = tf.constant([[9, 8, 7, 6, 5, 4, 0, 0]] * 2000)
    rng.set_seed(0)
    samples = method._sample_interesting(strongest, training=True).numpy()
    assert (np.diff(samples, axis=1) < 0).all()
    assert (samples > 0).all()
    often = np.bincount(samples.ravel(), minlength=10)[4:]
    assert (np.diff(often) > 0).all()
    few = method._sample_interesting(tf.constant([[9, 8, 0, 0, 0, 0, 0, 0]]), training=True)
    np.testing.assert_array_equal(few, [[9, 8, 0]])


@pytest.mark.parametrize(
    "settings",
    [
        {"num_interesting": 0},
        {"num_uninteresting": 0},
        {"max_items": 0},
        {"pool_size": 19},
        {"rank_decay": 0},
    ],
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        ItemSideRanking(**settings)
