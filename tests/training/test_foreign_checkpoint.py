"""A saved model from somebody else runs no code, whatever stands in any of its fields."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_tf.backend import keras
from kd_tf.errors import UserError
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.gru import GRUTeacher
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.npz import read_npz, write_npz
from kd_tf.training import checkpoint

CANARY = """
import pathlib
pathlib.Path(r"{path}").write_text("imported")

class Model:
    @classmethod
    def from_config(cls, config):
        return cls()

def run(*arguments, **keywords):
    return 1.0
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that appears once anybody imports the module `kd_tf_test_canary`."""
    alarm = tmp_path / "alarm"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "kd_tf_test_canary.py").write_text(CANARY.format(path=alarm))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    yield alarm
    sys.modules.pop("kd_tf_test_canary", None)


@pytest.fixture
def saved(tiny: Any, tmp_path: Path) -> Path:
    """A folder with models inside a model, and with a regularizer."""
    members = [
        tiny(MLPStudent, embeddings_regularizer=keras.regularizers.L2(0.1)),
        tiny(GRUTeacher),
    ]
    model = WeightedEnsemble(members=members, weights=[1.0, 2.0])
    model.create_weights()
    checkpoint.save(model, tmp_path / "model")
    return tmp_path / "model"


MODULE = "kd_tf_test_canary"
LAMBDA = keras.Sequential([keras.layers.Lambda(lambda inputs: inputs, input_shape=(2,))])
ATTACKS: dict[str, Any] = {
    "class": {"module": MODULE, "class_name": "Model", "config": {}, "registered_name": None},
    "registered": {
        "module": MODULE,
        "class_name": "Model",
        "config": {},
        "registered_name": "kd_tf>Nobody",
    },
    "function": {
        "module": MODULE,
        "class_name": "function",
        "config": "run",
        "registered_name": "run",
    },
    "type": {
        "module": MODULE,
        "class_name": "__typespec__",
        "spec_name": "Model",
        "config": [],
        "registered_name": None,
    },
    "Functional": keras.saving.serialize_keras_object(LAMBDA),
    "lambda": {"class_name": "__lambda__", "config": {"value": ["AAAA", None, None]}},
    "deep": json.loads("[" * 200 + "]" * 200),
}


def list_places(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """Lists the keys and indices that lead to every value inside a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        yield (*place, key)
        if isinstance(part, dict | list):
            yield from list_places(part, (*place, key))


def plant(document: Any, place: tuple, value: Any) -> Any:
    planted = copy.deepcopy(document)
    target = planted
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return planted


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_field_of_the_description_imports_a_module(attack: Any, saved: Path, canary: Path):
    path = saved / checkpoint.MODEL_FILE
    document = json.loads(path.read_text("utf-8"))
    places = list(list_places(document))
    objects = [place for place in places if place[-1] == "class_name"]
    assert len(objects) == 4  # the ensemble, two members and a regularizer
    extra = ("compile_config", "build_config", "dtype", "loss")
    places += [(*place[:-1], name) for place in objects for name in extra]
    places += [(*place[:-1], "config", name) for place in objects for name in extra]
    for place in places:
        path.write_text(json.dumps(plant(document, place, attack)), "utf-8")
        with pytest.raises(UserError, match="cannot load the model"):
            checkpoint.load(saved)
        assert not canary.exists(), f"code ran from {place}"


def test_a_canary_sings_where_keras_deserializes(canary: Path):
    """The attack is real: Keras' own function imports what the description names."""
    keras.saving.deserialize_keras_object(ATTACKS["class"])
    assert canary.exists()


def test_a_description_too_large_or_too_deep_is_refused(saved: Path):
    path = saved / checkpoint.MODEL_FILE
    for text in ('{"model": "' + "x" * 2_000_000 + '"}', "[" * 100_000 + "]" * 100_000):
        path.write_text(text, "utf-8")
        with pytest.raises(UserError, match="cannot load the model"):
            checkpoint.load(saved)


def test_weights_of_objects_or_of_another_shape_are_refused(saved: Path):
    path = saved / checkpoint.WEIGHTS_FILE
    arrays = read_npz(path)
    first = next(iter(arrays))
    for wrong in (arrays[first][:-1], arrays[first].astype(np.float64), arrays[first][None]):
        write_npz(path, {**arrays, first: wrong})
        with pytest.raises(UserError, match="does not have the weights"):
            checkpoint.load(saved)
    np.savez(path, **{**arrays, first: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(UserError, match="not a type of numbers"):
        checkpoint.load(saved)


def test_a_model_of_the_users_own_is_loaded_once_its_class_is_registered(tmp_path: Path):
    @keras.saving.register_keras_serializable(package="shop")
    class OwnStudent(MLPStudent):
        pass

    model = OwnStudent(num_items=5, max_length=3, embedding_dim=2)
    model.create_weights()
    checkpoint.save(model, tmp_path / "model")
    assert type(checkpoint.load(tmp_path / "model")) is OwnStudent


LOADER = """
import sys
from pathlib import Path
from kd_tf.backend import tf
from kd_tf.training import checkpoint

model = checkpoint.load(Path(sys.argv[1]))
model(tf.constant([[1, 2, 0, 0, 0, 0, 0, 0]]), training=True)
from kd_tf.models.teachers.gru import GRUTeacher
other = GRUTeacher(num_items=9, max_length=3, embedding_dim=4)
other(tf.constant([[1, 2, 0]]), training=True)
"""


@pytest.mark.slow
def test_a_process_whose_first_model_is_a_loaded_one_draws_random_numbers(tiny, tmp_path):
    """The check of the shapes builds a model in a graph that leaves nothing in the process."""
    checkpoint.save(tiny(GRUTeacher), tmp_path / "model")
    subprocess.run([sys.executable, "-c", LOADER, str(tmp_path / "model")], check=True)
