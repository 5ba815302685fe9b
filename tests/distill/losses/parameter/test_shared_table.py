from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.parameter.shared_table import SharedTable
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import compute_multinomial_loss
from kd_tf.models.students.item_kernel import ItemKernelStudent

V = 30


@pytest.fixture
def models(vector_models):
    return vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)


def prepared(vector_models, student, teacher, **settings) -> SharedTable:
    method = SharedTable(**{"extra_dim": 5, "hidden_dim": 3, **settings})
    method.build(vector_models.make_setup(student, teacher))
    return method


def masked(batch):
    """The step as the Distiller hands it on, with the history masked."""
    items = np.arange(V + 1)
    out = (batch.history.numpy()[:, :, None] == items).any(axis=1) | (items == 0)
    return replace(
        batch, outputs=MaskedLogits.from_logits(batch.student_logits, batch.history)
    ), out


def test_the_loss_is_that_of_a_wider_model_in_numpy(vector_models, models):
    student, teacher = models
    method = prepared(vector_models, student, teacher)
    for bias in (method.hidden_layer.bias, method.output_layer.bias):
        bias.assign(np.random.default_rng(3).normal(size=bias.shape))
    batch, out = masked(vector_models.make_batch(student, teacher))
    history, targets = batch.history.numpy(), batch.labels["targets"].numpy()
    rows = method.extra_columns.numpy().astype(float)
    actual = method.compute_loss(batch).numpy()
    for user in range(len(history)):
        items = history[user][history[user] > 0]
        pool = rows[items].sum(axis=0) / np.sqrt(max(len(items), 1))
        expected_scores = student.user_embeddings(history[[user]]).numpy()[0]
        first = (
            np.r_[pool, expected_scores] @ method.hidden_layer.kernel.numpy()
            + method.hidden_layer.bias.numpy()
        )
        more = (
            np.maximum(first, 0) @ method.output_layer.kernel.numpy()
            + method.output_layer.bias.numpy()
        )
        # The student's table with more columns behind it, and one vector of the user for all.
        table = np.hstack([student.item_embeddings().numpy(), rows])
        wide = table @ np.r_[expected_scores, pool + more]
        narrow = student(history[[user]]).numpy()[0]
        wide, narrow = wide[~out[user]], narrow[~out[user]]
        remaining = list(np.flatnonzero(~out[user]))
        expected = [remaining.index(item) for item in targets[user] if item in remaining]
        hard = -special.log_softmax(wide)[expected].mean()
        apart = stats.entropy(special.softmax(wide), special.softmax(narrow))
        assert actual[user] == pytest.approx(hard + apart, rel=1e-4)


def test_without_more_columns_the_wide_model_is_the_student(vector_models, models):
    student, teacher = models
    method = prepared(vector_models, student, teacher)
    method.extra_columns.assign(tf.zeros_like(method.extra_columns))
    batch, _ = masked(vector_models.make_batch(student, teacher))
    expected = compute_multinomial_loss(
        batch.student_logits,
        batch.labels["targets"],
        tf.reduce_logsumexp(batch.student_logits, axis=1),
    )
    np.testing.assert_allclose(method.compute_loss(batch), expected, rtol=1e-5)


def test_the_columns_begin_as_the_teachers_vectors_whatever_fits(vector_models, models):
    student, teacher = models
    rows = teacher.item_embeddings().numpy()[1:]
    wide = prepared(vector_models, student, teacher, extra_dim=9).extra_columns.numpy()
    np.testing.assert_array_equal(wide[1:, :7], rows)
    np.testing.assert_array_equal(wide[:, 7:], 0)
    narrow = prepared(vector_models, student, teacher, extra_dim=2).extra_columns.numpy()[1:]
    left_vectors, size, _ = np.linalg.svd(rows, full_matrices=False)
    best = (left_vectors[:, :2] * size[:2] ** 2) @ left_vectors[:, :2].T
    np.testing.assert_allclose(narrow @ narrow.T, best, atol=1e-4)


