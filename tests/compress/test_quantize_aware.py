import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.compress import prune, quantize_aware
from kd_tf.compress.storage import compute_quantized_size, snap_to_quantization_grid
from kd_tf.data.histories import from_lists
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.layers import fake_quantize
from kd_tf.models.base import HistoryModel
from kd_tf.models.batch_scoring import make_score_fn
from kd_tf.models.students import TRAINED_STUDENTS
from kd_tf.models.students.item_kernel import ItemKernelStudent
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.training import checkpoint

V, L, d, B = 40, 6, 8, 16

students = pytest.mark.parametrize("name", TRAINED_STUDENTS)


def student(name: str = "mlp") -> HistoryModel:
    rng.set_seed(0)
    made = TRAINED_STUDENTS[name](num_items=V, max_length=L, embedding_dim=d)
    if hasattr(made, "item_dropout"):
        made = type(made).from_config({**made.get_config(), "item_dropout": 0.0})
    made.create_weights()
    return made


def tables(made: HistoryModel) -> list[tf.Variable]:
    """What learns, whether it is seen rounded or not."""
    actual = [getattr(made, name) for name in made.quantized_weights]
    return [getattr(table, "variable", table) for table in actual]


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    items = np.stack([random.permutation(V) + 1 for _ in range(B)]).astype(np.int32)
    ids = items[:, L : L + 5]
    logits = -np.sort(-random.normal(0, 2, ids.shape).astype(np.float32))
    return items[:, :L], {"targets": ids[:, :2], "teacher_ids": ids, "teacher_logits": logits}


def distiller_of(made: HistoryModel, learning_rate: float = 0.03) -> Distiller:
    distiller = Distiller(None, made, [SoftTargets()], weighting=ConstantWeights(0.5))
    distiller.compile(optimizer=keras.optimizers.Adam(learning_rate))
    return distiller


def gradients(made: HistoryModel, batch) -> list[np.ndarray]:
    distiller = distiller_of(made)
    with tf.GradientTape() as tape:
        loss = distiller._compute_losses(*batch, training=True)["loss"]
    actual = tape.gradient(loss, made.trainable_variables)
    return [tf.convert_to_tensor(one).numpy() for one in actual]


@pytest.mark.slow
@students
def test_a_student_scores_as_with_the_tables_of_a_file_by_every_method(name, batch):
    made, plain = student(name), student(name)
    for table in tables(plain):
        table.assign(fake_quantize.fake_quantize(table.numpy()))
    before = made(batch[0]).numpy()
    quantize_aware.wrap_tables_in_fake_quantization(made)
    expected = plain(batch[0]).numpy()
    assert np.abs(expected - before).max() > 1e-4
    np.testing.assert_array_equal(made(batch[0]), expected)
    np.testing.assert_array_equal(tf.function(made)(batch[0]), tf.function(plain)(batch[0]))
    some = tf.constant([1, 2])
    np.testing.assert_array_equal(made.similar(some), plain.similar(some))
    histories = from_lists(list(batch[0]))
    np.testing.assert_allclose(
        make_score_fn(made)(histories), make_score_fn(plain)(histories), atol=1e-6
    )


@pytest.mark.slow
@students
def test_the_gradient_passes_the_rounding_as_if_it_were_not_there(name, batch):
    made, plain = student(name), student(name)
    for table in tables(plain):
        table.assign(fake_quantize.fake_quantize(table.numpy()))
    quantize_aware.wrap_tables_in_fake_quantization(made)
    actual, expected = gradients(made, batch), gradients(plain, batch)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert max(np.abs(one).max() for one in actual) > 1e-3


@pytest.mark.slow
@students
def test_after_the_training_the_scores_are_those_of_the_training(name, batch):
    made = student(name)
    names = [weight.name for weight in made.trainable_variables]
    quantize_aware.wrap_tables_in_fake_quantization(made)
    assert [weight.name for weight in made.trainable_variables] == names
    before = [table.numpy() for table in tables(made)]
    distiller = distiller_of(made)
    for _ in range(4):
        logs = distiller.train_step(batch)
    first = float(logs["loss"])
    assert np.isfinite(first)
    for table, was in zip(tables(made), before, strict=True):
        assert np.abs(table.numpy() - was).max() > 0.01
        # What learns is not rounded itself.
        assert np.abs(table.numpy() - fake_quantize.fake_quantize(table.numpy())).max() > 1e-4
    if hasattr(made, "prior"):
        # A file rounds that too, on its own.
        made.prior.assign(made.pack().prior.numpy())
    learned, weights = made(batch[0]).numpy(), made.get_weights()
    quantize_aware.strip_fake_quantization(made)
    assert not quantize_aware.is_fake_quantized(made)
    np.testing.assert_array_equal(made(batch[0]), learned)
    np.testing.assert_allclose(snap_to_quantization_grid(made)(batch[0]), learned, atol=1e-5)
    for table in tables(made):
        assert isinstance(table, tf.Variable)
        assert len(np.unique(table.numpy())) <= 255
        np.testing.assert_allclose(fake_quantize.fake_quantize(table.numpy()), table, atol=1e-6)
    assert len(made.get_weights()) == len(weights)
    assert compute_quantized_size(made) == compute_quantized_size(student(name))


