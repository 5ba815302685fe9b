from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.base import DistillationSetup
from kd_tf.distill.losses.response.heterogeneous_stages import (
    HeterogeneousStages,
    compute_discrepancies,
)
from kd_tf.distill.teacher_targets import compute_curriculum_targets
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.losses.softmax import MASKED_LOGIT
from kd_tf.models.base import HistoryModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.progress import NullProgress

V, S, K, B = 30, 3, 6, 5


def make_batch(responses, logits, stages, progress=0.0):
    """A batch of these logits and of these lists [B, S, K]."""
    stages = np.asarray(stages, np.int32)
    batch = responses.make_batch(logits, stages[:, -1], progress=progress)
    return replace(batch, labels={**batch.labels, "stage_ids": tf.constant(stages)})


def distances(batch):
    return compute_discrepancies(batch, batch.labels["stage_ids"])


def drawn(seed=0):
    """Logits 0.2 apart and lists, one of them short."""
    random = np.random.default_rng(seed)
    logits = np.stack([random.permutation(V + 1) for _ in range(B)]) * 0.2 - 3
    stages = np.stack([[random.permutation(V)[:K] + 1 for _ in range(S)] for _ in range(B)])
    stages[1, :, 4:] = 0
    return logits, stages


def ndcg(ranked: list[int], expected: list[int]) -> float:
    worth = {item: 2 ** np.exp(-place / 10) - 1 for place, item in enumerate(expected)}
    discount = [1 / np.log2(place + 2) for place in range(len(expected))]
    best = sum(worth[item] * one for item, one in zip(expected, discount, strict=True))
    return sum(worth.get(b, 0) * d for b, d in zip(ranked, discount, strict=False)) / best


def test_the_discrepancy_by_hand(responses):
    # The student: 3, 1, 2, 4.
    batch = make_batch(responses, [[0, 3, 2, 4, 1]], [[[3, 1], [1, 4], [4, 2]]])
    first, second = 1.0, (2 ** np.exp(-0.1) - 1) / np.log2(3)
    # Of 1, 4 the student has the 1 at rank 2.
    expected = [0, 1 - (1 / np.log2(3)) / (first + second), 1]
    np.testing.assert_allclose(distances(batch)[0], expected, atol=1e-6)


@given(st.integers(0, 999))
@settings(max_examples=20)
def test_the_discrepancy_is_one_minus_the_ndcg_of_the_students_list(responses, seed):
    logits, stages = drawn(seed)
    actual = distances(make_batch(responses, logits, stages)).numpy()
    for user, stage in np.ndindex(B, S):
        ranked = (np.argsort(-logits[user, 1:]) + 1).tolist()
        expected = stages[user, stage][stages[user, stage] > 0].tolist()
        assert actual[user, stage] == pytest.approx(1 - ndcg(ranked, expected), abs=1e-5)


def test_a_list_in_the_students_own_order_is_held_and_an_unlearned_student_holds_none(responses):
    logits, _ = drawn()
    expected_scores = np.argsort(-logits[:, 1:], axis=1)[:, :K] + 1
    batch = make_batch(responses, logits, np.repeat(expected_scores[:, None], S, axis=1))
    np.testing.assert_allclose(distances(batch), 0, atol=1e-6)
    equal = make_batch(responses, np.zeros((B, V + 1)), drawn()[1])
    np.testing.assert_array_equal(distances(equal), np.ones((B, S)))


def test_a_user_is_at_the_first_list_that_is_not_held_and_at_the_last_when_all_are(responses):
    logits = [[0, 6, 5, 4, 3, 2, 1]] * 5
    near, far = [1, 2], [5, 6]
    nothing = [0, 0]
    stages = [
        [far, near, near],
        [near, far, near],
        [near, near, far],
        [near, near, near],
        [nothing, far, near],
    ]
    batch = make_batch(responses, logits, stages)
    assert HeterogeneousStages().assign_stages(batch).numpy().tolist() == [0, 1, 2, 2, 1]


