import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.response.relaxed_ranking import RelaxedRanking

V, K = 30, 8

# Both groups have all they can get: nothing is left to chance.
everything = RelaxedRanking(num_interesting=V, num_uninteresting=V)


def likelihood(logits, ids) -> float:
    """By drawing the teacher's items one after the other from an urn."""
    odds = np.exp(np.asarray(logits, np.float64))
    odds[0] = 0
    result = 1.0
    for item in ids:
        result *= odds[item] / odds.sum()
        odds[item] = 0
    return result


def test_the_loss_by_hand(responses):
    # Odds of the items 1..4: 1, 6, 2, 3. The teacher says 2, then 4: 6 of 12, 3 of 6.
    batch = responses.make_batch([np.log([1, 1, 6, 2, 3])], [[2, 4, 0]])
    assert everything.compute_loss(batch).numpy() == pytest.approx([np.log(4)], rel=1e-6)


def test_with_all_items_drawn_it_is_the_likelihood_of_the_teachers_list(responses):
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (4, V + 1))
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(4)])
    expected = [-np.log(likelihood(*row)) for row in zip(logits, ids, strict=True)]
    np.testing.assert_allclose(
        everything.compute_loss(responses.make_batch(logits, ids)), expected, rtol=1e-5
    )


def test_the_loss_is_least_in_the_teachers_own_order_and_grows_with_every_swap(responses):
    ids = np.arange(1, K + 1)
    actual = []
    for swap in (None, (2, 3), (0, 7), (0, 20)):
        logits = -0.5 * np.arange(V + 1.0)
        if swap:
            logits[[1 + swap[0], 1 + swap[1]]] = logits[[1 + swap[1], 1 + swap[0]]]
        actual.append(float(everything.compute_loss(responses.make_batch([logits], [ids]))[0]))
    assert actual == sorted(actual)
    assert actual[1] > actual[0] + 0.1


def test_the_order_of_the_uninteresting_does_not_matter(responses):
    logits = np.random.default_rng(0).normal(0, 1, (1, V + 1))
    ids = np.arange(1, K + 1)[None]
    shuffled = logits.copy()
    shuffled[0, K + 1 :] = np.random.default_rng(1).permutation(logits[0, K + 1 :])
    np.testing.assert_allclose(
        everything.compute_loss(responses.make_batch(shuffled, ids)),
        everything.compute_loss(responses.make_batch(logits, ids)),
        rtol=1e-5,
    )


def drawn_items(method, responses, rows=4000):
    """Which items get a gradient: the interesting ones a negative one, by rows."""
    rng.set_seed(0)
    logits = tf.Variable(np.zeros((rows, V + 1), np.float32))
    with tf.GradientTape() as tape:
        loss = method.compute_loss(
            responses.make_batch(logits, np.tile(np.arange(1, K + 1), (rows, 1)))
        )
    return tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()


def test_the_given_number_of_items_is_sampled_with_the_odds_of_the_paper(responses):
    slopes = drawn_items(RelaxedRanking(1, 3, temperature=4.0), responses)
    assert ((slopes < 0).sum(axis=1) == 1).all()
    assert ((slopes > 0).sum(axis=1) == 3).all()
    assert (slopes[:, K + 1 :] >= 0).all()
    assert (slopes[:, 1 : K + 1] <= 0).all()
    expected = np.exp(-np.arange(1, K + 1) / 4)
    chosen = (slopes[:, 1 : K + 1] < 0).mean(axis=0)
    np.testing.assert_allclose(chosen, expected / expected.sum(), atol=0.025)
    uninteresting = (slopes[:, K + 1 :] > 0).mean(axis=0)
    np.testing.assert_allclose(uninteresting, 3 / (V - K), atol=0.025)


@pytest.mark.slow
def test_a_student_learns_the_teachers_list(responses):
    losses, before, after = responses.train(RelaxedRanking(4, 10, temperature=4.0))
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    assert after > 0.9 > 0.6 > before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_interesting": 0}, "num_interesting must be at least 1, not 0"),
        ({"num_uninteresting": 0}, "num_uninteresting must be at least 1, not 0"),
        ({"temperature": 0.0}, "temperature must be above 0, not 0.0"),
        ({"temperature": float("nan")}, "temperature must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RelaxedRanking(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(RelaxedRanking(3, 4, 5.5, name="mine"))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, RelaxedRanking)
    assert (loaded.num_interesting, loaded.num_uninteresting, loaded.temperature) == (3, 4, 5.5)
    assert loaded.name == "mine"
