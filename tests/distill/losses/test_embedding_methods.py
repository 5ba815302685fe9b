"""Properties of every loss that compares embeddings or items."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.feature.adversarial import AdversarialDistillation
from kd_tf.distill.losses.feature.attention_transfer import AttentionTransfer
from kd_tf.distill.losses.feature.distillation_experts import DistillationExperts
from kd_tf.distill.losses.feature.hierarchical_hints import HierarchicalHints
from kd_tf.distill.losses.feature.hint import Hint
from kd_tf.distill.losses.parameter.hard_parameter import HardParameter
from kd_tf.distill.losses.parameter.shared_table import SharedTable
from kd_tf.distill.losses.parameter.soft_parameter import SoftParameter
from kd_tf.distill.losses.relation.full_topology import FullTopology
from kd_tf.distill.losses.relation.hierarchical_topology import HierarchicalTopology
from kd_tf.distill.losses.relation.item_side_ranking import ItemSideRanking
from kd_tf.distill.losses.relation.item_similarity import ItemSimilarity
from kd_tf.distill.losses.relation.relational_angles import RelationalAngles
from kd_tf.distill.losses.relation.relational_distances import RelationalDistances
from kd_tf.distill.losses.response.mutual import MutualLearning
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.multi_interest import MultiInterestStudent

METHODS = {
    "hint": lambda: Hint(),
    "hint-layer": lambda: Hint("hidden"),
    "hierarchical-hints": lambda: HierarchicalHints("hidden"),
    "experts": lambda: DistillationExperts(3),
    "full-topology": lambda: FullTopology(),
    "full-topology-few": lambda: FullTopology(max_items=4),
    "hierarchical-topology": lambda: HierarchicalTopology(3),
    "hierarchical-topology-prototypes": lambda: HierarchicalTopology(
        3, compare_prototypes_with="prototypes"
    ),
    "distances-users": lambda: RelationalDistances(),
    "distances-items": lambda: RelationalDistances("items"),
    "angles-users": lambda: RelationalAngles(max_entities=4),
    "angles-items": lambda: RelationalAngles("items", max_entities=7),
    "attention": lambda: AttentionTransfer(),
    "soft-parameter": lambda: SoftParameter(8),
    "soft-parameter-few": lambda: SoftParameter(8, num_samples=24),
    "hard-parameter": lambda: HardParameter(),
    "item-similarity": lambda: ItemSimilarity(5),
    "item-side-ranking": lambda: ItemSideRanking(4, 10, 6),
    "adversarial": lambda: AdversarialDistillation(5),
    "mutual": lambda: MutualLearning(),
    "shared-table": lambda: SharedTable(6, 5),
}

methods = pytest.mark.parametrize("name", METHODS)


def loss_of(distiller, batch: dict):
    """The loss of a batch through the Distiller's own way, without its optimizer."""
    return distiller._compute_losses(batch["history"], batch["labels"], batch["training"])["loss"]


@pytest.fixture(scope="module", params=METHODS)
def case(vector_models, request):
    """A Distiller with the method between a small student and a larger teacher, and a batch."""
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    distiller = Distiller(None, student, [METHODS[request.param]()], weighting=ConstantWeights(0.0))
    distiller.build_losses(vector_models.make_setup(student, teacher, steps=15))
    distiller.compile(optimizer=keras.optimizers.legacy.Adam(0.08))
    history, labels = vector_models.make_arrays(teacher)
    batch = {
        "history": tf.constant(history),
        "labels": {key: tf.constant(one) for key, one in labels.items()},
        "training": False,
    }
    return SimpleNamespace(
        name=request.param, distiller=distiller, student=student, teacher=teacher, batch=batch
    )


@pytest.fixture
def made(case):
    """The same, with the weights that it began with afterwards."""
    distiller = case.distiller
    before = [weight.numpy() for weight in distiller.trainable_variables]
    yield case
    for weight, was in zip(distiller.trainable_variables, before, strict=True):
        weight.assign(was)


