import contextlib
import errno
import json
import os
import shutil

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.teacher_targets import compute_curriculum_targets, compute_teacher_targets
from kd_tf.errors import UserError
from kd_tf.models import batch_scoring
from kd_tf.models.base import HistoryModel
from kd_tf.progress import NullProgress

V, L = 12, 5


class Teacher(HistoryModel):
    """Scores an item by the sum of what the items of the history say of it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(num_items=V, max_length=L)
        self.says = self.add_weight(name="says", shape=(V + 1, V + 1))
        self.says.assign(np.random.default_rng(seed).normal(0, 1, (V + 1, V + 1)))
        self.asked = 0

    def call(self, inputs, training=False):
        assert not training
        self.asked += 1  # counts tracing, which is once for every time that it is asked
        return tf.reduce_sum(tf.gather(self.says, inputs), axis=1)


class QuickTeacher(Teacher):
    """The same, with a way to its scores outside TensorFlow."""

    def call(self, inputs, training=False):
        raise AssertionError("the short way is there to be taken")

    def numpy_scores(self, histories):
        return histories.to_csr_matrix(V) @ self.says.numpy() + np.float32(0)


def drawn(passes: int = 2, users: int = 7, seed: int = 0) -> Examples:
    random = np.random.default_rng(seed)
    history = np.zeros((passes, users, L), np.int32)
    for one_pass in range(passes):
        for user in range(users):
            length = random.integers(0, L + 1)
            history[one_pass, user, :length] = random.permutation(V)[:length] + 1
    return Examples(history, np.ones((passes, users, 1), np.int32))


def ask(teacher, examples, folder, top=4, progress=None, needs=()):
    return compute_teacher_targets(
        teacher,
        examples,
        top_k=top,
        teacher_outputs=needs,
        folder=folder,
        progress=progress or NullProgress(),
    )


def expected(teacher: Teacher, examples: Examples, top: int) -> tuple[np.ndarray, np.ndarray]:
    """NumPy's answer."""
    says = teacher.says.numpy()
    shape = (*examples.history.shape[:2], top)
    ids, logits = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for where in np.ndindex(*shape[:2]):
        history = examples.history[where]
        scores = says[history].sum(axis=0)
        remaining = np.setdiff1d(np.arange(1, V + 1), history)
        best = remaining[np.argsort(-scores[remaining])][:top]
        ids[where][: len(best)], logits[where][: len(best)] = best, scores[best]
    return ids, logits


def same(targets, teacher, examples, top=4) -> None:
    ids, logits = expected(teacher, examples, top)
    np.testing.assert_array_equal(targets["teacher_ids"], ids)
    np.testing.assert_allclose(targets["teacher_logits"], logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("top", [1, 4, V - L, V - 1, V])
def test_the_targets_are_the_best_items_without_history_and_padding(tmp_path, top):
    teacher, examples = Teacher(), drawn()
    targets = ask(teacher, examples, tmp_path / "targets", top)
    same(targets, teacher, examples, top)


def test_a_teacher_that_has_a_shorter_way_to_its_scores_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 3 * (V + 1))
    teacher, examples = QuickTeacher(), drawn()
    teacher.says.assign(tf.concat([tf.zeros([1, V + 1]), teacher.says[1:]], axis=0))
    same(ask(teacher, examples, tmp_path / "targets"), teacher, examples, 4)


def test_equal_histories_are_scored_once_and_all_get_targets(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 3 * (V + 1))
    calls = []
    monkeypatch.setattr(
        QuickTeacher,
        "numpy_scores",
        lambda self, histories: (
            calls.extend(map(tuple, histories.pad(L)))
            or histories.to_csr_matrix(V) @ self.says.numpy() + np.float32(0)
        ),
    )
    teacher, some = QuickTeacher(), drawn(passes=1, users=5)
    teacher.says.assign(tf.concat([tf.zeros([1, V + 1]), teacher.says[1:]], axis=0))
    history = some.history[:, [3, 1, 3, 0, 1, 4, 2, 3]]
    examples = Examples(np.stack([history[0], history[0, ::-1]]), np.ones((2, 8, 1), np.int32))
    same(ask(teacher, examples, tmp_path / "targets"), teacher, examples, 4)
    assert len(calls) <= 6 + 1  # the first is asked once more, whether there is a short way
    assert {*calls} == {tuple(row) for row in history[0]}


