"""Files of a run or bundle from somebody else run no code, whatever stands in any field."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kd_tf as kd
from kd_tf import config
from kd_tf.backend import keras
from kd_tf.config import Config
from kd_tf.data.split import load as load_split
from kd_tf.errors import UserError
from kd_tf.keyed_folder import fill_folder
from kd_tf.models.students.mlp import MLPStudent
from kd_tf.models.teachers.gru import GRUTeacher
from kd_tf.models.weighted_ensemble import WeightedEnsemble
from kd_tf.npz import read_npz, write_npz
from kd_tf.pipeline.compare import MetricsRecord
from kd_tf.pipeline.stages.cached_model import TrainingRecord
from kd_tf.report.results import CandidateResult
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import encode_with_own_hash
from kd_tf.stage_files import map_array, read_arrays, read_record
from kd_tf.tflite.artifact import Artifact
from kd_tf.training import checkpoint
from kd_tf.training.resume import ResumeFolder

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


def write_toml(document: dict[str, Any]) -> str:
    """Writes the TOML of a document, each table in one line and without what is None."""

    def write(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(write_pairs(value)) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        return json.dumps(value)

    def write_pairs(table: dict[str, Any]) -> list[str]:
        pairs = ((key, value) for key, value in table.items() if value is not None)
        return [f"{json.dumps(key)} = {write(value)}" for key, value in pairs]

    return "\n".join(write_pairs(document))


def write_split(document: dict[str, Any], path: Path) -> None:
    """Writes a split with this metadata beside sound arrays."""
    SPLIT.save(path)
    metadata = np.frombuffer(json.dumps(document).encode(), np.uint8)
    write_npz(path, {**read_npz(path), "metadata": metadata})


def write_golden(document: dict[str, Any], path: Path, name: str) -> None:
    """Writes the golden bundle with another config.json or catalog.json, all hashes right."""
    shutil.copytree(GOLDEN, path.parent, dirs_exist_ok=True)
    config = json.loads((GOLDEN / "config.json").read_text("utf-8"))
    if name == "config.json":
        config = document
    else:
        content = json.dumps(document).encode()
        (path.parent / name).write_bytes(content)
        config["num_items"] = 2
        config["sha256"][name] = hashlib.sha256(content).hexdigest()
    config.pop("config_sha256", None)
    (path.parent / "config.json").write_bytes(encode_with_own_hash(config))


def fill(path: Path) -> None:
    fill_folder(path.parent, {"seed": 1}, lambda folder: None)


def read_golden(name: str) -> dict[str, Any]:
    document = json.loads((GOLDEN / name).read_text("utf-8"))
    return {**document, "books": document["books"][:2]} if "books" in document else document


def read_metadata() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.npz"
        SPLIT.save(path)
        return json.loads(read_npz(path)["metadata"].tobytes())


GOLDEN = Path(__file__).parent / "golden" / "bundle-v1"
SPLIT = kd.split(kd.data.bookshop(items=60, users=80, seed=0), seed=0)
CANDIDATE = CandidateResult("mlp", "8 wide", bytes=9, validation_ndcg=0.5)
ARTIFACT = Artifact(
    name="int8",
    path="artifacts/int8.tflite",
    bytes=9,
    sha256="0" * 64,
    floor_bytes=8,
    quantization="int8",
    sparsity=0.0,
    signatures=["recommend"],
    metrics={"ndcg@10": 0.1},
    validation_ndcg=0.1,
    parity={"histories": 9.0},
    latency_us={"p50": 1.0},
    peak_memory_bytes=9,
    min_runtime_version="2.16.0",
)


def write_json(document: Any, path: Path) -> None:
    path.write_text(json.dumps(document), "utf-8")


FILES: dict[str, tuple[Callable[[], Any], Callable[[Any, Path], object], Callable[[Path], object]]]
FILES = {
    "training.json": (
        lambda: asdict(TrainingRecord(9, 7, 0.1, 3.0, "mlp", [CANDIDATE])),
        write_json,
        lambda path: read_record(path, TrainingRecord),
    ),
    "artifacts.json": (
        lambda: [asdict(ARTIFACT)],
        write_json,
        lambda path: read_record(path, list[Artifact]),
    ),
    "metrics.json": (
        lambda: asdict(MetricsRecord({"ndcg@10": 0.1}, 9, 9, 1.0)),
        write_json,
        lambda path: read_record(path, MetricsRecord),
    ),
    "state.json": (
        lambda: {"key": {"seed": 1}, "step": 5, "validation_state": {"best": 0.1}},
        write_json,
        lambda path: ResumeFolder(path.parent, {"seed": 1}).read(),
    ),
    "key.json": (lambda: {"key": {"seed": 1}, "sha256": {"model.json": "00"}}, write_json, fill),
    "config.toml": (
        lambda: Config().model_dump(mode="json"),
        lambda document, path: path.write_text(write_toml(document), "utf-8"),
        config.read,
    ),
    "split.npz": (read_metadata, write_split, load_split),
    **{
        name: (
            functools.partial(read_golden, name),
            functools.partial(write_golden, name=name),
            lambda path: Bundle.open(path.parent),
        )
        for name in ("config.json", "catalog.json")
    },
}
"""By name: makes a sound document, writes one to a file, and reads the file."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_no_field_of_another_file_imports_a_module(name: str, tmp_path: Path, canary: Path):
    """Each field gets each attack; the reader takes it as a value or refuses it in words."""
    make, write, read = FILES[name]
    document = make()
    path = tmp_path / name
    write(document, path)
    read(path)
    refusals = 0
    attacks = {**ATTACKS, "name": f"{MODULE}:Model", "dotted": f"{MODULE}.Model"}
    for place in list_places(document):
        for attack in attacks.values():
            write(plant(document, place, attack), path)
            try:
                read(path)
            except UserError:
                refusals += 1
            assert not canary.exists(), f"code ran from {place}"
    assert refusals or name in ("key.json", "state.json"), "no field was read"


class Importer:
    """Imports the canary where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return __import__, (MODULE,)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path, canary: Path):
    objects = np.array([Importer()], dtype=object)
    np.savez(tmp_path / "arrays.npz", objects=objects, metadata=objects)
    np.save(tmp_path / "array.npy", objects, allow_pickle=True)
    for read, name in (
        (read_arrays, "arrays.npz"),
        (load_split, "arrays.npz"),
        (map_array, "array.npy"),
    ):
        with pytest.raises(UserError, match=r"damaged"):
            read(tmp_path / name)
    assert not canary.exists()
    np.load(tmp_path / "array.npy", allow_pickle=True)
    assert canary.exists()  # the attack is real


def test_an_array_that_declares_more_than_the_file_holds_is_refused(tmp_path: Path):
    path = tmp_path / "array.npy"
    np.save(path, np.zeros(4, np.float32))
    path.write_bytes(path.read_bytes().replace(b"(4,), }      ", b"(9999999,), }"))
    with pytest.raises(UserError, match="damaged"):
        map_array(path)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff", b'{"step": "5"}', b"[]", b""])
def test_a_record_that_is_none_is_refused_with_what_to_do(content: bytes, tmp_path: Path):
    path = tmp_path / "stage" / "training.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged") as refusal:
        read_record(path, TrainingRecord)
    assert f"Delete {path.parent} and run" in str(refusal.value)


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
