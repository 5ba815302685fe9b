import numpy as np
import pytest
from scipy import special

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.layers.pooling import pool_weighted_rows
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.tied_embedding import FULL_SOFTMAX, IN_BATCH, TiedEmbeddingModel

V, L, d = 30, 6, 4


def model(**settings) -> TiedEmbeddingModel:
    made = MLPStudent(
        **{"num_items": V, "max_length": L, "embedding_dim": d, "item_dropout": 0.0, **settings}
    )
    made.create_weights()
    return made


def users(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    history = random.integers(1, V // 2, (count, L)).astype(np.int32)
    return history, (history[:, :1] + V // 2).astype(np.int32)


def test_similar_is_the_dot_product_of_two_rows():
    made = model()
    table = made.table.numpy()
    items = np.array([3, V, 1], np.int32)
    np.testing.assert_allclose(
        made.similar(tf.constant(items)), table[items] @ table.T, rtol=1e-5, atol=1e-6
    )


def test_scores_are_the_dot_products_of_the_user_with_the_rows():
    made = model()
    history = tf.constant(users(4)[0])
    np.testing.assert_allclose(
        made(history),
        made.user_embeddings(history).numpy() @ made.table.numpy().T,
        rtol=1e-5,
        atol=1e-6,
    )


def test_there_is_one_table_for_history_and_scores():
    tables = [weight for weight in model().trainable_weights if V + 1 in weight.shape]
    assert len(tables) == 1


def test_item_dropout_leaves_out_whole_items_in_training_only_and_keeps_the_sum():
    seen = []

    class Watched(TiedEmbeddingModel):
        def encode(self, rows, weights, training):
            seen.append(weights.numpy())
            return pool_weighted_rows(rows, weights)

    watched = Watched(num_items=V, max_length=L, embedding_dim=d, item_dropout=0.25)
    rng.set_seed(0)
    history = tf.constant(users(2000)[0])
    watched(history, training=False)
    watched(history, training=True)
    whole, dropped = seen
    mask = whole > 0
    kept = dropped > 0
    assert not kept[~mask].any()
    assert kept[mask].mean() == pytest.approx(0.75, abs=0.02)
    np.testing.assert_allclose(dropped[kept], whole[kept] / 0.75, rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"embedding_dim": 0}, "embedding_dim must be at least 1, not 0"),
        ({"item_dropout": 1.0}, "not 1.0"),
        ({"item_dropout": -0.1}, "not -0.1"),
        ({"objective": "sampled"}, "full-softmax or in-batch, not 'sampled'"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(wrong, named):
    with pytest.raises(ValueError, match=named):
        model(**wrong)


def test_the_objective_survives_the_configuration():
    config = model(objective=IN_BATCH).get_config()
    assert config["objective"] == IN_BATCH
    assert MLPStudent.from_config(config).objective == IN_BATCH
    assert model().get_config()["objective"] == FULL_SOFTMAX


def in_batch(popularity: np.ndarray | None, rate: float) -> TiedEmbeddingModel:
    rng.set_seed(0)
    made = model(objective=IN_BATCH)
    if popularity is not None:
        made.adapt(popularity)
    made.compile(optimizer=keras.optimizers.Adam(rate))
    return made


def test_the_in_batch_objective_refuses_to_learn_before_adapt():
    history, targets = users(4)
    data = tf.data.Dataset.from_tensors((history, {"targets": targets}))
    with pytest.raises(ValueError, match="call adapt"):
        in_batch(None, 0.01).fit(data, verbose=0)


def test_the_in_batch_loss_is_the_corrected_softmax_over_the_targets_of_the_batch():
    history, targets = users(8)
    history[1] = history[0]
    targets[1] = targets[0]  # an accidental hit: not a negative for its twin
    popularity = np.arange(V + 1) ** 2
    made = in_batch(popularity, 0.0)
    share = np.maximum(popularity, 1) / popularity.sum()
    item = targets[:, 0]
    logits = made.user_embeddings(tf.constant(history)).numpy() @ made.table.numpy()[item].T
    logits = logits.astype(np.float64) - np.log(share[item])
    logits[(item[:, None] == item) & ~np.eye(8, dtype=bool)] = -np.inf
    expected = -np.diag(special.log_softmax(logits, axis=1)).mean()
    padded = np.pad(targets, ((0, 0), (0, 2)))  # padding is never drawn as a target
    data = tf.data.Dataset.from_tensors((history, {"targets": padded}))
    actual = made.fit(data, verbose=0).history["loss"][0]
    assert actual == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_in_batch_objective_learns_to_separate_the_targets():
    history, targets = users(32)
    made = in_batch(np.bincount(targets[:, 0], minlength=V + 1), 0.03)
    data = tf.data.Dataset.from_tensors((history, {"targets": targets})).repeat()
    assert found_among_targets(made, history, targets) < 0.3
    losses = made.fit(data, epochs=60, steps_per_epoch=1, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    assert found_among_targets(made, history, targets) > 0.9


def found_among_targets(
    made: TiedEmbeddingModel, history: np.ndarray, targets: np.ndarray
) -> float:
    """Share of users whose target scores best of all items that are anybody's target."""
    candidates = np.unique(targets)
    best = made(tf.constant(history)).numpy()[:, candidates].argmax(axis=1)
    return (candidates[best] == targets[:, 0]).mean()


def test_every_target_of_a_user_is_drawn_in_batch():
    made = in_batch(np.ones(V + 1), 0.1)
    made.compile(optimizer=keras.optimizers.SGD(1.0))
    before = made.table.numpy()
    targets = np.array([[20, 21, 22, 0], [25, 0, 0, 0]], np.int32)
    history = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 0, 0, 0, 0]], np.int32)
    data = tf.data.Dataset.from_tensors((history, {"targets": targets})).repeat()
    made.fit(data, steps_per_epoch=30, verbose=0)
    moved = np.flatnonzero(np.abs(made.table.numpy() - before).sum(axis=1))
    assert set(moved) == {1, 2, 3, 4, 5, 20, 21, 22, 25}
