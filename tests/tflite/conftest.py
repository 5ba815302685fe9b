"""Briefly trained students and their files, each made once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kd_tf import atomic, rng
from kd_tf.backend import keras
from kd_tf.compress.storage import snap_to_quantization_grid
from kd_tf.data.examples.batches import Batches
from kd_tf.data.examples.sequences import Examples, draw_sequence_examples
from kd_tf.data.split import Split
from kd_tf.data.splits.unseen_users import split_unseen_users
from kd_tf.data.synthetic.bookshop import generate_bookshop
from kd_tf.distill.warm_start import WARM_STARTS, TeacherItemScores
from kd_tf.models.base import HistoryModel
from kd_tf.models.students import STUDENTS
from kd_tf.models.teachers import EnsembleTeacher, ImplicitALSTeacher, LocalRidgeTeacher
from kd_tf.models.training_data import TrainingData
from kd_tf.pipeline.stages.examples import draw_calibration_histories
from kd_tf.tflite import convert as convert_module
from kd_tf.tflite.convert import convert
from kd_tf.tflite.quantization import Quantization

V, L, d, K = 250, 10, 16, 20
"""Books, history length, width of a row and recommendations of every student here."""

STARTED_BYTES = 14_000
"""What students that start from what is known may take."""


@pytest.fixture(scope="session")
def split() -> Split:
    data = generate_bookshop(num_items=V, num_users=600, seed=1)
    return split_unseen_users(data.interactions, test_users=100, validation_users=50)


@pytest.fixture(scope="session")
def examples(split: Split) -> Examples:
    return draw_sequence_examples(
        split.train,
        num_passes=4,
        max_length=L,
        num_targets=8,
        chronological=True,
        empty_share=0.05,
        seed=0,
    )


@pytest.fixture(scope="session")
def calibration(split: Split) -> np.ndarray:
    """int32 [n, L], what a run calibrates with whose training users have three books each."""
    return draw_calibration_histories(split.train.keep_newest(3), L, num_items=V, seed=0)


@pytest.fixture(scope="session")
def histories(examples: Examples) -> np.ndarray:
    """int32 [300, L], short and long histories that nothing was calibrated with."""
    return examples.history[3][-300:]


@pytest.fixture(scope="session")
def student(examples: Examples) -> Callable[[str], HistoryModel]:
    """``student(name)``: trained, because the books of a random one all score nearly the same."""
    made: dict[str, HistoryModel] = {}

    def make(name: str) -> HistoryModel:
        if name not in made:
            rng.set_seed(0)
            model = STUDENTS[name](num_items=V, max_length=L, embedding_dim=d)
            model.create_weights()
            model.compile(keras.optimizers.Adam(5e-3))
            labels = {"targets": examples.targets}
            batches = Batches(examples.history, labels, batch_size=64, seed=0)
            model.fit(
                batches.stream(), epochs=20, steps_per_epoch=batches.steps_per_epoch, verbose=0
            )
            made[name] = model
        return made[name]

    return make


@pytest.fixture(scope="session")
def started(split: Split) -> Callable[[str], HistoryModel]:
    """``started(kind)``: the first that its family starts with, settled as it would be shipped."""
    catalog = generate_bookshop(num_items=V, num_users=600, seed=1).catalog
    train = dataclasses.replace(split, catalog=catalog).train
    teacher = EnsembleTeacher(
        members=[
            LocalRidgeTeacher(V, max_length=L),
            ImplicitALSTeacher(V, max_length=L, embedding_dim=24),
        ]
    )
    teacher.fit(train, validation_data=split.validation)
    source = TeacherItemScores(TrainingData.create(train, V, L, split.validation), teacher)
    made: dict[str, HistoryModel] = {}

    def make(kind: str) -> HistoryModel:
        if kind not in made:
            made[kind] = snap_to_quantization_grid(
                next(WARM_STARTS[kind].generate(source, STARTED_BYTES)).model
            )
        return made[kind]

    return make


@pytest.fixture(scope="session")
def file(
    student: Callable[[str], HistoryModel],
    started: Callable[[str], HistoryModel],
    calibration: np.ndarray,
    shared_folder: Path,
) -> Callable[[str, Quantization], bytes]:
    """``file(name, quantization)``: what `convert` makes of a student, or of a warm start."""

    def make(name: str, quantization: Quantization) -> bytes:
        path = shared_folder / f"{name}.{quantization.value}.tflite"
        if not path.exists():
            model = started(name) if name in WARM_STARTS else student(name)
            content = convert(model, quantization, recommendations=K, calibration=calibration)
            atomic.write_bytes(path, content)
        return path.read_bytes()

    return make


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run for all its processes, so that a file is converted once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "converted"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def unshared(
    student: Callable[[str], HistoryModel], calibration: np.ndarray
) -> Callable[[str], bytes]:
    """``unshared(name)``: the int8 file as TensorFlow's converter leaves it."""
    made: dict[str, bytes] = {}

    def make(name: str) -> bytes:
        if name not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(convert_module, "share_table", lambda content, rows: content)
                patch.setattr(convert_module, "check_stored_weights", lambda content, student: None)
                made[name] = convert(
                    student(name), Quantization.INT8, recommendations=K, calibration=calibration
                )
        return made[name]

    return make
