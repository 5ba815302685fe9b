import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.compress import prune
from kd_tf.distill.distiller import Distiller
from kd_tf.models.base import HistoryModel
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.students.shallow_cnn import ShallowCNNStudent
from kd_tf.training import checkpoint

V, L, d, B = 40, 6, 7, 16
BEGIN, END = 4, 12


def student(kind=MLPStudent):
    rng.set_seed(0)
    made = kind(num_items=V, max_length=L, embedding_dim=d, hidden=11, item_dropout=0.0)
    made.create_weights()
    return made


@pytest.fixture(scope="module")
def history() -> np.ndarray:
    return np.random.default_rng(0).integers(1, V + 1, (B, L)).astype(np.int32)


@pytest.fixture(scope="module")
def data(history):
    targets = np.random.default_rng(1).integers(1, V + 1, (B, 3)).astype(np.int32)
    return tf.data.Dataset.from_tensors((history, {"targets": targets})).repeat()


def distiller(made) -> Distiller:
    around = Distiller(None, made)
    around.compile(optimizer=keras.optimizers.Adam(0.01))
    return around


def fit(around: Distiller, data, steps: int) -> None:
    around.fit(data, steps_per_epoch=steps, verbose=0, callbacks=prune.make_callbacks())


def kernels(made) -> list[np.ndarray]:
    return [weight for weight in made.core.get_weights() if weight.ndim == 2]


def shapes(made) -> list[tuple[int, ...]]:
    return sorted(tuple(weight.shape) for weight in made.trainable_weights)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPStudent, ShallowCNNStudent])
@pytest.mark.parametrize("sparsity", [0.3, 0.75])
def test_each_kernel_ends_with_the_given_share_of_zeros_and_nothing_else_does(kind, sparsity, data):
    made = student(kind)
    prune.wrap_core(made, sparsity=sparsity, begin_step=BEGIN, end_step=END)
    fit(distiller(made), data, END + 4)
    prune.strip_core(made)
    assert len(kernels(made)) == 2
    for kernel in kernels(made):
        assert abs((kernel == 0).sum() - sparsity * kernel.size) <= 1
    size = sum(kernel.size for kernel in kernels(made))
    assert prune.compute_core_sparsity(made) == pytest.approx(sparsity, abs=2 / size)
    assert (made.table.numpy() != 0).all()


@pytest.mark.slow
def test_nothing_is_pruned_before_the_first_step_and_more_and_more_after_it(data):
    made = student()
    prune.wrap_core(made, sparsity=0.8, begin_step=BEGIN, end_step=END)
    around = distiller(made)
    fit(around, data, BEGIN)
    shares = [prune.compute_core_sparsity(made)]
    for _ in range(3):
        fit(around, data, 4)
        shares.append(prune.compute_core_sparsity(made))
    assert shares[0] == 0
    assert 0 < shares[1] < shares[2]
    assert shares[2] == pytest.approx(0.8, abs=0.02)
    assert shares[3] == shares[2]


@pytest.mark.slow
def test_the_smallest_weights_are_those_that_go(data):
    made = student()
    around = Distiller(None, made)
    around.compile(optimizer=keras.optimizers.SGD(0.0))  # the weights stay where they are
    before = kernels(made)
    prune.wrap_core(made, sparsity=0.5, begin_step=0, end_step=2)
    fit(around, data, 6)
    prune.strip_core(made)
    for was, now in zip(before, kernels(made), strict=True):
        gone = now == 0
        assert gone.any()
        assert np.abs(was[gone]).max() <= np.abs(was[~gone]).min()
        np.testing.assert_array_equal(now[~gone], was[~gone])


@pytest.mark.slow
def test_wrapping_and_stripping_change_no_score(history, data):
    made = student()
    before = made(history).numpy()
    prune.wrap_core(made, sparsity=0.5, begin_step=0, end_step=2)
    np.testing.assert_array_equal(made(history), before)
    fit(distiller(made), data, 6)
    pruned, zeros = made(history).numpy(), prune.compute_core_sparsity(made)
    assert np.abs(pruned - before).max() > 0
    prune.strip_core(made)
    np.testing.assert_array_equal(made(history), pruned)
    assert prune.compute_core_sparsity(made) == zeros > 0.4


@pytest.mark.slow
def test_a_stripped_student_is_saved_and_loaded_like_any_other(history, data, tmp_path):
    made = student()
    prune.wrap_core(made, sparsity=0.5, begin_step=0, end_step=2)
    fit(distiller(made), data, 6)
    prune.strip_core(made)
    checkpoint.save(made, tmp_path / "student")
    loaded = checkpoint.load(tmp_path / "student")
    np.testing.assert_array_equal(loaded(history), made(history))
    assert prune.compute_core_sparsity(loaded) == prune.compute_core_sparsity(made)
    assert shapes(made) == shapes(student())


@pytest.mark.slow
def test_a_stripped_student_can_be_wrapped_again(data):
    made = student()
    for sparsity in (0.3, 0.6):
        prune.wrap_core(made, sparsity=sparsity, begin_step=0, end_step=2)
        fit(distiller(made), data, 6)
        prune.strip_core(made)
        assert prune.compute_core_sparsity(made) == pytest.approx(sparsity, abs=0.02)


@pytest.mark.slow
def test_training_without_the_callback_is_refused(data):
    made = student()
    prune.wrap_core(made, sparsity=0.5, begin_step=0, end_step=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="UpdatePruningStep"):
        distiller(made).fit(data, steps_per_epoch=2, verbose=0)


def test_a_student_that_is_not_wrapped_cannot_be_stripped():
    made = student()
    with pytest.raises(ValueError, match="not wrapped"):
        prune.strip_core(made)
    prune.wrap_core(made, sparsity=0.5, begin_step=0, end_step=2)
    prune.strip_core(made)
    with pytest.raises(ValueError, match="not wrapped"):
        prune.strip_core(made)


@pytest.mark.parametrize("sparsity", [0.0, 1.0, -0.2, 1.2])
def test_a_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(ValueError, match=f"sparsity must be .* not {sparsity}"):
        prune.wrap_core(student(), sparsity=sparsity, begin_step=0, end_step=2)


@pytest.mark.parametrize(("begin", "end"), [(-1, 2), (2, 2), (3, 2)])
def test_steps_that_do_not_follow_each_other_are_refused(begin, end):
    with pytest.raises(ValueError, match=f"not {begin} and {end}"):
        prune.wrap_core(student(), sparsity=0.5, begin_step=begin, end_step=end)


def test_a_student_without_a_core_is_refused():
    class Coreless(HistoryModel):
        pass

    coreless = Coreless(num_items=V, max_length=L)
    for act in (
        lambda: prune.wrap_core(coreless, sparsity=0.5, begin_step=0, end_step=2),
        lambda: prune.strip_core(coreless),
        lambda: prune.compute_core_sparsity(coreless),
    ):
        with pytest.raises(ValueError, match="Coreless: it has no `core`"):
            act()


def test_sparsity_counts_the_zeros_of_the_kernels_and_not_of_the_biases():
    made = student()
    assert prune.compute_core_sparsity(made) == 0  # although all biases begin at 0
    kernel = made.core.layers[0].kernel
    kernel.assign(tf.zeros_like(kernel))
    assert prune.compute_core_sparsity(made) == pytest.approx(0.5)