@pytest.mark.slow
def test_the_gradient_is_the_slope(made):
    distiller, student, batch = made.distiller, made.student, made.batch
    if made.name in ("adversarial", "mutual", "shared-table"):
        pytest.skip("its gradient is reversed or stopped on purpose: see its own file")
    if made.name == "hard-parameter":
        student.table.assign_add(0.1 * tf.random.normal(student.table.shape, seed=3))
    # Without the user of nothing: a zero vector has no direction, and any other has one.
    batch = {
        **batch,
        "history": batch["history"][1:],
        "labels": {key: one[1:] for key, one in batch["labels"].items()},
    }
    weights = distiller.trainable_variables
    with tf.GradientTape() as tape:
        loss = loss_of(distiller, batch)
    gradients = [
        tf.zeros_like(weight) if one is None else tf.convert_to_tensor(one)
        for weight, one in zip(weights, tape.gradient(loss, weights), strict=True)
    ]
    assert all(np.isfinite(one).all() for one in gradients)
    # Along the gradient itself, where the slope is largest and rounding matters least.
    length = float(tf.linalg.global_norm(gradients))
    assert length > 1e-4

    def at(distance: float) -> float:
        for weight, one in zip(weights, gradients, strict=True):
            weight.assign_add(distance * one / length)
        actual = float(loss_of(distiller, batch))
        for weight, one in zip(weights, gradients, strict=True):
            weight.assign_sub(distance * one / length)
        return actual

    step_size = 3e-3
    slope = (at(step_size) - at(-step_size)) / (2 * step_size)
    assert slope == pytest.approx(length, rel=0.03)


@pytest.mark.slow
def test_training_brings_the_student_nearer_and_leaves_the_teacher_alone(made):
    distiller, student, teacher, batch = made.distiller, made.student, made.teacher, made.batch
    if made.name == "hard-parameter":
        student.table.assign_add(0.5 * tf.random.normal(student.table.shape, seed=3))
    before = [weight.numpy() for weight in teacher.weights]
    start = float(loss_of(distiller, batch))
    rng.set_seed(0)
    for _ in range(30):
        logs = distiller.train_step((batch["history"], batch["labels"]))
    assert np.isfinite(logs["loss"])
    for weight, was in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight, was)
    if made.name != "adversarial":  # two players: its own file says what it brings nearer
        assert float(loss_of(distiller, batch)) < 0.8 * start


def test_outside_training_the_loss_is_the_same_every_time(made):
    distiller, batch = made.distiller, made.batch
    first = float(loss_of(distiller, batch))
    assert float(loss_of(distiller, batch)) == first


@pytest.mark.slow
def test_a_batch_of_users_and_items_that_are_not_there_is_finite(made):
    distiller, batch = made.distiller, made.batch
    labels = {key: tf.zeros_like(one) for key, one in batch["labels"].items()}
    weights = distiller.trainable_variables
    for training in (False, True):
        nothing = {"history": 0 * batch["history"], "labels": labels, "training": training}
        with tf.GradientTape() as tape:
            loss = loss_of(distiller, nothing)
        assert np.isfinite(loss)
        for one in tape.gradient(loss, weights):
            assert one is None or np.abs(tf.convert_to_tensor(one)).max() < 1e3


def test_one_user_alone_is_finite(made):
    distiller, student, batch = made.distiller, made.student, made.batch
    alone = {
        "history": batch["history"][3:4],
        "labels": {key: one[3:4] for key, one in batch["labels"].items()},
        "training": True,
    }
    with tf.GradientTape() as tape:
        loss = loss_of(distiller, alone)
    assert np.isfinite(loss)
    for one in tape.gradient(loss, student.trainable_weights):
        assert one is None or np.isfinite(tf.convert_to_tensor(one)).all()


