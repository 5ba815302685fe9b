"""The custom loss of the docs works as printed there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np

from kd_tf import rng
from kd_tf.backend import keras, tf
from kd_tf.distill.distiller import Distiller
from kd_tf.distill.weighting.fixed import ConstantWeights
from kd_tf.models.students.mlp import MLPStudent

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-student-loss-or-source.md"


def test_the_documented_custom_loss_is_short_and_trains(tmp_path: Path):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if "class Agreement" in block)
    assert len(code.splitlines()) < 30
    (tmp_path / "mine.py").write_text(code)
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    rng.set_seed(0)
    student = MLPStudent(num_items=20, max_length=3, embedding_dim=8, item_dropout=0.0)
    student.create_weights()
    batch = (
        np.array([[1, 2, 0], [3, 0, 0]], np.int32),
        {
            "targets": np.array([[4], [5]], np.int32),
            "teacher_ids": np.array([[7, 8, 9, 10], [11, 12, 0, 0]], np.int32),
        },
    )
    distiller = Distiller(None, student, [mine.Agreement()], weighting=ConstantWeights(0.0))
    distiller.compile(optimizer=keras.optimizers.Adam(0.03))
    data = tf.data.Dataset.from_tensors(batch).repeat()
    losses = distiller.fit(data, epochs=60, steps_per_epoch=1, verbose=0).history[
        "distillation_loss"
    ]
    assert losses[-1] < 0.2 * losses[0]
    restored = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(mine.Agreement())
    )
    assert isinstance(restored, mine.Agreement)
