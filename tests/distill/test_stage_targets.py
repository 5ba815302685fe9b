import contextlib

import numpy as np
import pytest

from kd_tf.backend import tf
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.teacher_targets import compute_curriculum_targets, compute_teacher_targets
from kd_tf.models.base import HistoryModel
from kd_tf.progress import NullProgress

V, L = 12, 5


class Teacher(HistoryModel):
    """Scores an item by the sum of what the items of the history say of it."""

    def __init__(self, seed: int = 0, items: int = V) -> None:
        super().__init__(num_items=items, max_length=L)
        self.says = self.add_weight(name="says", shape=(items + 1, items + 1))
        self.says.assign(np.random.default_rng(seed).normal(0, 1, self.says.shape))
        self.asked = 0

    def call(self, inputs, training=False):
        self.asked += 1  # counts tracing, which is once for every time that it is asked
        return tf.reduce_sum(tf.gather(self.says, inputs), axis=1)


def drawn(users: int = 7) -> Examples:
    random = np.random.default_rng(0)
    history = np.stack([random.permutation(V)[:L] + 1 for _ in range(2 * users)])
    history[:, 3:] = 0
    shaped = history.reshape(2, users, L).astype(np.int32)
    return Examples(shaped, np.ones((2, users, 1), np.int32))


def ask(stages, folder, examples=None, top=4, progress=None):
    return compute_curriculum_targets(
        stages,
        examples or drawn(),
        top_k=top,
        folder=folder,
        progress=progress or NullProgress(),
    )


def test_each_stage_has_the_best_items_of_its_own_teacher(tmp_path):
    stages = [Teacher(seed) for seed in range(3)]
    actual = ask(stages, tmp_path / "stages")
    assert actual.keys() == {"stage_ids"}
    ids = actual["stage_ids"]
    assert isinstance(ids, np.memmap)
    assert not ids.flags.writeable
    assert (ids.dtype, ids.shape) == (np.int32, (2, 7, 3, 4))
    for number, stage in enumerate(stages):
        folder = tmp_path / str(number)
        alone = compute_teacher_targets(
            stage, drawn(), top_k=4, folder=folder, progress=NullProgress()
        )
        np.testing.assert_array_equal(ids[:, :, number], alone["teacher_ids"])
    assert (ids[:, :, 0] != ids[:, :, 1]).any()


def test_what_is_kept_is_the_lists_alone(tmp_path):
    ask([Teacher(0), Teacher(1)], tmp_path / "stages")
    kept = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert kept == ["key.json", "stage_ids.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["stages"]


def test_more_than_the_catalog_ends_in_zeros(tmp_path):
    actual = ask([Teacher()], tmp_path / "stages", top=100)["stage_ids"]
    assert actual.shape[3] == V
    np.testing.assert_array_equal((actual > 0).sum(axis=3), V - 3)
    assert not actual[..., V - 3 :].any()


def test_the_second_time_the_lists_come_from_the_cache(tmp_path):
    first = ask([Teacher(0), Teacher(1)], tmp_path / "stages")
    again = [Teacher(0), Teacher(1)]
    second = ask(again, tmp_path / "stages")
    assert [one.asked for one in again] == [0, 0]
    np.testing.assert_array_equal(first["stage_ids"], second["stage_ids"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"stages": [Teacher(1), Teacher(0)]},
        {"stages": [Teacher(0)]},
        {"stages": [Teacher(0), Teacher(2)]},
        {"examples": drawn(6)},
        {"top": 3},
    ],
    ids=["order", "fewer", "weights", "examples", "top"],
)
def test_any_change_computes_the_stages_again(tmp_path, change):
    folder = tmp_path / "stages"
    ask([Teacher(0), Teacher(1)], folder)
    given = {"stages": [Teacher(0), Teacher(1)], "examples": drawn(), "top": 4, **change}
    np.testing.assert_array_equal(
        ask(given["stages"], folder, given["examples"], given["top"])["stage_ids"],
        ask(given["stages"], tmp_path / "new", given["examples"], given["top"])["stage_ids"],
    )


def test_an_interrupted_run_keeps_what_was_there_and_leaves_nothing_else(tmp_path):
    class Interrupted(NullProgress):
        """Ctrl-C while the second stage is asked."""

        calls = 0

        @contextlib.contextmanager
        def task(self, label, total):
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            yield lambda steps=1, note="": None

    before = ask([Teacher(0), Teacher(1)], tmp_path / "stages")["stage_ids"].copy()
    with pytest.raises(KeyboardInterrupt):
        ask([Teacher(2), Teacher(3)], tmp_path / "stages", progress=Interrupted())
    assert [path.name for path in tmp_path.iterdir()] == ["stages"]
    again = [Teacher(0), Teacher(1)]
    np.testing.assert_array_equal(ask(again, tmp_path / "stages")["stage_ids"], before)
    assert again[0].asked == 0


def test_no_stage_and_stages_of_different_catalogs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="same number of items, not none"):
        ask([], tmp_path / "stages")
    with pytest.raises(ValueError, match=r"same number of items, not \[12, 13\]"):
        ask([Teacher(), Teacher(items=V + 1)], tmp_path / "stages")
    assert not list(tmp_path.iterdir())
