from dataclasses import replace

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.distill.losses.response.mutual import MutualLearning
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.base import HistoryModel
from kd_tf.models.low_rank import LowRankModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.vae import VAETeacher
from kd_tf.models.weighted_ensemble import WeightedEnsemble

V, L, B = 20, 4, 6


class Says(HistoryModel):
    """Says the same of everybody."""

    def __init__(self, trainable: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.says = self.add_weight(
            name="says", shape=(self.num_items + 1,), initializer="zeros", trainable=trainable
        )

    def call(self, inputs, training=False):
        return tf.tile(self.says[tf.newaxis], [tf.shape(inputs)[0], 1])


def saying(odds, length: int = 1) -> Says:
    model = Says(num_items=len(odds), max_length=length)
    model.says.assign(np.log([1e-9, *odds]))
    return model


def mlp(kind=MLPStudent, seed: int = 0, **settings) -> HistoryModel:
    rng.set_seed(seed)
    made = kind(
        **{"num_items": V, "max_length": L, "embedding_dim": 6, "item_dropout": 0.0, **settings}
    )
    made.create_weights()
    return made


def make_setup(student, teacher, steps: int = 20) -> DistillationSetup:
    return DistillationSetup(
        student, [teacher], np.ones(student.num_items + 1, np.int64), steps, seed=0
    )


def make_batch(student, history, targets, *, training=True, progress=0.0) -> DistillationBatch:
    history = tf.constant(history, tf.int32)
    return DistillationBatch(
        inputs=history,
        outputs=student.masked_logits(history),
        labels={"targets": tf.constant(targets, tf.int32)},
        student=student,
        layer_outputs={},
        training=training,
        progress=tf.constant(progress, tf.float32),
    )


def prepared(student, teacher, **settings) -> MutualLearning:
    method = MutualLearning(**settings)
    method.build(make_setup(student, teacher))
    return method


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    items = np.stack([random.permutation(V) + 1 for _ in range(B)]).astype(np.int32)
    items[0, :L] = 0
    return items[:, :L], {"targets": items[:, L : L + 2]}


def distiller_of(student, teacher, optimizer, **settings) -> Distiller:
    distiller = Distiller(
        None, student, [MutualLearning(**settings)], weighting=ConstantWeights(0.0)
    )
    distiller.build_losses(make_setup(student, teacher))
    distiller.compile(optimizer=optimizer)
    return distiller


def learn(distiller, batch, steps: int) -> list[float]:
    """The losses of steps by hand: compiling them takes longer than making them."""
    losses = []
    for _ in range(steps):
        distiller.reset_metrics()
        losses.append(float(distiller.train_step(batch)["loss"]))
    return losses


def values(model) -> list[np.ndarray]:
    return [weight.numpy() for weight in model.trainable_weights]


def moved(before, model) -> bool:
    pairs = zip(before, values(model), strict=True)
    return any(not np.array_equal(one, other) for one, other in pairs)


def test_the_loss_by_hand():
    # The copy says 1/4, 1/4, 1/2, the student 1/2, 1/4, 1/4: both divergences are ln(2) / 4.
    student, teacher = saying([2, 1, 1]), saying([1, 1, 2])
    method = prepared(student, teacher, peer_weight=3.0)
    actual = method.compute_loss(make_batch(student, [[0]], [[1]])).numpy()
    assert actual == pytest.approx([(1 / 4 + 2 + 3 / 4) * np.log(2)], rel=1e-5)


def test_the_history_stays_out_of_both_distributions():
    # Without item 3 the copy says 1/2, 1/2 and the student 2/3, 1/3.
    student, teacher = saying([2, 1, 1]), saying([1, 1, 2])
    method = prepared(student, teacher)
    expected = (
        np.log(2)
        + 0.5 * np.log(0.5 / (2 / 3))
        + 0.5 * np.log(0.5 / (1 / 3))
        + 2 / 3 * np.log(2 / 3 / 0.5)
        + 1 / 3 * np.log(1 / 3 / 0.5)
    )
    actual = method.compute_loss(make_batch(student, [[3]], [[1]])).numpy()
    assert actual == pytest.approx([expected], rel=1e-5)


def test_a_student_that_equals_the_teacher_leaves_the_student_loss_of_the_copy(batch):
    history, labels = batch
    student = mlp()
    method = prepared(student, student)
    step = make_batch(student, history, labels["targets"])
    hard = student.supervised_loss(step.history, step.labels["targets"], step.masked_logits)
    np.testing.assert_allclose(method.compute_loss(step), hard, rtol=1e-5)


def test_a_constant_in_all_logits_of_either_changes_nothing():
    student, teacher = saying([2, 5, 1]), saying([1, 1, 2])
    method = prepared(student, teacher)
    before = method.compute_loss(make_batch(student, [[0]], [[1]]))
    student.says.assign_add([3.0] * 4)
    method.peer.says.assign_add([-4.0] * 4)
    after = method.compute_loss(make_batch(student, [[0]], [[1]]))
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_each_learns_from_the_other_as_if_that_were_a_constant(batch):
    history, labels = batch
    student, teacher = mlp(), mlp(seed=1)
    method = prepared(student, teacher, peer_weight=0.7)

    def step():
        # Without the user of nothing, whose hidden layer is at the kink of its activation.
        return make_batch(student, history[1:], labels["targets"][1:])

    for model, expected_scores in (
        (student, method.compute_student_loss),
        (method.peer, method.compute_peer_loss),
    ):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(method.compute_loss(step()))
        weights = model.trainable_weights
        gradients = [tf.convert_to_tensor(one) for one in tape.gradient(loss, weights)]
        length = float(tf.linalg.global_norm(gradients))
        assert length > 1e-2
        ends = []
        for sign in (1, -2):
            for weight, one in zip(weights, gradients, strict=True):
                weight.assign_add(sign * 1e-3 * one / length)
            ends.append(float(tf.reduce_sum(expected_scores(step()))))
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(length, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mlp", "vae", "blend"])
def test_a_copy_learns_with_the_student_and_the_teacher_stays_as_it_is(batch, kind):
    history, _ = batch
    if kind == "blend":
        linear = LowRankModel(num_items=V, max_length=L, embedding_dim=5)
        linear.create_weights()
        teacher = WeightedEnsemble(
            members=[mlp(seed=1), linear], weights=[1.0, 2.0], exponents=[0.0, 0.5]
        )
        teacher.create_weights()
    else:
        teacher = mlp(VAETeacher if kind == "vae" else MLPStudent, seed=1)
    student = mlp()
    before = [weight.numpy() for weight in teacher.weights]
    distiller = distiller_of(student, teacher, keras.optimizers.legacy.Adam(0.03))
    peer = distiller.distillation_losses[0].peer
    np.testing.assert_array_equal(peer(history), teacher(history))
    expected_scores, copied = values(student), values(peer)
    assert len(distiller.trainable_variables) == len(expected_scores) + len(copied)
    losses = learn(distiller, batch, 8)
    assert losses[-1] < 0.9 * losses[0]
    assert moved(expected_scores, student)
    assert moved(copied, peer)
    for weight, was in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_in_turns_only_one_of_them_learns(batch):
    student, teacher = mlp(), mlp(seed=1)
    distiller = distiller_of(student, teacher, keras.optimizers.legacy.SGD(0.1), alternate_every=2)
    peer = distiller.distillation_losses[0].peer
    learned = []
    for _ in range(6):
        before = values(student), values(peer)
        learn(distiller, batch, 1)
        learned.append((moved(before[0], student), moved(before[1], peer)))
    assert learned == [(True, False)] * 2 + [(False, True)] * 2 + [(True, False)] * 2


def test_every_make_batch_a_training_has_its_turn():
    # Progress is a share in single precision: 49 times a 49th is not always whole.
    student, teacher = saying([2, 1, 1]), saying([1, 1, 2])
    method = MutualLearning(alternate_every=1)
    method.build(make_setup(student, teacher, steps=49))
    step = make_batch(student, [[0]], [[1]])
    turns = [
        float(expected_scores(step)[0])
        for expected_scores in (method.compute_student_loss, method.compute_peer_loss)
    ]
    assert turns[1] - turns[0] > 1
    for done in range(49):
        progress = tf.constant(done, tf.float32) / 49
        actual = method.compute_loss(replace(step, progress=progress))
        assert actual.numpy() == pytest.approx([turns[done % 2]])


def test_outside_training_both_losses_are_reported_whoevers_turn_it_is(batch):
    history, labels = batch
    student, teacher = mlp(), mlp(seed=1)
    both, turns = prepared(student, teacher), prepared(student, teacher, alternate_every=1)
    step = make_batch(student, history, labels["targets"], training=False, progress=0.35)
    np.testing.assert_array_equal(turns.compute_loss(step), both.compute_loss(step))


def test_a_checkpoint_goes_on_in_the_same_turn_with_the_same_copy(batch, tmp_path):
    def fresh(seed):
        momentum = keras.optimizers.SGD(0.03, momentum=0.9)
        made = distiller_of(mlp(seed=seed), mlp(seed=seed + 1), momentum, alternate_every=2)
        made.optimizer.build(made.trainable_variables)
        return made

    first, second = fresh(0), fresh(5)
    learn(first, batch, 3)
    path = tf.train.Checkpoint(first).save(str(tmp_path / "state"))
    tf.train.Checkpoint(second).restore(path).assert_existing_objects_matched()
    for distiller in (first, second):
        learn(distiller, batch, 2)
    for one, other in zip(first.trainable_variables, second.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_student_learns_from_the_copy_without_dropout(batch):
    history, labels = batch
    student, teacher = mlp(), mlp(seed=1, item_dropout=0.5)
    method = prepared(student, teacher)
    step = make_batch(student, history, labels["targets"])
    np.testing.assert_array_equal(
        method.compute_student_loss(step), method.compute_student_loss(step)
    )
    assert (method.compute_peer_loss(step) != method.compute_peer_loss(step)).numpy().any()


def test_a_teacher_that_cannot_learn_is_refused():
    class Frozen(Says):
        def __init__(self, **kwargs) -> None:
            super().__init__(trainable=False, **kwargs)

    with pytest.raises(ValueError, match="a Frozen has no trainable weights"):
        prepared(saying([1, 2]), Frozen(num_items=2, max_length=1))


def test_a_teacher_that_sees_less_of_a_history_is_refused_and_one_that_sees_more_is_not():
    student, longer = saying([1, 2], length=3), saying([1, 2], length=4)
    with pytest.raises(ValueError, match="this Says reads 3 items, the student 4"):
        prepared(longer, student)
    prepared(student, longer)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peer_weight": -1.0}, "peer_weight must be 0 or more, not -1.0"),
        ({"peer_weight": float("nan")}, "peer_weight must be 0 or more, not nan"),
        ({"alternate_every": -1}, "alternate_every must be 0 or a number of steps, not -1"),
        ({"alternate_every": 1.5}, "alternate_every must be 0 or a number of steps, not 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MutualLearning(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(MutualLearning(0.5, alternate_every=3))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, MutualLearning)
    assert (loaded.peer_weight, loaded.alternate_every) == (0.5, 3)
