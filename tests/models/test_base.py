"""Properties of every teacher and student."""

import inspect
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.backend import keras, tf
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.teachers import TRAINED_TEACHERS

V, L = 40, 8
MODEL_CLASSES = {**TRAINED_TEACHERS, **TRAINED_STUDENTS}
UNKNOWN = [-(2**31), -1, V + 1, 2**31 - 1]


@pytest.fixture(scope="module", params=MODEL_CLASSES.values(), ids=MODEL_CLASSES)
def model_class(request) -> type[HistoryModel]:
    return request.param


@pytest.fixture(scope="module")
def model(model_class, tiny) -> HistoryModel:
    """One model for all tests that only look at it."""
    return tiny(model_class)


@pytest.fixture(scope="module")
def score(model):
    """float32 [n, V + 1] of a list of histories with a whole number of items each."""
    return lambda rows: model(tf.constant(rows, tf.int32)).numpy()


def padded(*items: int, length: int = L) -> list[int]:
    return [*items] + [0] * (length - len(items))


def test_scores_are_finite_float32_for_padding_and_every_item(score):
    scores = score([padded(), padded(1), padded(V, 1), list(range(1, L + 1))])
    assert scores.shape == (4, V + 1)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_similar_has_a_finite_score_for_every_item_and_for_unknown_ones(model):
    similar = model.similar(tf.constant([1, V, 0, *UNKNOWN])).numpy()
    assert similar.shape == (3 + len(UNKNOWN), V + 1)
    assert np.isfinite(similar).all()
    np.testing.assert_array_equal(similar[3:], similar[[2] * len(UNKNOWN)])


def test_unknown_ids_count_as_padding_wherever_they_stand(score):
    for place in range(L):
        history = list(range(3, 3 + L))
        rows = []
        for unknown in (0, *UNKNOWN):
            history[place] = unknown
            rows.append([*history])
        scores = score(rows)
        for other in scores[1:]:
            np.testing.assert_allclose(other, scores[0], atol=1e-5)


def test_a_history_of_unknown_ids_is_an_empty_one(score):
    scores = score([padded(), *([unknown] * L for unknown in UNKNOWN)])
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[1:], scores[[0] * len(UNKNOWN)], atol=1e-5)


def test_an_empty_history_has_a_list_of_its_own_that_training_can_shape(score):
    scores = score([padded()])[0]
    assert scores[1:].std() > 0


def test_the_same_history_gives_the_same_scores_on_every_call(score):
    history, other = [padded(3, 1, 4)], [padded(9, 2, 6, 5)]
    before = score(history)
    score(other)
    np.testing.assert_array_equal(score(history), before)


def test_a_user_gets_the_same_scores_alone_and_in_a_batch(score):
    rows = [padded(3, 1, 4), padded(), list(range(1, L + 1)), padded(7)]
    together = score(rows)
    alone = np.concatenate([score([row]) for row in rows])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@settings(max_examples=15)
@given(data=st.data())
def test_more_padding_changes_nothing(score, data):
    size = data.draw(st.sampled_from([0, 1, L - 1, L]))
    items = data.draw(st.lists(st.integers(1, V), min_size=size, max_size=size, unique=True))
    longer = padded(*items, length=L + data.draw(st.integers(1, 4)))
    np.testing.assert_allclose(score([longer]), score([padded(*items)]), atol=1e-5)


def test_the_padding_row_of_a_table_reaches_no_score_of_an_item(model_class, tiny):
    rows = tf.constant([padded(), padded(5), padded(3, 1, 4), [3, 0, 1, 0, 4, 0, 0, -1]])
    model = tiny(model_class)
    before = model(rows).numpy()[:, 1:]
    for weight in model.trainable_weights:
        if weight.shape.rank and weight.shape[0] == V + 1:
            weight.assign(tf.concat([weight[:1] + 10.0, weight[1:]], axis=0))
    np.testing.assert_allclose(model(rows).numpy()[:, 1:], before, atol=1e-5)


def test_keras_finds_the_histories_by_the_name_inputs(model_class):
    assert list(inspect.signature(model_class.call).parameters)[1:] == ["inputs", "training"]


def test_every_setting_survives_the_configuration(model_class, tiny, settings_of):
    numbers = count(3)  # another value for each, none of them a default
    changed = {
        name: next(numbers) * (0.01 if isinstance(default, float) else 1)
        for base in model_class.__mro__
        if issubclass(base, HistoryModel)
        for name, parameter in inspect.signature(base.__init__).parameters.items()
        if isinstance(default := parameter.default, int | float)
    }
    model = tiny(model_class, **changed, name="a_name")
    config = model.get_config()
    assert settings_of(model_class) <= set(config)
    for name, value in changed.items():
        assert config[name] == value, name
    again = model_class.from_config(config)
    assert again.get_config() == config
    assert again.name == "a_name"


def test_a_model_made_from_the_configuration_scores_alike_with_the_same_weights(model_class, tiny):
    model = tiny(model_class)
    again = model_class.from_config(model.get_config())
    again.build_from_config({"input_shape": [None, L]})  # as Keras does on loading
    again.set_weights(model.get_weights())
    history = tf.constant([padded(3, 1, 4), padded()])
    np.testing.assert_array_equal(again(history), model(history))


@pytest.fixture
def plain(model_class, tiny, settings_of) -> HistoryModel:
    """A model that scores in training as it does afterwards: no dropout, no wide part."""
    off = {"item_dropout": 0.0, "dropout": 0.0, "wide_neighbours": 0}
    return tiny(model_class, **{name: off[name] for name in off.keys() & settings_of(model_class)})


