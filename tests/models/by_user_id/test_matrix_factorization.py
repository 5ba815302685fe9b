"""Matrix factorization by user ids, against NumPy and the BPR loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.examples.sequences import draw_user_id_examples
from kd_tf.data.histories import Histories, from_lists
from kd_tf.distill.distiller import Distiller
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.training import checkpoint

V, R, d = 30, 12, 5
UNKNOWN = [0, -1, R + 1, 2**31 - 1]


def train() -> Histories:
    """Users 0 to 11 but for number 4, who is nobody's; group a reads low ids, group b high."""
    random = np.random.default_rng(0)
    numbers = np.array([one for one in range(R) if one != 4], np.int32)
    rows = [random.permutation(V // 2)[: 3 + one % 4] + 1 + (one % 2) * V // 2 for one in numbers]
    whole = from_lists([row.astype(np.int32) for row in rows])
    return Histories(whole.items, whole.offsets, None, numbers)


@pytest.fixture
def model() -> MatrixFactorization:
    rng.set_seed(0)
    made = MatrixFactorization.from_histories(train(), V, embedding_dim=d)
    random = np.random.default_rng(1)
    made.user_table.assign(random.normal(size=(R + 1, d)))
    made.item_table.assign(random.normal(size=(V + 1, d)))
    return made


def test_a_score_is_the_product_of_two_vectors(model):
    actual = model(tf.constant([[3], [9]])).numpy()
    expected = model.user_table.numpy()[[3, 9]] @ model.item_table.numpy().T
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert actual.shape == (2, V + 1)


def test_unknown_users_get_the_scores_of_no_user(model):
    nobody = model(tf.zeros([1, 1], tf.int32)).numpy()
    actual = model(tf.constant([[one] for one in UNKNOWN])).numpy()
    np.testing.assert_allclose(actual, np.tile(nobody, (len(UNKNOWN), 1)), rtol=1e-5)


def test_scored_as_others_are_it_takes_the_users_numbers(model):
    histories = train().take(np.array([5, 0, 7]))
    expected = model(tf.constant(histories.users[:, None] + 1)).numpy()
    np.testing.assert_allclose(make_score_fn(model)(histories), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="no user indices"):
        make_score_fn(model)(from_lists([[1, 2]]))
    strangers = Histories(np.array([1], np.int32), np.array([0, 1]), None, np.array([R + 50]))
    nobody = model(tf.zeros([1, 1], tf.int32)).numpy()
    np.testing.assert_allclose(make_score_fn(model)(strangers), nobody, rtol=1e-5)


def test_what_a_user_read_in_training_is_excluded(model):
    histories = train()
    for row in range(len(histories)):
        actual = model.seen_items(tf.constant([[histories.users[row] + 1]])).numpy()[0]
        assert set(actual) - {0} == set(histories[row])
    assert not model.seen_items(tf.constant([[5], [0]])).numpy().any()  # user 4, and nobody


def test_the_loss_is_bpr_by_hand(model):
    # With two items only one is unread: the draw is certain.
    two = MatrixFactorization(
        num_items=2, num_users=1, max_seen_items=1, embedding_dim=2, regularization=0.1
    )
    two.create_weights()
    two.seen_items_table.assign([[0], [1]])
    two.user_table.assign([[0, 0], [1.0, -2.0]])
    two.item_table.assign([[9, 9], [0.5, 1.0], [2.0, 0.25]])
    history, targets = tf.constant([[1]]), tf.constant([[1, 0]])
    ranking = -np.log(special.expit(-1.5 - 1.5))
    lengths = 5 + 1.25 + 4.0625
    actual = set()
    for seed in range(12):
        rng.set_seed(seed)
        actual.add(
            round(float(two.supervised_loss(history, targets, two.masked_logits(history))[0]), 4)
        )
    # The item itself was drawn: it is read and teaches no order.
    expected_scores = 0.1 * (5 + 1.25 + 1.25)
    assert actual == {round(float(ranking + 0.1 * lengths), 4), round(expected_scores, 4)}


def test_targets_that_are_padding_teach_nothing(model):
    history = tf.constant([[1], [2]])
    actual = model.supervised_loss(
        history, tf.zeros([2, 3], tf.int32), model.masked_logits(history)
    )
    np.testing.assert_array_equal(actual, [0, 0])


def test_examples_are_all_items_of_every_user(model):
    examples = draw_user_id_examples(train(), num_passes=2, num_targets=10, seed=0)
    assert examples.history.shape == (2, R - 1, 1)
    np.testing.assert_array_equal(examples.history[1, :, 0], train().users + 1)
    for row in range(R - 1):
        assert set(examples.targets[0, row]) - {0} == set(train()[row])
    short = draw_user_id_examples(train(), num_passes=1, num_targets=2, seed=0)
    assert (short.targets > 0).all()
    with pytest.raises(ValueError, match="no user indices"):
        draw_user_id_examples(from_lists([[1]]), num_passes=1, num_targets=2, seed=0)


@pytest.mark.slow
def test_it_learns_whose_items_are_whose():
    rng.set_seed(0)
    learner = MatrixFactorization.from_histories(train(), V, embedding_dim=d)
    examples = draw_user_id_examples(train(), num_passes=1, num_targets=8, seed=0)
    distiller = Distiller(None, learner)
    distiller.compile(optimizer=keras.optimizers.Adam(0.05))
    data = tf.data.Dataset.from_tensors(
        (examples.history[0], {"targets": examples.targets[0]})
    ).repeat()
    distiller.fit(data, epochs=1, steps_per_epoch=150, verbose=0)
    scores = make_score_fn(learner)(train())
    read = train().to_csr_matrix(V).toarray() > 0
    expected_scores = np.arange(V + 1) > V // 2
    for row, number in enumerate(train().users):
        unread = ~read[row] & (np.arange(V + 1) > 0)
        same = unread & (expected_scores == bool(number % 2))
        other = unread & (expected_scores != bool(number % 2))
        assert scores[row][same].mean() > scores[row][other].mean()


def test_it_comes_back_from_disk(model, tmp_path):
    checkpoint.save(model, tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model")
    inputs = tf.constant([[1], [6], [12]])
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    np.testing.assert_array_equal(loaded.seen_items(inputs), model.seen_items(inputs))


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        MatrixFactorization(num_items=3, num_users=0, max_seen_items=1, embedding_dim=2)
    with pytest.raises(ValueError, match="0 or"):
        MatrixFactorization(
            num_items=3, num_users=2, max_seen_items=1, embedding_dim=2, regularization=-1
        )