def test_of_a_teacher_without_vectors_they_begin_at_random_the_same_for_a_seed(vector_models):
    teacher = ItemKernelStudent(num_items=V, max_length=5, embedding_dim=4)
    teacher.create_weights()
    student = vector_models.mlp(4, seed=0)
    one, other = (prepared(vector_models, student, teacher, extra_dim=16) for _ in range(2))
    for mine, yours in zip(one.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert np.std(one.extra_columns) == pytest.approx(1 / 4, rel=0.1)


def test_the_gradient_is_the_slope_with_the_wide_model_a_constant_to_the_divergence(
    vector_models, models
):
    student, teacher = models
    method = prepared(vector_models, student, teacher)
    history, labels = vector_models.make_arrays(teacher)
    # Without the user of nothing, whose hidden layer is at the kink of its activation.
    history = tf.constant(history[1:])
    targets = tf.constant(labels["targets"][1:])
    distiller = Distiller(None, student, [method], weighting=ConstantWeights(0.0))

    def wide():
        batch = vector_models.make_batch(student, teacher, history, targets)
        more = tf.matmul(
            method.compute_extra_user_embeddings(batch), method.extra_columns, transpose_b=True
        )
        return student(history) + more

    weights = distiller.trainable_variables
    assert len(weights) == len(student.trainable_variables) + 5
    with tf.GradientTape() as tape:
        loss = distiller._compute_losses(history, {"targets": targets}, training=False)["loss"]
    gradients = [tf.convert_to_tensor(one) for one in tape.gradient(loss, weights)]
    length = float(tf.linalg.global_norm(gradients))
    out, _ = masked(vector_models.make_batch(student, teacher, history, targets))
    mask = tf.cast(out.student_logits > -1e8, tf.float32)
    messages = tf.nn.softmax(wide() - 1e9 * (1 - mask))

    def at(distance: float) -> float:
        for weight, one in zip(weights, gradients, strict=True):
            weight.assign_add(distance * one / length)
        hard = student.supervised_loss(
            history, targets, MaskedLogits.from_logits(wide(), student.seen_items(history))
        )
        log_student = tf.nn.log_softmax(student(history) - 1e9 * (1 - mask))
        crossed = -tf.reduce_sum(messages * log_student, axis=1)
        for weight, one in zip(weights, gradients, strict=True):
            weight.assign_sub(distance * one / length)
        return float(tf.reduce_mean(hard + crossed))

    assert (at(2e-3) - at(-2e-3)) / 4e-3 == pytest.approx(length, rel=0.02)


def test_both_learn_and_the_teacher_does_not(vector_models, models):
    student, teacher = models
    before = [weight.numpy() for weight in teacher.weights]
    method = SharedTable(extra_dim=5, hidden_dim=3)
    distiller = Distiller(None, student, [method], weighting=ConstantWeights(0.0))
    distiller.build_losses(vector_models.make_setup(student, teacher))
    distiller.compile(optimizer=keras.optimizers.legacy.Adam(0.05))
    history, labels = vector_models.make_arrays(teacher)
    batch = tf.constant(history), {name: tf.constant(one) for name, one in labels.items()}
    weights = distiller.trainable_variables
    began, hard = (
        [one.numpy() for one in weights],
        distiller._compute_losses(*batch, training=False),
    )
    for _ in range(12):
        logs = distiller.train_step(batch)
    assert float(logs["loss"]) < 0.8 * float(hard["loss"])
    # The student as well, although alpha leaves it no hard loss of its own.
    assert (
        distiller._compute_losses(*batch, training=False)["student_loss"]
        < 0.9 * hard["student_loss"]
    )
    for weight, was in zip(weights, began, strict=True):
        assert np.abs(weight.numpy() - was).max() > 0, weight.name
    for weight, was in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_the_extra_columns_of_targets_do_not_reach_the_user_embedding(vector_models):
    random = np.random.default_rng(0)
    read = [[3, 9, 12], [4, 9, 0]]
    student = vector_models.factor_model(
        random.normal(size=(2, 4)), random.normal(size=(V, 4)), read
    )
    teacher = vector_models.random_model(3, seed=1)
    method = prepared(vector_models, student, teacher, extra_dim=3)
    batch = vector_models.make_batch(student, teacher, [[1], [2]], [[9, 3], [4, 0]])
    given = method.compute_extra_user_embeddings(batch)
    rows = method.extra_columns.numpy()
    rows[[3, 4]] += 5.0
    method.extra_columns.assign(rows)
    np.testing.assert_array_equal(method.compute_extra_user_embeddings(batch), given)
    rows[12] += 5.0
    method.extra_columns.assign(rows)
    changed = (method.compute_extra_user_embeddings(batch) != given).numpy().any(axis=1)
    assert changed.tolist() == [True, False]
    assert (np.abs(method.compute_loss(batch)) < 1e3).all()


def test_a_student_without_vectors_is_refused(vector_models):
    student = ItemKernelStudent(num_items=V, max_length=5, embedding_dim=4)
    student.create_weights()
    with pytest.raises(ValueError, match=r"SharedTable needs user embeddings: .*ItemKernel"):
        prepared(vector_models, student, vector_models.mlp(7, seed=1))


@pytest.mark.parametrize("settings", [{"extra_dim": 0}, {"hidden_dim": 0}])
def test_widths_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match="extra_dim and hidden_dim must be at least 1, not"):
        SharedTable(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(SharedTable(9, 8))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, SharedTable)
    assert (loaded.extra_dim, loaded.hidden_dim) == (9, 8)
