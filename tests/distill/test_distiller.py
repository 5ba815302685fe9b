import numpy as np
import pytest
from scipy import special, stats

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationLoss, DistillationSetup
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent

V, L, d, K, B = 40, 6, 8, 10, 16


def student(kind=MLPStudent, seed: int = 0, **settings):
    rng.set_seed(seed)
    made = kind(
        num_items=V, max_length=L, embedding_dim=d, hidden=9, **{"item_dropout": 0.0, **settings}
    )
    made.create_weights()
    return made


@pytest.fixture(scope="module")
def batch():
    """Users, and a teacher whose mass lies on a few items that fit the history."""
    random = np.random.default_rng(0)
    history = np.stack([random.permutation(V - K)[:L] + 1 for _ in range(B)]).astype(np.int32)
    history[0] = 0
    ids = np.stack([random.permutation(K)[:K] + V - K + 1 for _ in range(B)]).astype(np.int32)
    ids[1, 5:] = 0
    logits = -np.sort(-random.normal(0, 2, (B, K)).astype(np.float32))
    return history, {
        "targets": ids[:, :2].copy(),
        "teacher_ids": ids,
        "teacher_logits": np.where(ids > 0, logits, 0),
    }


@pytest.fixture(scope="module")
def data(batch):
    """The same batch for ever."""
    return tf.data.Dataset.from_tensors(batch).repeat()


def distilled(made, data, steps=3, optimizer=None, **settings):
    """Fits a Distiller around `made`; gives it and its logs, an epoch a step."""
    distiller = Distiller(None, made, **settings)
    distiller.compile(optimizer=optimizer or keras.optimizers.Adam(0.03))
    logs = distiller.fit(data, epochs=steps, steps_per_epoch=1, verbose=0).history
    return distiller, logs


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_the_total_weights_the_student_loss_and_the_distillation_loss(data, alpha):
    _, logs = distilled(
        student(), data, distillation_losses=[SoftTargets(2.0)], weighting=ConstantWeights(alpha)
    )
    hard, soft = np.array(logs["student_loss"]), np.array(logs["distillation_loss"])
    assert (hard > 0).all()
    assert (soft > 0).all()
    np.testing.assert_allclose(logs["loss"], alpha * hard + (1 - alpha) * soft, rtol=1e-6)


def test_student_and_distillation_losses_agree_with_scipy(batch, data):
    made = student()
    history, labels = batch
    logits = made(history).numpy().astype(np.float64)
    logits[:, 0] = -np.inf
    np.put_along_axis(logits, history, -np.inf, axis=1)
    distiller = Distiller(
        None, made, distillation_losses=[SoftTargets(2.0)], weighting=ConstantWeights(0.5)
    )
    distiller.compile()
    actual = distiller.evaluate(data, steps=1, verbose=0, return_dict=True)
    likelihood = special.log_softmax(logits, axis=1)
    hard = -np.take_along_axis(likelihood, labels["targets"], axis=1).mean()
    assert actual["student_loss"] == pytest.approx(hard, rel=1e-5)
    softened = special.softmax(logits / 2, axis=1)
    divergences = []
    for row, ids in enumerate(labels["teacher_ids"]):
        ids = ids[ids > 0]
        teacher = np.zeros(V + 1)
        teacher[ids] = special.softmax(labels["teacher_logits"][row, : len(ids)] / 2)
        divergences.append(stats.entropy(teacher, softened[row]))
    assert actual["distillation_loss"] == pytest.approx(4 * np.mean(divergences), rel=1e-4)


def test_the_losses_of_several_methods_are_added(data):
    def soft(*losses):
        distiller = Distiller(
            None, student(), distillation_losses=losses, weighting=ConstantWeights(0.5)
        )
        distiller.compile()
        return distiller.evaluate(data, steps=1, verbose=0, return_dict=True)["distillation_loss"]

    one, other = SoftTargets(1.0), SoftTargets(4.0)
    assert soft(one, other) == pytest.approx(soft(one) + soft(other), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPStudent, ShallowCNNStudent])