def test_fewer_items_than_k_are_padded_with_zeros(tmp_path):
    targets = ask(Teacher(), drawn(), tmp_path / "targets", V)
    lengths = (drawn().history > 0).sum(axis=2)
    assert lengths.max() > 0
    np.testing.assert_array_equal((targets["teacher_ids"] > 0).sum(axis=2), V - lengths)
    assert (targets["teacher_logits"][targets["teacher_ids"] == 0] == 0).all()


def test_more_than_the_catalog_is_all_of_the_catalog(tmp_path):
    teacher, examples = Teacher(), drawn()
    same(ask(teacher, examples, tmp_path / "targets", 100), teacher, examples, V)
    calls = teacher.asked
    assert ask(teacher, examples, tmp_path / "targets", 200)["teacher_ids"].shape[2] == V
    assert teacher.asked == calls


def test_the_batch_size_changes_nothing(tmp_path, monkeypatch):
    teacher, examples = Teacher(), drawn()
    together = ask(teacher, examples, tmp_path / "together")
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 3 * (V + 1))
    apart = ask(teacher, examples, tmp_path / "apart")
    np.testing.assert_array_equal(together["teacher_ids"], apart["teacher_ids"])
    np.testing.assert_allclose(together["teacher_logits"], apart["teacher_logits"], rtol=1e-6)


def test_the_targets_are_int32_and_float32_and_stay_on_disk(tmp_path):
    targets = ask(Teacher(), drawn(), tmp_path / "targets")
    assert (targets["teacher_ids"].dtype, targets["teacher_logits"].dtype) == (np.int32, np.float32)
    for array in (targets["teacher_ids"], targets["teacher_logits"]):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
    assert targets.keys() == {"teacher_ids", "teacher_logits", "teacher_total"}


def test_the_total_is_that_of_all_items_left(tmp_path):
    teacher, examples = Teacher(), drawn()
    targets = ask(teacher, examples, tmp_path / "targets", 3)
    rows = examples.history.reshape(-1, L)
    logits = teacher(rows).numpy().astype(np.float64)
    logits[:, 0] = -np.inf
    for row, read in enumerate(rows):
        logits[row, read] = -np.inf
    wanted = np.log(np.exp(logits).sum(axis=1)).reshape(targets["teacher_total"].shape)
    np.testing.assert_allclose(targets["teacher_total"], wanted, rtol=1e-5)


class Vectors(Teacher):
    """Says of a user how often each of the first three items stands in the history."""

    def user_embeddings(self, history, training=False):
        ids = tf.range(1, 4)
        return tf.reduce_sum(tf.cast(history[:, :, tf.newaxis] == ids, tf.float32), axis=1)


def test_further_outputs_that_losses_need_are_computed_too(tmp_path):
    examples = drawn()
    ask(Vectors(), examples, tmp_path / "targets")
    targets = ask(Vectors(), examples, tmp_path / "targets", needs=["teacher_user_embeddings"])
    actual = targets["teacher_user_embeddings"]
    assert (actual.dtype, actual.shape) == (np.float16, (2, 7, 3))
    wanted = (examples.history[..., None] == np.arange(1, 4)).sum(axis=2)
    np.testing.assert_array_equal(actual, wanted)


def test_an_output_that_no_teacher_has_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown teacher output 'mood'"):
        ask(Teacher(), drawn(), tmp_path / "targets", needs=["mood"])
    with pytest.raises(ValueError, match="Teacher has no user embeddings"):
        ask(Teacher(), drawn(), tmp_path / "targets", needs=["teacher_user_embeddings"])
    assert not list(tmp_path.iterdir())


def test_the_second_time_the_outputs_come_from_the_cache(tmp_path):
    teacher, examples = Teacher(), drawn()
    first = ask(teacher, examples, tmp_path / "targets")
    assert teacher.asked == 1
    # A process later the same weights are another object.
    again = Teacher()
    second = ask(again, drawn(), tmp_path / "targets")
    assert again.asked == 0
    np.testing.assert_array_equal(first["teacher_ids"], second["teacher_ids"])
    np.testing.assert_array_equal(first["teacher_logits"], second["teacher_logits"])


