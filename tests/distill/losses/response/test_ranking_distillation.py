import numpy as np
import pytest
from scipy import special, stats

from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.ranking_distillation import RankingDistillation

V, K = 30, 8


def test_the_loss_by_hand_during_the_warm_up(responses):
    # Weights exp(-1) and exp(-2), which are to sum to 1; sigmoid(log 3) is 3/4, sigmoid(0) 1/2.
    batch = responses.make_batch([[0, 0, np.log(3), 5]], [[2, 1, 0]], progress=0.4)
    first = np.exp(-1) / (np.exp(-1) + np.exp(-2))
    expected = first * np.log(4 / 3) + (1 - first) * np.log(2)
    actual = RankingDistillation(position_decay=1.0, warm_up=0.5).compute_loss(batch).numpy()
    assert actual == pytest.approx([expected], rel=1e-6)


def test_the_loss_after_the_warm_up_is_that_of_numpy(responses):
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (5, V + 1))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(5)])
    expected = []
    for scores, row in zip(logits, ids, strict=True):
        student = stats.rankdata(-scores[1:])[row - 1]
        r = np.arange(1, K + 1)
        position = special.softmax(-r / 3)
        discrepancy = np.tanh(np.maximum(0.2 * (student - r), 0))
        expected.append(-np.sum(position * discrepancy * special.log_expit(scores[row])))
    actual = RankingDistillation(3.0, 0.2, 0.5).compute_loss(
        responses.make_batch(logits, ids, progress=0.6)
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_a_student_with_the_teachers_ranks_has_nothing_to_learn(responses):
    batch = responses.make_batch([-0.1 * np.arange(V + 1)], [np.arange(1, K + 1)])
    assert RankingDistillation().compute_loss(batch).numpy() == [0]
    warming = responses.make_batch([-0.1 * np.arange(V + 1)], [np.arange(1, K + 1)], progress=0.0)
    assert RankingDistillation().compute_loss(warming).numpy() > 0.1


def test_equal_scores_have_the_full_loss(responses):
    batch = responses.make_batch(np.zeros((1, V + 1)), [np.arange(1, K + 1)])
    assert RankingDistillation(discrepancy_scale=10.0).compute_loss(batch).numpy() == pytest.approx(
        [np.log(2)]
    )


def test_the_lower_a_good_item_the_higher_the_loss(responses):
    losses = []
    for rank in (0, 3, 9, 20):
        order = np.insert(np.delete(np.arange(1, V + 1), 0), rank, 1)
        logits = np.zeros((1, V + 1))
        logits[0, order] = 1 - 0.05 * np.arange(V)
        batch = responses.make_batch(logits, [np.arange(1, K + 1)])
        losses.append(float(RankingDistillation().compute_loss(batch)[0]))
    assert losses == sorted(losses)
    assert losses[0] == 0
    assert losses[-1] > losses[1] + 0.05


def test_outside_training_the_discrepancy_does_not_count(responses):
    batch = ([-0.1 * np.arange(V + 1)], [np.arange(1, K + 1)])
    warming = RankingDistillation(warm_up=1.0).compute_loss(
        responses.make_batch(*batch, progress=0.5)
    )
    for progress in (0.0, 1.0):
        step = responses.make_batch(*batch, training=False, progress=progress)
        assert RankingDistillation(warm_up=0.0).compute_loss(step).numpy() == pytest.approx(warming)


def test_no_gradient_goes_through_the_weights(responses):
    logits = tf.Variable(np.random.default_rng(0).normal(0, 1, (1, V + 1)), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = RankingDistillation().compute_loss(
            responses.make_batch(logits, [np.arange(1, K + 1)])
        )
    slopes = tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()[0]
    assert (slopes[K + 1 :] == 0).all()
    assert (slopes[1 : K + 1] <= 0).all()


@pytest.mark.slow
def test_a_student_comes_to_like_the_teachers_items(responses):
    # Its own measure, without the weights that change; alone it does not say what not to like.
    losses, _, _ = responses.train(RankingDistillation(warm_up=1.0))
    assert losses[-1] < 0.1 * losses[0]


def test_a_student_has_less_and_less_that_is_misplaced(responses):
    losses, before, after = responses.train(RankingDistillation(warm_up=0.0))
    assert losses[-1] < 0.05 * losses[0]
    assert after > before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"position_decay": 0.0}, "position_decay must be above 0, not 0.0"),
        ({"discrepancy_scale": -1.0}, "discrepancy_scale must be above 0, not -1.0"),
        ({"discrepancy_scale": float("nan")}, "discrepancy_scale must be above 0, not nan"),
        ({"warm_up": 1.5}, r"warm_up must be in \[0, 1\], not 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RankingDistillation(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(RankingDistillation(3.0, 0.4, 0.25))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, RankingDistillation)
    assert (loaded.position_decay, loaded.discrepancy_scale, loaded.warm_up) == (3.0, 0.4, 0.25)
