import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.dual_correction import DualCorrection

V, K = 30, 8

# Everything that is misplaced is drawn: nothing is left to chance.
everything = DualCorrection(num_underestimated=V, num_overestimated=V)


def scores(order):
    """Logits by which a student ranks these items first, in this order, and others after."""
    order = [*order, *np.setdiff1d(np.arange(1, V + 1), order)]
    logits = np.zeros((1, V + 1))
    logits[0, order] = 2 - 0.1 * np.arange(V)
    return logits


def test_the_loss_by_hand(responses):
    # The teacher: 1, 2, 3. The student ranks 4, 1, 2, 3 by the odds 8, 4, 2, 1: 1, 2, 3 stand too
    # low, 4 too high. The wanted order has 4/15 * 2/11 * 1/9.
    logits = np.log([[1, 4, 2, 1, 8]])
    actual = everything.compute_loss(responses.make_batch(logits, [[1, 2, 3]])).numpy()
    assert actual == pytest.approx([-np.log(4 / 15 * 2 / 11 * 1 / 9)], rel=1e-6)


def test_misplaced_items_are_found_as_a_loop_finds_them(responses):
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (6, V + 1))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(6)])
    actual = everything.compute_loss(responses.make_batch(logits, ids)).numpy()
    for row in range(6):
        order = list(np.argsort(-logits[row, 1:]) + 1)
        teacher = {item: place + 1 for place, item in enumerate(ids[row])}
        student = {item: place + 1 for place, item in enumerate(order)}
        under = [item for item in ids[row] if student[item] > teacher[item]]
        over = [item for item in order if student[item] < teacher.get(item, K + 1)]
        odds = np.exp(logits[row])
        expected = 0.0
        for place, item in enumerate(under):
            expected -= np.log(odds[item] / odds[[*under[place:], *over]].sum())
        assert actual[row] == pytest.approx(expected, rel=1e-5)


def test_a_student_with_the_teachers_list_has_nothing_to_learn(responses):
    batch = responses.make_batch(scores(range(1, V + 1)), [np.arange(1, K + 1)])
    assert everything.compute_loss(batch).numpy() == [0]


def test_equal_scores_have_a_loss_above_zero(responses):
    batch = responses.make_batch(np.zeros((1, V + 1)), [np.arange(10, 10 + K)])
    assert everything.compute_loss(batch).numpy() > 1


def test_too_low_items_go_up_too_high_ones_down_and_others_stay(responses):
    order = [9, 2, 3, 4, 1, 5, 6, 7, 8]  # item 9 came in, item 1 fell, 5 to 8 moved down by one
    logits = tf.Variable(scores(order), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = everything.compute_loss(responses.make_batch(logits, [np.arange(1, K + 1)]))
    slopes = tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()[0]
    assert slopes[9] > 0
    assert slopes[1] < 0
    assert (slopes[[2, 3, 4]] == 0).all()
    assert (slopes[10:] == 0).all()


def test_the_worse_misplaced_the_more_often_drawn(responses):
    rows, method = (
        4000,
        DualCorrection(num_underestimated=1, num_overestimated=1, discrepancy_scale=0.2),
    )
    order = [4, 5, 6, 7, 8, 2, 1, 3]
    rng.set_seed(0)
    logits = tf.Variable(np.tile(scores(order), (rows, 1)), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = method.compute_loss(
            responses.make_batch(logits, np.tile(np.arange(1, K + 1), (rows, 1)))
        )
    slopes = tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()
    assert ((slopes < 0).sum(axis=1) == 1).all()
    assert ((slopes > 0).sum(axis=1) == 1).all()
    # Ranks 7, 6, 8 of the items 1, 2, 3: wrong by 6, 4, 5. The other five: each by 3.
    expected = np.tanh(0.2 * np.array([6, 4, 5]))
    actual = (slopes[:, 1:4] < 0).mean(axis=0)
    np.testing.assert_allclose(actual, expected / expected.sum(), atol=0.03)
    np.testing.assert_allclose((slopes[:, 4:9] > 0).mean(axis=0), 0.2, atol=0.03)


@pytest.mark.slow
def test_a_student_learns_the_teachers_list(responses):
    losses, before, after = responses.train(DualCorrection(), steps=60)
    assert losses[-1] < 0.5 * losses[0]
    assert after > 0.9 > 0.6 > before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_underestimated": 0}, "num_underestimated must be at least 1, not 0"),
        ({"num_overestimated": 0}, "num_overestimated must be at least 1, not 0"),
        ({"discrepancy_scale": float("nan")}, "discrepancy_scale must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DualCorrection(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(DualCorrection(3, 4, 0.5))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, DualCorrection)
    assert (loaded.num_underestimated, loaded.num_overestimated, loaded.discrepancy_scale) == (
        3,
        4,
        0.5,
    )