def one_other_weight() -> Teacher:
    teacher = Teacher()
    teacher.says[3, 5].assign(teacher.says[3, 5] + 9.0)
    return teacher


@pytest.mark.parametrize(
    ("teacher", "examples", "top"),
    [
        (one_other_weight(), drawn(), 4),
        (Teacher(), drawn(seed=1), 4),
        (Teacher(), drawn(passes=1), 4),
        (Teacher(), Examples(drawn().history.reshape(1, 14, L), drawn().targets), 4),
        (Teacher(), drawn(), 3),
        (Teacher(), drawn(), 5),
    ],
    ids=["weights", "history", "passes", "shape", "fewer", "more"],
)
def test_any_other_change_computes_the_outputs_again(tmp_path, teacher, examples, top):
    folder = tmp_path / "targets"
    ask(Teacher(), drawn(), folder)
    same(ask(teacher, examples, folder, top), teacher, examples, top)
    assert teacher.asked == 1
    assert [path.name for path in tmp_path.iterdir()] == ["targets"]


class Interrupted(NullProgress):
    """Ctrl-C after the second batch."""

    @contextlib.contextmanager
    def task(self, label, total):
        calls = []

        def advance(steps=1, note=""):
            calls.append(steps)
            if len(calls) == 2:
                raise KeyboardInterrupt

        yield advance


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(batch_scoring, "MAX_SCORES_IN_MEMORY", 3 * (V + 1))


def test_an_interrupted_run_leaves_nothing_and_the_next_one_works(tmp_path, small_batches):
    teacher, examples = Teacher(), drawn()
    with pytest.raises(KeyboardInterrupt):
        ask(teacher, examples, tmp_path / "targets", progress=Interrupted())
    assert list(tmp_path.iterdir()) == []
    same(ask(teacher, examples, tmp_path / "targets"), teacher, examples)


def test_an_interrupted_run_keeps_the_cache_of_before(tmp_path, small_batches):
    teacher, examples = Teacher(), drawn()
    ask(teacher, examples, tmp_path / "targets")
    with pytest.raises(KeyboardInterrupt):
        ask(Teacher(1), examples, tmp_path / "targets", progress=Interrupted())
    assert [path.name for path in tmp_path.iterdir()] == ["targets"]
    calls = teacher.asked
    same(ask(teacher, examples, tmp_path / "targets"), teacher, examples)
    assert teacher.asked == calls


@pytest.mark.parametrize("key", ["", "{", "[]", "null", "{}", "\x00"])
def test_a_folder_without_a_readable_key_is_no_cache(tmp_path, key):
    teacher, examples, folder = Teacher(), drawn(), tmp_path / "targets"
    ask(teacher, examples, folder)
    (folder / "key.json").write_text(key)
    np.save(folder / "ids.npy", np.zeros(3))
    same(ask(teacher, examples, folder), teacher, examples)
    assert json.loads((folder / "key.json").read_text())["key"]["top"] == 4
    shutil.rmtree(folder)


def test_progress_counts_every_example(tmp_path, small_batches):
    done = []

    class Counted(NullProgress):
        @contextlib.contextmanager
        def task(self, label, total):
            assert total == 14
            yield lambda steps=1, note="": done.append(steps)

    ask(Teacher(), drawn(), tmp_path / "targets", progress=Counted())
    assert sum(done) == 14
    assert len(done) > 2


@pytest.mark.parametrize(
    "compute",
    [
        lambda **settings: compute_teacher_targets(QuickTeacher(), drawn(), **settings),
        lambda **settings: compute_curriculum_targets([QuickTeacher()], drawn(), **settings),
    ],
)
def test_a_full_disk_stops_before_the_teacher_is_asked(tmp_path, monkeypatch, compute):
    """Filled in the mapped memory of a file, it would end the process by a signal."""

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    progress = NullProgress()
    progress.task = None  # nobody counts examples
    with pytest.raises(UserError, match="No space left") as caught:
        compute(top_k=4, folder=tmp_path / "targets", progress=progress)
    assert "free some space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
