from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_tf.data.examples.batches import Batches


def marked(passes: int, users: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Arrays in which every row says which pass and which user it is."""
    one_pass, user = np.meshgrid(np.arange(passes), np.arange(users), indexing="ij")
    history = np.stack([one_pass, user, user * 7], axis=2).astype(np.int32)
    return history, {
        "targets": np.stack([one_pass, user], axis=2).astype(np.int32),
        "teacher_logits": (one_pass + user / 1000).astype(np.float32)[..., None],
    }


def first(count: int, history, labels, **settings):
    """The first `count` batches as NumPy arrays."""
    stream = Batches(history, labels, **settings).stream()
    return list(islice(stream.as_numpy_iterator(), count))


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 15), st.integers(0, 99))
def test_an_epoch_reads_its_pass_and_each_user_at_most_once(passes, users, size, seed):
    history, labels = marked(passes, users)
    steps = Batches(history, labels, batch_size=size, seed=seed).steps_per_epoch
    actual = first(steps * 4, history, labels, batch_size=size, seed=seed)
    for epoch in range(4):
        rows = np.concatenate([h for h, _ in actual[epoch * steps : (epoch + 1) * steps]])
        assert (rows[:, 0] == epoch % passes).all()
        assert len(set(rows[:, 1].tolist())) == len(rows)
        assert len(rows) == steps * min(size, users)
        # No more is left out than what does not fill a batch.
        assert users - len(rows) < min(size, users)


def test_labels_stay_with_their_history():
    history, labels = marked(2, 10)
    for rows, actual in first(12, history, labels, batch_size=4, seed=5):
        assert set(actual) == {"targets", "teacher_logits"}
        np.testing.assert_array_equal(actual["targets"], rows[:, :2])
        np.testing.assert_allclose(
            actual["teacher_logits"][:, 0], rows[:, 0] + rows[:, 1] / 1000, rtol=1e-6
        )
        assert (rows.dtype, actual["teacher_logits"].dtype) == (np.int32, np.float32)


def test_every_run_reads_the_same_and_another_seed_another_order():
    history, labels = marked(2, 20)

    def order(seed):
        return [h[:, 1].tolist() for h, _ in first(10, history, labels, batch_size=4, seed=seed)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_epochs_are_shuffled_differently_so_that_no_user_is_always_dropped():
    history, labels = marked(1, 9)
    epochs = [h[:, 1].tolist() for h, _ in first(20, history, labels, batch_size=8, seed=0)]
    assert len({tuple(epoch) for epoch in epochs}) == 20
    assert sorted({user for epoch in epochs for user in epoch}) == list(range(9))


def test_fewer_users_than_a_batch_make_one_smaller_batch():
    history, labels = marked(1, 3)
    batches = Batches(history, labels, batch_size=100, seed=0)
    stream = batches.stream()
    assert stream.element_spec[0].shape == (3, 3)
    rows, _ = next(stream.as_numpy_iterator())
    assert sorted(rows[:, 1].tolist()) == [0, 1, 2]
    assert batches.steps_per_epoch == 1


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 4, 5, 9, 23])
def test_a_stream_from_a_later_step_on_goes_on_as_the_whole_one_would(first):
    history, labels = marked(3, 22)
    batches = Batches(history, labels, batch_size=4, seed=3)
    whole = list(islice(batches.stream().as_numpy_iterator(), first + 8))[first:]
    rest = list(islice(batches.stream(first).as_numpy_iterator(), 8))
    for (one, one_labels), (other, other_labels) in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one_labels["targets"], other_labels["targets"])


def test_memory_mapped_arrays_give_the_same_batches(tmp_path):
    history, labels = marked(2, 8)
    np.save(tmp_path / "history.npy", history)
    np.save(tmp_path / "targets.npy", labels["targets"])
    mapped = np.load(tmp_path / "history.npy", mmap_mode="r")
    targets = np.load(tmp_path / "targets.npy", mmap_mode="r")
    from_memory = first(6, history, {"targets": labels["targets"]}, batch_size=3, seed=4)
    from_disk = first(6, mapped, {"targets": targets}, batch_size=3, seed=4)
    for (one, one_labels), (other, other_labels) in zip(from_memory, from_disk, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one_labels["targets"], other_labels["targets"])


@pytest.mark.parametrize("shape", [(2, 7, 3), (1, 8, 3), (8, 2, 3)])
def test_labels_of_other_users_or_passes_are_refused_by_name(shape):
    history, _ = marked(2, 8)
    with pytest.raises(ValueError, match="teacher_ids has shape"):
        Batches(history, {"teacher_ids": np.zeros(shape, np.int32)}, batch_size=2, seed=0)