@pytest.mark.slow
def test_steps_too_small_to_be_seen_add_up(batch):
    # A hundredth of a step of the grid at a time.
    made = student()
    quantize_aware.wrap_tables_in_fake_quantization(made)
    table = tables(made)[0]
    grid = float(np.abs(table.numpy()).max() / 127)
    before = made(batch[0]).numpy()
    distiller = distiller_of(made, grid / 100)
    data = tf.data.Dataset.from_tensors(batch).repeat()
    distiller.fit(data, steps_per_epoch=80, verbose=0)
    moved = np.abs(made(batch[0]).numpy() - before).max()
    quantize_aware.strip_fake_quantization(made)
    assert moved > 0.01


@pytest.mark.slow
def test_a_table_may_be_rounded_while_the_core_is_pruned(batch):
    made = student()
    quantize_aware.wrap_tables_in_fake_quantization(made)
    prune.wrap_core(made, sparsity=0.6, begin_step=1, end_step=8)
    data = tf.data.Dataset.from_tensors(batch).repeat()
    distiller = distiller_of(made)
    logs = distiller.fit(
        data, epochs=12, steps_per_epoch=1, verbose=0, callbacks=prune.make_callbacks()
    ).history["loss"]
    assert logs[-1] < logs[0]
    learned = made(batch[0]).numpy()
    prune.strip_core(made)
    quantize_aware.strip_fake_quantization(made)
    assert prune.compute_core_sparsity(made) == pytest.approx(0.6, abs=0.02)
    np.testing.assert_array_equal(made(batch[0]), learned)
    np.testing.assert_array_equal(snap_to_quantization_grid(made)(batch[0]), learned)
    assert len(np.unique(made.table.numpy())) <= 255


@pytest.mark.slow
def test_the_unrounded_weights_are_what_is_kept_and_put_back(batch, tmp_path):
    made, other = student(), student("mlp")
    plain = made.get_weights()
    quantize_aware.wrap_tables_in_fake_quantization(made)
    for one, was in zip(made.get_weights(), plain, strict=True):
        np.testing.assert_array_equal(one, was)
    checkpoint.save(made, tmp_path / "student")
    loaded = checkpoint.load(tmp_path / "student")
    np.testing.assert_array_equal(loaded(batch[0]), other(batch[0]))
    made.set_weights([2 * weight for weight in plain])
    np.testing.assert_array_equal(tables(made)[0], 2 * tables(other)[0].numpy())


def test_a_table_of_nothing_stays_one(batch):
    made = student()
    made.table.assign(tf.zeros_like(made.table))
    quantize_aware.wrap_tables_in_fake_quantization(made)
    assert (made(batch[0]).numpy() == 0).all()


def test_what_has_no_plain_tables_is_refused():
    with pytest.raises(ValueError, match="a HistoryModel has no embedding table to quantize"):
        quantize_aware.wrap_tables_in_fake_quantization(HistoryModel(num_items=V, max_length=L))
    kernel = ItemKernelStudent(num_items=V, max_length=L, embedding_dim=d)
    with pytest.raises(ValueError, match=r"the table of a ItemKernelStudent is not a tf\.Variable"):
        quantize_aware.wrap_tables_in_fake_quantization(kernel)


def test_wrapping_twice_and_stripping_what_is_not_wrapped_are_refused():
    made = MLPStudent(num_items=V, max_length=L)
    with pytest.raises(ValueError, match="are not fake-quantized"):
        quantize_aware.strip_fake_quantization(made)
    quantize_aware.wrap_tables_in_fake_quantization(made)
    assert quantize_aware.is_fake_quantized(made)
    with pytest.raises(ValueError, match="already fake-quantized"):
        quantize_aware.wrap_tables_in_fake_quantization(made)