def test_without_losses_a_student_trains_exactly_as_alone(data, kind):
    by_itself = student(kind)
    by_itself.compile(optimizer=keras.optimizers.Adam(0.03))
    by_itself.fit(data, epochs=1, steps_per_epoch=5, verbose=0)
    in_distiller = student(kind)
    before = in_distiller.table.numpy()
    distilled(in_distiller, data, steps=5, weighting=ConstantWeights(1.0))
    assert np.abs(in_distiller.table.numpy() - before).max() > 0.01
    for one, other in zip(by_itself.trainable_weights, in_distiller.trainable_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_losses_of_weight_0_change_nothing(data):
    alone, watched = student(), student()
    distilled(alone, data, steps=5)
    distilled(
        watched,
        data,
        steps=5,
        distillation_losses=[SoftTargets(2.0)],
        weighting=ConstantWeights(1.0),
    )
    np.testing.assert_allclose(alone.table, watched.table, atol=1e-5)


@pytest.mark.slow
def test_at_student_loss_weight_0_the_targets_do_not_matter(batch):
    history, labels = batch
    learned = []
    for targets in (labels["targets"], labels["targets"][:, ::-1] - 5):
        made = student()
        changed = (history, {**labels, "targets": targets})
        distilled(
            made,
            tf.data.Dataset.from_tensors(changed).repeat(),
            distillation_losses=[SoftTargets(1.0)],
            weighting=ConstantWeights(0.0),
        )
        learned.append(made.table.numpy())
    np.testing.assert_allclose(learned[0], learned[1], atol=1e-6)


def test_a_weight_without_a_loss_is_refused(data):
    with pytest.raises(ValueError, match="there is no distillation loss"):
        distilled(student(), data, weighting=ConstantWeights(0.9))


def test_testing_learns_nothing_and_gives_the_same_figures_every_time(data):
    made = student(item_dropout=0.5)
    distiller = Distiller(
        None, made, distillation_losses=[SoftTargets(2.0)], weighting=ConstantWeights(0.5)
    )
    distiller.compile(optimizer=keras.optimizers.Adam(0.1))
    before = [weight.numpy() for weight in made.trainable_weights]
    one = distiller.evaluate(data, steps=2, verbose=0, return_dict=True)
    assert distiller.evaluate(data, steps=2, verbose=0, return_dict=True) == one
    for weight, was in zip(made.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_dropout_is_on_in_training(data):
    _, logs = distilled(
        student(item_dropout=0.5), data, steps=3, optimizer=keras.optimizers.SGD(0.0)
    )
    assert len(set(logs["loss"])) == 3


class Projected(DistillationLoss):
    """Has a layer of its own, and looks at the teacher in every step."""

    def build(self, setup):
        self.setup = setup
        self.scale = keras.layers.Dense(1, use_bias=False)
        self.scale.build([None, V + 1])

    def compute_loss(self, batch):
        expected = self.setup.teacher(batch.history)[:, 5]
        return tf.square(self.scale(tf.nn.softmax(batch.student_logits))[:, 0] - expected)


def make_setup(made, teacher, steps=10):
    return DistillationSetup(
        student=made,
        teachers=[teacher],
        popularity=np.ones(V + 1, np.int64),
        num_steps=steps,
        seed=0,
    )


@pytest.mark.slow
def test_what_a_method_has_of_its_own_learns_with_the_student_and_the_teacher_never(batch, data):
    made, teacher, known = student(), student(seed=1), Projected()
    before = [weight.numpy() for weight in teacher.weights]
    table = made.table.numpy()
    distiller = Distiller(None, made, [known], weighting=ConstantWeights(0.0))
    distiller.build_losses(make_setup(made, teacher))
    kernel = known.scale.kernel.numpy()
    distiller.compile(optimizer=keras.optimizers.Adam(0.03))
    distiller.fit(data, epochs=2, steps_per_epoch=1, verbose=0)
    assert np.abs(known.scale.kernel.numpy() - kernel).max() > 0
    assert np.abs(made.table.numpy() - table).max() > 0
    for weight, was in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_a_teacher_of_another_catalog_is_refused():
    other = MLPStudent(num_items=V + 1, max_length=L, embedding_dim=d)
    with pytest.raises(ValueError, match="the same catalog"):
        Distiller(None, student()).build_losses(make_setup(student(), other))


def test_losses_get_the_progress_of_the_training(data):
    class Watchful(DistillationLoss):
        def compute_loss(self, batch):
            return tf.fill([B], batch.progress)

    made = student()
    distiller = Distiller(None, made, [Watchful()], weighting=ConstantWeights(0.5))
    distiller.build_losses(make_setup(made, student(seed=1), steps=4))
    distiller.compile(optimizer=keras.optimizers.SGD(0.0))
    logs = distiller.fit(data, epochs=6, steps_per_epoch=1, verbose=0).history
    assert logs["distillation_loss"] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_methods_see_what_the_layers_that_they_watch_gave(batch, data):
    class Seeing(DistillationLoss):
        student_layers = ("hidden",)

        def compute_loss(self, batch):
            return tf.reduce_sum(batch.layer_outputs["hidden"], axis=1)

    made = student()
    core = keras.Model(made.core.inputs, made.core.get_layer("hidden").output)
    expected_scores = core(made.user_embeddings(batch[0])).numpy()
    distiller = Distiller(None, made, [Seeing()], weighting=ConstantWeights(0.5))
    distiller.compile()
    actual = distiller.evaluate(data, steps=1, verbose=0, return_dict=True)["distillation_loss"]
    pooled = made(batch[0])  # the layers work as before afterwards
    assert "call" not in vars(made.core.get_layer("hidden"))
    assert np.isfinite(pooled).all()
    assert expected_scores.shape == (B, 9)
    assert actual > 0


def test_a_layer_that_is_not_there_is_refused_with_the_nearest_names(data):
    class Mistaken(DistillationLoss):
        student_layers = ("hiden",)

        def compute_loss(self, batch):
            return batch.student_logits[:, 0]

    distiller = Distiller(None, student(), [Mistaken()], weighting=ConstantWeights(0.5))
    distiller.compile()
    with pytest.raises(ValueError, match=r"no layer 'hiden'\. Did you mean hidden"):
        distiller.evaluate(data, steps=1, verbose=0)


def test_the_student_comes_close_to_the_teacher(batch, data):
    made = student()
    _, logs = distilled(
        made,
        data,
        steps=120,
        distillation_losses=[SoftTargets(1.0)],
        weighting=ConstantWeights(0.0),
    )
    assert logs["distillation_loss"][-1] < 0.05 * logs["distillation_loss"][0]
    history, labels = batch
    scores = made(history).numpy()
    scores[:, 0] = -np.inf
    np.put_along_axis(scores, history, -np.inf, axis=1)
    clear = labels["teacher_logits"][:, 0] - labels["teacher_logits"][:, 1] > 0.5
    assert clear.sum() > 3
    assert (scores.argmax(axis=1) == labels["teacher_ids"][:, 0])[clear].all()


def test_calling_a_distiller_is_calling_its_student(batch):
    made = student()
    np.testing.assert_array_equal(Distiller(None, made)(batch[0]), made(batch[0]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPStudent, ShallowCNNStudent])
@pytest.mark.filterwarnings("error")
def test_a_distiller_comes_back_from_a_keras_file(kind, batch, data, tmp_path):
    made = student(kind)
    distiller, _ = distilled(
        made, data, distillation_losses=[SoftTargets(2.5)], weighting=ConstantWeights(0.25)
    )
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert type(loaded) is Distiller
    assert type(loaded.student) is kind
    assert loaded.weighting.student_loss_weight == 0.25
    assert [known.temperature for known in loaded.distillation_losses] == [2.5]
    np.testing.assert_array_equal(loaded(batch[0]), distiller(batch[0]))
    for one, other in zip(loaded.student.trainable_weights, made.trainable_weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_loaded_distiller_goes_on_learning(data, tmp_path):
    distiller, logs = distilled(student(), data, steps=20)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    loaded.compile(optimizer=keras.optimizers.Adam(0.03))
    more = loaded.fit(data, epochs=20, steps_per_epoch=1, verbose=0).history["loss"]
    assert more[0] < logs["loss"][-1] + 0.1 < logs["loss"][0]
    assert more[-1] < more[0]


def test_the_configuration_makes_the_same_distiller():
    distiller = Distiller(
        None,
        student(),
        distillation_losses=[SoftTargets(2.0), SoftTargets(3.0)],
        weighting=ConstantWeights(0.1),
        name="both",
    )
    config = distiller.get_config()
    assert Distiller.from_config(config).get_config() == config
    assert config["name"] == "both"