def test_the_threshold_rises_until_every_user_is_at_the_last_list(responses):
    # The student has the first two items of the easy list in front and the others far behind.
    def stage(threshold, progress):
        batch = make_batch(
            responses, [[0, 9, 8, 1, 1, 5, 4, 3, 2]], [[[1, 2, 3, 4], [5, 6, 7, 8]]], progress
        )
        return int(HeterogeneousStages(threshold).assign_stages(batch)[0])

    missing = 1 - ndcg([1, 2, 5, 6], [1, 2, 3, 4])
    assert 0.2 < missing < 0.5
    assert (stage(missing - 0.01, 0.0), stage(missing + 0.01, 0.0)) == (0, 1)
    assert (stage(0.0, missing - 0.01), stage(0.0, missing + 0.01)) == (0, 1)
    # Half of the way from 0.2 to 1.
    assert [stage(0.2, progress) for progress in (0.0, 0.5, 1.0)] == [0, 1, 1]
    assert stage(0.0, 1.0) == 1


def test_before_the_last_stage_the_loss_is_that_of_each_item_against_the_unlisted(responses):
    # Odds of the items 1..4: 1, 2, 3, 4; listed are 1 and 3, unlisted 6 in all.
    batch = make_batch(responses, [np.log([1, 1, 2, 3, 4])], [[[1, 3], [4, 2]]])
    method = HeterogeneousStages(0.1)
    assert method.assign_stages(batch).numpy() == [0]
    assert method.compute_loss(batch).numpy() == pytest.approx(
        [-(np.log(1 / 7) + np.log(3 / 9)) / 2]
    )


