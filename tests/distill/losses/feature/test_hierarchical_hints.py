from dataclasses import replace

import numpy as np
import pytest

from kd_tf.backend import keras, tf
from kd_tf.compress import prune
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.feature.hierarchical_hints import HierarchicalHints
from kd_tf.distill.losses.feature.hint import Hint
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent
from kd_tf.models.students.two_tower import TwoTowerStudent


def random_layer_outputs() -> dict[str, tf.Tensor]:
    """What the layers of a student with 4 dimensions and 6 hidden numbers may be for 6 users."""
    random = np.random.default_rng(0)
    shapes = {"correction": [6, 4], "hidden": [6, 6]}
    return {
        name: tf.constant(random.normal(size=shape), tf.float32) for name, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("layers", "decay", "weights"),
    [
        ("correction,hidden", 0.5, {"correction": 2 / 3, "hidden": 1 / 3}),
        (" hidden , correction", 0.25, {"hidden": 4 / 5, "correction": 1 / 5}),
        ("hidden,correction", 3.0, {"hidden": 1 / 4, "correction": 3 / 4}),
        ("hidden", 0.5, {"hidden": 1.0}),
    ],
)
def test_the_loss_is_the_mean_of_hints_weighted_by_depth(vector_models, layers, decay, weights):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(7, seed=1)
    setup = vector_models.make_setup(student, teacher)
    method = HierarchicalHints(layers, decay)
    method.build(setup)
    batch = vector_models.make_batch(student, teacher, layer_outputs=random_layer_outputs())
    expected = 0
    for number, (layer, weight) in enumerate(weights.items()):
        hint = Hint(layer)
        hint.build(replace(setup, seed=setup.seed + number))
        expected += weight * hint.compute_loss(batch)
    np.testing.assert_allclose(method.compute_loss(batch), expected, rtol=1e-5)
    assert method.student_layers == tuple(weights)


def test_layers_that_are_linear_maps_away_can_lose_nothing(vector_models):
    student, teacher = vector_models.mlp(4, seed=0), vector_models.mlp(3, seed=1)
    method = HierarchicalHints()
    method.build(vector_models.make_setup(student, teacher))
    batch, random = vector_models.make_batch(student, teacher), np.random.default_rng(0)
    expected, hidden = np.float32(batch.labels["teacher_user_embeddings"]), {}
    for hint, name in zip(method.hints, method.student_layers, strict=True):
        away = random.normal(size=(3, random_layer_outputs()[name].shape[1]))
        hint.projector.set_weights([np.linalg.pinv(away), np.zeros(3)])
        hidden[name] = tf.constant(expected @ away, tf.float32)
    np.testing.assert_allclose(
        method.compute_loss(replace(batch, layer_outputs=hidden)), 0, atol=1e-6
    )
    for name in hidden:
        assert (
            (
                method.compute_loss(
                    replace(batch, layer_outputs={**hidden, name: random_layer_outputs()[name]})
                )
                > 0.01
            )
            .numpy()
            .all()
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPStudent, ShallowCNNStudent, TwoTowerStudent])
@pytest.mark.parametrize("pruned", [False, True])
def test_by_default_the_layers_of_the_core_learn_pruned_or_not(vector_models, kind, pruned):
    teacher = vector_models.mlp(7, seed=1)
    student = kind(num_items=30, max_length=5, embedding_dim=4, hidden=6, item_dropout=0.0)
    student.create_weights()
    distiller = Distiller(None, student, [HierarchicalHints()], weighting=ConstantWeights(0.0))
    distiller.build_losses(vector_models.make_setup(student, teacher))
    if pruned:
        prune.wrap_core(student, sparsity=0.5, begin_step=0, end_step=2)
    history, labels = vector_models.make_arrays(teacher)
    batch = tf.constant(history), {name: tf.constant(one) for name, one in labels.items()}
    with tf.GradientTape() as tape:
        loss = distiller._compute_losses(*batch, training=False)["loss"]
    learning = {
        variable.name.split("/")[-2].removeprefix("prune_low_magnitude_")
        for variable, slope in zip(
            student.core.trainable_variables,
            tape.gradient(loss, student.core.trainable_variables),
            strict=True,
        )
        if slope is not None and np.abs(slope).max() > 0
    }
    assert learning == {"hidden", "correction"}
    assert len(distiller.distillation_losses[0].trainable_variables) == 4


def test_every_projector_is_drawn_by_itself(vector_models):
    student, teacher = vector_models.mlp(6, seed=0), vector_models.mlp(7, seed=1)
    methods = [HierarchicalHints(), HierarchicalHints()]
    for method in methods:
        method.build(vector_models.make_setup(student, teacher))
    kernels = [[hint.projector.kernel.numpy() for hint in one.hints] for one in methods]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0][0] != kernels[0][1]).any()


def test_a_layer_that_is_not_there_is_refused_with_the_nearest_names(vector_models):
    student = vector_models.mlp(4, seed=0)
    with pytest.raises(ValueError, match=r"no layer 'hiden'\. Did you mean hidden"):
        HierarchicalHints("correction,hiden").build(vector_models.make_setup(student, student))


def test_a_layer_that_gives_a_vector_an_item_is_refused(vector_models):
    student = ShallowCNNStudent(num_items=30, max_length=5, embedding_dim=4)
    student.create_weights()
    with pytest.raises(ValueError, match="needs one vector per user: layer 'convolution'"):
        HierarchicalHints("hidden,convolution").build(
            vector_models.make_setup(student, vector_models.mlp(7, seed=1))
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ""}, "layers must be different names, separated by commas, not ''"),
        ({"layers": "hidden,,core"}, "separated by commas, not 'hidden,,core'"),
        ({"layers": "hidden, hidden"}, "separated by commas, not 'hidden, hidden'"),
        ({"decay": 0}, "decay must be above 0, not 0"),
        ({"decay": float("nan")}, "decay must be above 0, not nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalHints(**settings)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(HierarchicalHints("a,b", 0.7))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, HierarchicalHints)
    assert (loaded.layers, loaded.decay, loaded.student_layers) == ("a,b", 0.7, ("a", "b"))
