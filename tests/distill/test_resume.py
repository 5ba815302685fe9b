"""A training that is killed and resumed ends with the weights of an uninterrupted one."""

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.compress import prune
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.losses import METHODS, DistillationSetup
from kd_tf.distill.teacher_targets import compute_teacher_targets
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.distill.weighting.uncertainty import Uncertainty
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.vae import VAETeacher
from kd_tf.progress import NullProgress
from kd_tf.training import resume
from kd_tf.training.resume import ResumeFolder, Snapshot
from kd_tf.training.trainer import Schedule, train

pytestmark = pytest.mark.slow

V, L, USERS = 40, 6, 50
STEPS = USERS // 8
SCHEDULE = Schedule(epochs=4, batch_size=8, learning_rate=0.01, validate_every=1)


class KilledError(Exception):
    """What a test does instead of killing the process."""


class Kill(keras.callbacks.Callback):
    """Raises before so many steps are done."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def on_train_batch_begin(self, batch, logs=None):
        if not self.left:
            raise KilledError
        self.left -= 1


@pytest.fixture(autouse=True)
def snapshot_of_every_step(monkeypatch):
    monkeypatch.setattr(resume, "MIN_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(resume, "MAX_TIME_SHARE", 1e9)


@pytest.fixture(scope="module")
def examples():
    random = np.random.default_rng(0)
    samples = random.permuted(np.tile(np.arange(1, V + 1, dtype=np.int32), (2, USERS, 1)), axis=2)
    return Examples(samples[..., :L], samples[..., L : L + 3])


@pytest.fixture(scope="module")
def teacher():
    rng.set_seed(1)
    model = VAETeacher(num_items=V, max_length=L, embedding_dim=8)
    model.create_weights()
    return model


def run(teacher, examples, folder, names=(), *, weighting=None, key="a", kill=None, pruned=False):
    """The weights after a training that may be killed before a step and is then run again."""

    def once(callbacks):
        rng.set_seed(5)
        student = MLPStudent(num_items=V, max_length=L, embedding_dim=4)
        student.create_weights()
        known = [METHODS[name]() for name in names]
        distiller = Distiller(
            None,
            student,
            known,
            weighting=weighting() if weighting else ConstantWeights(0.4 if names else 1.0),
        )
        distiller.build_losses(
            DistillationSetup(student, [teacher], np.arange(V + 1), SCHEDULE.epochs * STEPS, seed=5)
        )
        answers = compute_teacher_targets(
            teacher,
            examples,
            top_k=10,
            teacher_outputs=sorted({label for one in known for label in one.teacher_outputs}),
            folder=folder / "targets",
            progress=NullProgress(),
        )
        if pruned:
            prune.wrap_core(student, sparsity=0.5, begin_step=2, end_step=15)
            callbacks = [*prune.make_callbacks(), *callbacks]
        train(
            distiller,
            Batches(examples.history, {"targets": examples.targets, **answers}, 8, seed=3),
            schedule=SCHEDULE,
            validate=lambda: -float(np.abs(student.table.numpy() - 0.1).mean()),
            callbacks=callbacks,
            resume_folder=ResumeFolder(folder / "unfinished", {"of": key}),
            label="going on",
            progress=NullProgress(),
        )
        return [weight.numpy() for weight in student.weights]

    if kill is not None:
        with pytest.raises(KilledError):
            once([Kill(kill)])
        assert (folder / "unfinished").exists()
        rng.sample_uniform([1000])  # whatever else was drawn meanwhile
    return once([])


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("names", "weighting"),
    [
        ((), None),
        (("soft-targets",), None),
        (("rrd", "unkd"), None),  # both draw
        (("de",), None),  # weights of its own, and Gumbel noise
        (("adversarial",), None),  # a discriminator
        (("soft-targets", "hint"), Uncertainty),  # the weighting learns
    ],
)
@pytest.mark.parametrize("kill", [4, 15])
def test_a_training_killed_in_the_midst_of_an_epoch_ends_with_the_same_weights(
    teacher, examples, tmp_path, names, weighting, kill
):
    assert kill % STEPS
    unbroken = run(teacher, examples, tmp_path / "one", names, weighting=weighting)
    again = run(teacher, examples, tmp_path / "other", names, weighting=weighting, kill=kill)
    same(unbroken, again)
    assert not (tmp_path / "other" / "unfinished").exists()


@pytest.mark.parametrize("kill", [1, 12, 20])
def test_pruning_goes_on_too(teacher, examples, tmp_path, kill):
    names = ("soft-targets",)
    unbroken = run(teacher, examples, tmp_path / "one", names, pruned=True)
    again = run(teacher, examples, tmp_path / "other", names, pruned=True, kill=kill)
    same(unbroken, again)


def test_what_was_left_by_other_settings_is_not_taken_up(teacher, examples, tmp_path):
    unbroken = run(teacher, examples, tmp_path / "one")
    rng.set_seed(0)
    with pytest.raises(AssertionError):  # the other training is another one
        same(unbroken, run(teacher, examples, tmp_path / "two", ("hint",)))
    with pytest.raises(KilledError):
        _killed(teacher, examples, tmp_path / "other", ("hint",), key="b")
    same(unbroken, run(teacher, examples, tmp_path / "other"))


def _killed(*arguments, **settings):
    try:
        run(*arguments, **settings, kill=3)
    finally:
        raise KilledError


@pytest.mark.parametrize("file", ["state.json", "variables.npz", "best_weights.npz"])
def test_a_damaged_snapshot_is_none(tmp_path, file):
    kept = ResumeFolder(tmp_path / "kept", {"a": 1})
    one = [np.ones(3, np.float32)]
    kept.write_if_due(lambda: Snapshot(7, one, one, {"best": 0.5}))
    assert kept.read().step == 7
    path = tmp_path / "kept" / file
    path.write_bytes(path.read_bytes()[:-20])
    assert kept.read() is None


def test_a_snapshot_of_another_model_is_refused():
    variable = tf.Variable([1.0, 2.0])
    with pytest.raises(ValueError, match="another model"):
        Snapshot(1, [np.zeros(3, np.float32)], [], {}).restore([variable])


def test_snapshots_of_a_slow_disk_are_rarer(tmp_path, monkeypatch):
    clock = iter([0.0, 61.0, 71.0, 270.0, 272.0, 273.0])
    monkeypatch.setattr(resume, "MIN_SECONDS_BETWEEN_WRITES", 60.0)
    monkeypatch.setattr(resume, "MAX_TIME_SHARE", 0.05)
    monkeypatch.setattr(resume.time, "monotonic", lambda: next(clock))
    taken = []

    def snapshot():
        taken.append(1)
        return Snapshot(1, [], [], {})

    kept = ResumeFolder(tmp_path / "kept", {})
    kept.write_if_due(snapshot)  # at 61 s; takes 10 s, so the next is due 200 s later
    kept.write_if_due(snapshot)  # at 270 s: not yet
    kept.write_if_due(snapshot)  # at 272 s
    assert len(taken) == 2