def test_gradients_reach_every_trainable_weight(plain):
    model = plain
    random = np.random.default_rng(0)
    history = tf.constant(random.integers(1, V + 1, (16, L)), tf.int32)
    targets = tf.constant(random.integers(1, V + 1, (16, 3)), tf.int32)
    with tf.GradientTape() as tape:
        loss = model.supervised_loss(history, targets, model.masked_logits(history, training=True))
    gradients = tape.gradient(loss, model.trainable_weights)
    assert model.trainable_weights
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.name
        size = np.abs(tf.convert_to_tensor(gradient).numpy())
        assert np.isfinite(size).all(), weight.name
        assert size.sum() > 0, weight.name


def fitted(model: HistoryModel, history, targets, steps: int, rate: float) -> list[float]:
    """Losses of `steps` steps on one batch."""
    data = tf.data.Dataset.from_tensors((history, {"targets": targets})).repeat()
    model.compile(optimizer=keras.optimizers.Adam(rate))
    return model.fit(data, epochs=steps, steps_per_epoch=1, verbose=0).history["loss"]


@pytest.mark.slow
def test_training_fits_a_tiny_set_of_users_including_an_empty_history(plain):
    model = plain
    random = np.random.default_rng(1)
    history = random.integers(1, V + 1, (8, L)).astype(np.int32)
    history[0] = 0
    history[1, 2:] = 0
    free = [np.setdiff1d(np.arange(1, V + 1), row)[-1 - i] for i, row in enumerate(history)]
    targets = np.array(free, np.int32)[:, None]
    losses = fitted(model, history, targets, steps=160, rate=0.02)
    assert losses[0] > 2
    assert losses[-1] < 0.1 * losses[0]
    best = model(history).numpy()[:, 1:].copy()
    best[np.arange(8)[:, None], np.maximum(history - 1, 0)] = -np.inf
    assert (best.argmax(axis=1)[1:] + 1 == targets[1:, 0]).all()
    empty = model(history[:1]).numpy()[0, 1:]
    assert empty.argmax() + 1 == targets[0, 0]


def test_the_student_loss_spends_nothing_on_padding_and_items_already_read(model):
    history = tf.constant([padded(3, 1, 4)])
    targets = tf.constant([[7, 9, 0]])
    logits = tf.random.stateless_normal([1, V + 1], [1, 2])
    spent = tf.one_hot([[0, 1, 3, 4]], V + 1, on_value=50.0)
    changed = logits + tf.reduce_sum(spent, axis=1)
    excluded = model.seen_items(history)
    np.testing.assert_array_equal(
        model.supervised_loss(history, targets, MaskedLogits.from_logits(logits, excluded)),
        model.supervised_loss(history, targets, MaskedLogits.from_logits(changed, excluded)),
    )


@pytest.mark.slow
def test_evaluation_has_no_dropout(model):
    history = tf.constant([padded(3, 1, 4), padded(), list(range(1, L + 1))])
    targets = tf.constant([[7, 9], [2, 0], [V, 0]])
    expected = tf.reduce_mean(model.supervised_loss(history, targets, model.masked_logits(history)))
    model.compile()
    data = tf.data.Dataset.from_tensors((history, {"targets": targets}))
    assert model.evaluate(data, verbose=0) == pytest.approx(float(expected), rel=1e-5)


class Popularity(HistoryModel):
    """The least model: one learned score an item."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.score = self.add_weight(name="score", shape=(self.num_items + 1,), initializer="zeros")

    def call(self, inputs, training=False):
        return tf.tile(self.score[tf.newaxis], [tf.shape(inputs)[0], 1])


def test_training_learns_and_testing_does_not():
    model = Popularity(num_items=5, max_length=2)
    model.compile(optimizer=keras.optimizers.SGD(1.0))
    labels = {"targets": tf.constant([[3], [3]])}
    data = tf.data.Dataset.from_tensors((tf.zeros([2, 2], tf.int32), labels))
    tested = model.evaluate(data, verbose=0)
    assert tested == pytest.approx(np.log(5))
    assert (model.score.numpy() == 0).all()
    assert model.evaluate(data, verbose=0) == tested
    model.fit(data, verbose=0)
    # One step of size 1 down the gradient: share 1/5 against the wish 1.
    np.testing.assert_allclose(model.score, [0, -0.2, -0.2, 0.8, -0.2, -0.2], atol=1e-5)
    assert model.evaluate(data, verbose=0) < tested


def test_unknown_ids_are_masked():
    model = Popularity(num_items=5, max_length=2)
    ids = tf.constant([[-1, 0, 1], [5, 6, 2**31 - 1]])
    assert model.mask_unknown_ids(ids).numpy().tolist() == [[0, 0, 1], [5, 0, 0]]


@pytest.mark.parametrize("sizes", [{"num_items": 0}, {"max_length": 0}, {"num_items": -1}])
def test_a_model_without_items_or_history_is_refused_with_the_numbers(sizes):
    with pytest.raises(ValueError, match=str(next(iter(sizes.values())))):
        Popularity(**{"num_items": 5, "max_length": 2, **sizes})


def test_the_base_scores_nothing_itself():
    model = HistoryModel(num_items=5, max_length=2)
    with pytest.raises(NotImplementedError):
        model(tf.zeros([1, 2], tf.int32))
    with pytest.raises(NotImplementedError):
        model.similar(tf.constant([1]))