def test_before_the_last_stage_the_order_of_the_list_does_not_matter(responses):
    logits, stages = drawn()
    shuffled = stages.copy()
    shuffled[:, 0] = shuffled[:, 0, ::-1]
    losses = [
        HeterogeneousStages(0.0).compute_loss(make_batch(responses, logits, ids))
        for ids in (stages, shuffled)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_at_the_last_stage_it_is_the_likelihood_of_the_order_before_all_else(responses):
    # The list 2, 4 of odds 1, 6, 2, 3: 6 of 12, then 3 of 6.
    batch = make_batch(responses, [np.log([1, 1, 6, 2, 3])], [[[2, 4, 0]]])
    assert HeterogeneousStages().compute_loss(batch).numpy() == pytest.approx(
        [np.log(4) / 2], rel=1e-6
    )


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_of_a_long_list_the_beginning_is_taken(responses, progress):
    logits, stages = drawn()
    losses = [
        HeterogeneousStages(0.3, list_length=3).compute_loss(
            make_batch(responses, logits, ids, progress)
        )
        for ids in (stages, stages[:, :, :3], stages[:, :, ::-1])
    ]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert np.abs(losses[0] - losses[2]).max() > 0.1


def test_the_loss_of_an_order_is_least_in_that_order_and_grows_with_every_swap(responses):
    stages, actual = [[np.arange(1, K + 1)]], []
    for swap in (None, (2, 3), (0, 5), (0, 20)):
        logits = -0.5 * np.arange(V + 1.0)
        if swap:
            logits[[1 + swap[0], 1 + swap[1]]] = logits[[1 + swap[1], 1 + swap[0]]]
        actual.append(
            float(HeterogeneousStages().compute_loss(make_batch(responses, [logits], stages))[0])
        )
    assert actual == sorted(actual)
    assert actual[1] > actual[0] + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("progress", [0.0, 1.0], ids=["first", "last"])
def test_the_gradient_is_the_slope(responses, progress):
    logits, stages = drawn()
    method = HeterogeneousStages(0.1)
    error = responses.gradient_error(
        method, lambda at: make_batch(responses, at, stages, progress), logits
    )
    assert error < 5e-3


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_user_without_listed_items_has_zero_loss_and_gradient(responses, progress):
    logits, stages = drawn()
    stages[2] = 0
    student = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = HeterogeneousStages().compute_loss(make_batch(responses, student, stages, progress))
    gradient = tf.convert_to_tensor(tape.gradient(loss, student)).numpy()
    assert loss[2] == 0
    assert not gradient[2].any()
    assert (loss.numpy()[[0, 1, 3, 4]] > 0).all()
    assert np.isfinite(gradient).all()
    assert gradient[[0, 1, 3, 4]].any(axis=1).all()


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_padding_and_the_order_of_users_change_nothing(responses, progress):
    logits, stages = drawn()
    method = HeterogeneousStages()
    actual = method.compute_loss(make_batch(responses, logits, stages, progress)).numpy()
    wide = np.pad(stages, [(0, 0), (0, 0), (0, 4)])
    padded = method.compute_loss(make_batch(responses, logits, wide, progress))
    np.testing.assert_allclose(padded, actual, rtol=1e-5)
    back = method.compute_loss(make_batch(responses, logits[::-1].copy(), stages[::-1], progress))
    np.testing.assert_allclose(back, actual[::-1], rtol=1e-6)


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_list_of_the_whole_catalog_and_scores_far_apart_are_finite(responses, progress):
    stages = np.stack([[np.arange(1, V + 1), np.arange(V, 0, -1)]] * 2)
    logits = np.stack([np.linspace(-500, 500, V + 1), np.zeros(V + 1)])
    student = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = HeterogeneousStages().compute_loss(make_batch(responses, student, stages, progress))
    assert np.isfinite(loss).all()
    assert np.isfinite(tf.convert_to_tensor(tape.gradient(loss, student))).all()


@keras.saving.register_keras_serializable(package="test_heterogeneous_stages")
class Blurred(HistoryModel):
    """A teacher whose order is that of the items' numbers, from an item on as blurred as told."""

    def __init__(self, blur: float, seed: int) -> None:
        super().__init__(num_items=V, max_length=4)
        self.says = self.add_weight(name="says", shape=(V + 1, V + 1), trainable=False)
        random = np.random.default_rng(seed)
        close = -0.5 * np.abs(np.arange(V + 1)[:, None] - np.arange(V + 1))
        self.says.assign(close + blur * random.normal(0, 1, (V + 1, V + 1)))

    def call(self, inputs, training=False):
        return tf.reduce_sum(tf.gather(self.says, inputs), axis=1)


@pytest.fixture
def examples():
    random = np.random.default_rng(0)
    history = np.stack([random.permutation(V)[:4] + 1 for _ in range(40)]).astype(np.int32)
    return Examples(history[None], np.zeros((1, 40, 2), np.int32))


@pytest.mark.slow
def test_a_student_goes_through_the_stages_and_learns_the_last(responses, examples, tmp_path):
    stages = [Blurred(0.0, 0), Blurred(0.5, 1), Blurred(1.0, 2)]
    labels = compute_curriculum_targets(
        stages, examples, top_k=K, folder=tmp_path / "stages", progress=NullProgress()
    )
    rng.set_seed(0)
    student = MLPStudent(num_items=V, max_length=4, embedding_dim=12, hidden=24, item_dropout=0.0)
    student.create_weights()
    method, steps = HeterogeneousStages(0.3), 125
    distiller = Distiller(None, student, [method], weighting=ConstantWeights(0.0))
    distiller.build_losses(
        DistillationSetup(student, stages, np.ones(V + 1, np.int64), steps, seed=0)
    )
    distiller.compile(optimizer=keras.optimizers.Adam(0.02))
    batches = Batches(
        examples.history, {"targets": examples.targets, **labels}, batch_size=20, seed=0
    )

    def now(progress):
        logits = student(examples.history[0]).numpy()
        np.put_along_axis(logits, examples.history[0], MASKED_LOGIT, axis=1)
        batch = make_batch(responses, logits, labels["stage_ids"][0], progress)
        return method.assign_stages(batch).numpy().mean(), distances(batch).numpy().mean(axis=0)

    stage_before, far_before = now(0.0)
    stream = batches.stream()
    losses = distiller.fit(stream, steps_per_epoch=5, epochs=10, verbose=0).history[
        "distillation_loss"
    ]
    stage_between, _ = now(0.4)
    distiller.fit(stream, steps_per_epoch=steps - 50, verbose=0)
    stage_after, far_after = now(1.0)
    assert losses[-1] < 0.7 * losses[0]
    assert 0 == stage_before < stage_between < stage_after == 2
    assert far_before[-1] > 0.6
    assert far_after[-1] < 0.35


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": -0.1}, "threshold must be from 0 to 1, not -0.1"),
        ({"threshold": 1.5}, "threshold must be from 0 to 1, not 1.5"),
        ({"threshold": float("nan")}, "threshold must be from 0 to 1, not nan"),
        ({"list_length": 0}, "list_length must be at least 1, not 0"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        HeterogeneousStages(**given)


def test_the_method_survives_its_configuration():
    saved = keras.saving.serialize_keras_object(HeterogeneousStages(0.25, 7, name="mine"))
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, HeterogeneousStages)
    assert (loaded.threshold, loaded.list_length, loaded.name) == (0.25, 7, "mine")