def test_more_padding_of_targets_and_more_zero_columns_change_nothing(made):
    distiller, batch = made.distiller, made.batch
    actual = float(loss_of(distiller, batch))
    labels = dict(batch["labels"])
    labels["targets"] = tf.pad(labels["targets"], [[0, 0], [0, 2]])
    padded = float(loss_of(distiller, {**batch, "labels": labels}))
    assert padded == pytest.approx(actual, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_of_unknown_batch_size_and_xla_agree_with_eager(vector_models, compiled):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    methods = [make() for make in METHODS.values()]
    for method in methods:
        method.build(vector_models.make_setup(student, teacher))
    eager = vector_models.make_batch(student, teacher, layer_outputs={"hidden": tf.ones([6, 6])})

    @tf.function(jit_compile=compiled)
    def losses(history, labels, layer_outputs):
        batch = replace(eager, inputs=history, labels=labels, layer_outputs=layer_outputs)
        return [method.compute_loss(batch) for method in methods]

    given = eager.history, dict(eager.labels), dict(eager.layer_outputs)
    if not compiled:
        unknown = tf.nest.map_structure(
            lambda one: tf.TensorSpec([None, *one.shape[1:]], one.dtype), given
        )
        losses = losses.get_concrete_function(*unknown)
    actual = losses(*given)
    for name, method, one in zip(METHODS, methods, actual, strict=True):
        expected = method.compute_loss(eager)
        assert expected.shape == [6]
        assert expected.dtype == tf.float32
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@methods
def test_the_method_survives_its_configuration(name):
    method = METHODS[name]()
    saved = keras.saving.serialize_keras_object(method)
    loaded = keras.saving.deserialize_keras_object(saved)
    assert type(loaded) is type(method)
    assert loaded.get_config() == method.get_config()
    assert tuple(loaded.teacher_outputs) == tuple(method.teacher_outputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_distiller_with_the_method_comes_back_from_a_keras_file(made, tmp_path):
    distiller, batch = made.distiller, made.batch
    distiller(batch["history"])
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    np.testing.assert_array_equal(loaded(batch["history"]), distiller(batch["history"]))
    assert (
        loaded.distillation_losses[0].get_config() == distiller.distillation_losses[0].get_config()
    )


def vectorless(vector_models):
    model = ItemKernelStudent(num_items=30, max_length=5, embedding_dim=4)
    model.create_weights()
    return model


@pytest.mark.slow
# Sorted: workers of a parallel run must agree on the order.
@pytest.mark.parametrize(
    "name",
    sorted(
        set(METHODS)
        - {"item-similarity", "item-side-ranking", "hint-layer", "hierarchical-hints"}
        - {"mutual", "shared-table"}
    ),
)
def test_models_without_vectors_are_refused(vector_models, name):
    good, bad = vector_models.mlp(4, seed=0), vectorless(vector_models)
    for student, teacher in ((good, bad), (bad, good)):
        with pytest.raises(
            ValueError, match=r"needs (user|item) embeddings: .*ItemKernelStudent has no "
        ):
            METHODS[name]().build(vector_models.make_setup(student, teacher))


@pytest.mark.parametrize("name", ["hint", "full-topology", "distances-users", "adversarial"])
def test_several_vectors_of_a_user_are_refused(vector_models, name):
    several = MultiInterestStudent(num_items=30, max_length=5, embedding_dim=4)
    several.create_weights()
    with pytest.raises(ValueError, match="needs one embedding per user: a MultiInterestStudent"):
        METHODS[name]().build(vector_models.make_setup(several, vector_models.mlp(4, seed=0)))


@pytest.mark.parametrize("name", ["item-similarity", "item-side-ranking"])
def test_teachers_without_vectors_may_teach_what_is_similar(vector_models, name):
    teacher, student = vectorless(vector_models), vector_models.mlp(4, seed=0)
    method = METHODS[name]()
    method.build(vector_models.make_setup(student, teacher))
    actual = method.compute_loss(vector_models.make_batch(student, vector_models.mlp(4, seed=1)))
    assert (actual > 0).numpy().all()
