from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.losses.relation.item_side_dual_correction import ItemSideDualCorrection
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.losses.softmax import MASKED_LOGIT

V, K, B, M = 12, 5, 10, 2

# Everything that is misplaced is drawn: nothing is left to chance.
everything = ItemSideDualCorrection(num_underestimated=B, num_overestimated=B)


def make_batch(responses, logits, ids, targets, teacher=None, total=None):
    """A batch of these targets."""
    step = responses.make_batch(logits, ids, teacher, total=total)
    targets = tf.constant(targets, tf.int32)
    student = SimpleNamespace(num_items=V, mask_unknown_ids=lambda ids: ids)
    return replace(step, student=student, labels={**step.labels, "targets": targets})


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(4)
    logits = random.permuted(np.tile(np.arange(V + 1.0), (B, 1)), axis=1) * 0.4
    logits += random.uniform(0, 0.1, logits.shape)
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(B)])
    ids[3, 2:] = 0
    teacher = np.where(ids > 0, -np.sort(-random.normal(0, 2, (B, K))), 0)
    total = random.uniform(3, 5, B)
    return logits, ids, random.integers(1, V + 1, (B, M)), teacher, total


def test_the_loss_by_hand(responses):
    # Item 1 is the best of users 1 and 2, with 3/4 and 1/2 of what the teacher gives all items.
    # The student gives it 1/4, 1/2 and 3/4: user 1 stands too low by two ranks, user 3 too
    # high by two, user 2 where it should.
    ids = [[1], [1], [2]]
    logits = np.log([[1, 1, 3], [1, 5, 5], [1, 3, 1]])
    logits = np.pad(logits, [(0, 0), (0, V - 2)], constant_values=-50)
    teacher, total = [[np.log(3)], [np.log(3)], [0.0]], np.log([4, 6, 2])
    actual = everything.compute_loss(
        make_batch(responses, logits, ids, [[1], [1], [1]], teacher, total)
    )
    # By probability, as odds: 1/4 of user 1 against itself and 3/4 of user 3.
    assert actual.numpy() == pytest.approx([np.log(4)] * 3, rel=1e-5)


def test_misplaced_users_are_found_as_a_loop_finds_them(responses, batch):
    logits, ids, targets, teacher, total = batch
    actual = everything.compute_loss(make_batch(responses, *batch)).numpy()
    expected_scores = logits[:, 1:] - special.logsumexp(logits[:, 1:], axis=1, keepdims=True)
    losses = []
    for item in np.unique(targets):
        listed = [row for row in range(B) if item in ids[row]]
        messages = {row: teacher[row, list(ids[row]).index(item)] - total[row] for row in listed}
        listed.sort(key=lambda row: -messages[row])
        expected = {row: place + 1 for place, row in enumerate(listed)}
        order = sorted(range(B), key=lambda row: -expected_scores[row, item - 1])
        student = {row: place + 1 for place, row in enumerate(order)}
        under = [row for row in listed if student[row] > expected[row]]
        over = [row for row in order if student[row] < expected.get(row, len(listed) + 1)]
        odds = np.exp(expected_scores[:, item - 1])
        loss = 0.0
        for place, row in enumerate(under):
            loss -= np.log(odds[row] / odds[[*under[place:], *over]].sum())
        if listed:
            losses.append(loss)
    assert len(losses) > 3
    assert actual == pytest.approx([np.mean(losses)] * B, rel=1e-4)


def test_a_student_that_ranks_the_users_as_the_teacher_does_has_nothing_to_learn(responses):
    # Item 2 is the more likely the earlier a user stands; only the first three have it listed.
    logits = np.zeros((B, V + 1))
    logits[:, 2] = -np.arange(B)
    ids = np.full((B, 1), 3)
    ids[:3] = 2
    step = make_batch(responses, logits, ids, np.full((B, 1), 2), -np.arange(B)[:, None] * 1.0)
    step.labels["teacher_total"] = tf.ones([B])
    assert (everything.compute_loss(step).numpy() == 0).all()
    worse = make_batch(
        responses, logits[::-1], ids, np.full((B, 1), 2), -np.arange(B)[:, None] * 1.0
    )
    worse.labels["teacher_total"] = tf.ones([B])
    assert (everything.compute_loss(worse).numpy() > 1).all()


def test_a_constant_in_all_logits_of_a_user_changes_nothing(responses, batch):
    logits, ids, targets, teacher, total = batch
    constants = np.random.default_rng(0).normal(0, 5, (2, B, 1))
    changed = make_batch(
        responses,
        logits + constants[0],
        ids,
        targets,
        np.where(ids > 0, teacher + constants[1], 0),
        total + constants[1][:, 0],
    )
    np.testing.assert_allclose(
        everything.compute_loss(changed),
        everything.compute_loss(make_batch(responses, *batch)),
        rtol=1e-4,
    )


def test_the_gradient_is_the_slope(responses, batch):
    logits, *labels = batch
    error = responses.gradient_error(
        everything, lambda at: make_batch(responses, at, *labels), logits * 1.0
    )
    assert error < 5e-3


def test_users_who_know_the_item_stay_out(responses, batch):
    logits, ids, targets, teacher, total = batch
    item = targets[0, 0]
    logits = np.array(logits)
    logits[[1, 2], item] = MASKED_LOGIT
    variable = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = everything.compute_loss(
            make_batch(responses, variable, ids, targets, teacher, total)
        )
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    assert (np.abs(loss) < 1e3).all()
    assert np.isfinite(gradient).all()
    assert (gradient[[1, 2], item] == 0).all()


def test_without_teacher_or_targets_loss_and_gradient_are_zero(responses, batch):
    logits, ids, targets, teacher, total = batch
    for changed in ({"ids": 0 * ids, "teacher": 0 * teacher}, {"targets": 0 * targets}):
        given = {"ids": ids, "targets": targets, "teacher": teacher, "total": total, **changed}
        variable = tf.Variable(logits, dtype=tf.float32)
        with tf.GradientTape() as tape:
            loss = everything.compute_loss(make_batch(responses, variable, **given))
        assert (loss.numpy() == 0).all()
        assert (tf.convert_to_tensor(tape.gradient(loss, variable)).numpy() == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_of_unknown_batch_size_and_xla_agree_with_eager(responses, batch, compiled):
    eager = make_batch(responses, *batch)

    @tf.function(jit_compile=compiled)
    def loss(logits, labels):
        return everything.compute_loss(
            replace(
                eager,
                outputs=MaskedLogits.from_masked_logits(logits),
                labels=labels,
                training=False,
            )
        )

    given = eager.student_logits, dict(eager.labels)
    if not compiled:
        loss = loss.get_concrete_function(
            *tf.nest.map_structure(
                lambda one: tf.TensorSpec([None, *one.shape[1:]], one.dtype), given
            )
        )
    np.testing.assert_allclose(loss(*given), everything.compute_loss(eager), rtol=1e-4)


@pytest.mark.slow
def test_a_student_learns_which_users_an_item_suits(responses):
    random = np.random.default_rng(0)
    ids = np.stack([random.permutation(V)[:K] + 1 for _ in range(B)])
    # The teacher's probabilities are of the users too: some are surer than others.
    teacher = -np.sort(-random.normal(0, 2, (B, K)))
    logits = tf.Variable(random.normal(0, 1, (B, V + 1)), dtype=tf.float32)
    method, adam = ItemSideDualCorrection(), keras.optimizers.legacy.Adam(0.3)
    losses = []
    rng.set_seed(0)
    for _ in range(25):
        with tf.GradientTape() as tape:
            loss = method.compute_loss(make_batch(responses, logits, ids, ids[:, :3], teacher))
        adam.minimize(loss, [logits], tape=tape)
        losses.append(float(loss[0]))
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_underestimated": 0}, "num_underestimated must be at least 1, not 0"),
        ({"max_users": 0}, "max_users and max_items must be at least 1, not 0 and 256"),
        ({"max_items": 0}, "max_users and max_items must be at least 1, not 50 and 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ItemSideDualCorrection(**settings)


def test_the_method_survives_its_configuration():
    method = ItemSideDualCorrection(3, 4, 0.5, max_users=6, max_items=7)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(method))
    assert type(loaded) is ItemSideDualCorrection
    assert loaded.get_config() == method.get_config()
    assert (loaded.num_underestimated, loaded.max_users, loaded.max_items) == (3, 6, 7)
