"""A bundle of the ranking task predicts raw rows as the model does, or is refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_tf.errors import UserError
from kd_tf.models.ranking.base import RankingModel
from kd_tf.models.ranking.students import FactorizationMachineStudent
from kd_tf.runtime.bundle import Bundle
from kd_tf.runtime.bundle_files import encode_with_own_hash
from kd_tf.runtime.features.features_json import from_json
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.ranker import Ranker
from kd_tf.runtime.ranker_bundle import RankerBundle, RankerConfig, write_ranker_bundle
from kd_tf.tflite.quantization import Quantization
from kd_tf.tflite.ranking.convert import convert_ranking_model

RECOMMENDER = Path(__file__).parents[1] / "golden" / "bundle-v1"

ROWS: dict[str, list[Any]] = {
    "user": ["ann", "ben", "nobody", None, "ann"],
    "tags": ["a|b", "", "b|z", None, "b"],
    "price": [3.5, None, 9.0, 2, 0.0],
}


def make_schema(max_values: int = 2) -> FeatureSchema:
    return from_json(
        {
            "version": 1,
            "missing": ["n/a"],
            "label": {"name": "stars", "kind": "rating", "low": 1, "high": 5},
            "columns": [
                {"name": "user", "type": "category"},
                {"name": "tags", "type": "list", "separator": "|"},
                {"name": "price", "type": "number"},
            ],
            "categorical": [
                {"name": "user", "kind": "vocabulary", "column": "user", "values": ["ann", "ben"]},
                {
                    "name": "tags",
                    "kind": "vocabulary",
                    "column": "tags",
                    "values": ["a", "b"],
                    "max_values": max_values,
                },
            ],
            "numeric": [
                {
                    "name": "price",
                    "kind": "scaled",
                    "column": "price",
                    "low": 0,
                    "high": 10,
                    "offset": 2,
                    "divisor": 4,
                    "fill": 0.25,
                    "log": False,
                }
            ],
        }
    )


def make_config(schema: FeatureSchema) -> RankerConfig:
    return RankerConfig(
        name="stars",
        num_places=schema.layout.num_places,
        num_numeric=schema.layout.num_numeric,
        batch_size=4,
        signatures=("predict", "predict_batch"),
        min_runtime_version="2.3.0",
        quantization="float32",
        threshold=0.5,
        metrics={"rmse": 0.9},
        dataset={"name": "stars"},
    )


@pytest.fixture(scope="module")
def student() -> RankingModel:
    student = FactorizationMachineStudent(make_schema().layout, label_kind="rating")
    student.create_weights()
    random = np.random.default_rng(0)
    for weight in student.trainable_variables:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return student


@pytest.fixture(scope="module")
def written(student: RankingModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "bundle"
    schema = make_schema()
    write_ranker_bundle(
        folder,
        model=convert_ranking_model(student, Quantization.FLOAT32, batch_size=4),
        schema=schema,
        config=make_config(schema),
        model_card="# Stars\n",
        check=Ranker.from_bundle,
    )
    return folder


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def test_raw_rows_get_the_prediction_of_the_model_in_the_units_of_the_table(
    student: RankingModel, written: Path
) -> None:
    ranker = Ranker.load(written.parent)  # the folder of a run has the bundle in it
    # Rows by hand: missing 0, unknown 1, then the values; (3.5 - 2) / 4 and so on.
    ids = np.array([[2, 2, 3], [3, 0, 0], [1, 3, 1], [0, 0, 0], [2, 3, 0]], np.int32)
    numbers = np.array([[0.375], [0.25], [1.75], [0.0], [-0.5]], np.float32)
    expected = 1 + 4 * student.predict_probabilities({"categorical": ids, "numeric": numbers})
    actual = ranker.predict_all(ROWS)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert np.ptp(actual) > 0.2
    for row, stars in enumerate(expected):
        values = {name: column[row] for name, column in ROWS.items()}
        assert ranker.predict({**values, "other": 1}) == pytest.approx(stars, abs=1e-5)


def test_a_row_without_a_column_is_refused_by_its_name(written: Path) -> None:
    with pytest.raises(UserError, match="price"):
        Ranker.load(written).predict({"user": "ann", "tags": "a"})


@pytest.mark.parametrize("name", ["model.tflite", "features.json", "config.json", "MODEL_CARD.md"])
def test_a_changed_byte_of_any_file_is_refused(name: str, bundle: Path) -> None:
    content = (bundle / name).read_bytes()
    for place in (len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        (bundle / name).write_bytes(changed)
        with pytest.raises(UserError, match=f"(?s){name}"):
            RankerBundle.open(bundle)
    (bundle / name).unlink()
    with pytest.raises(UserError, match="cannot be read"):
        RankerBundle.open(bundle)


def test_a_bundle_of_the_other_task_is_refused_in_words(written: Path) -> None:
    with pytest.raises(UserError, match="version 1, this kd_tf reads version 2") as error:
        RankerBundle.open(RECOMMENDER)
    assert "Recommender" in str(error.value)
    with pytest.raises(UserError, match="version 2, this kd_tf reads version 1") as error:
        Bundle.open(written)
    assert "Ranker" in str(error.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"contract_version": 3}, "contract version 3"),
        ({"contract_version": True}, "contract version True"),
        ({"threshold": 1.5}, "threshold must be from 0 to 1, not 1.5"),
        ({"threshold": True}, "threshold must be from 0 to 1"),
        ({"threshold": None}, "threshold must be from 0 to 1"),
        ({"num_places": -1}, "num_places must be 0 or more"),
        ({"num_places": 4}, "rows of 4 ids and 1 numbers, but these features make 3 and 1"),
        ({"num_numeric": 1.0}, "num_numeric must be an integer"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"signatures": [1]}, "signatures must be a list of names"),
        ({"metrics": {"auc": "0.9"}}, "auc is not a number"),
        ({"sha256": {}}, "sha256 does not list model.tflite"),
    ],
)
def test_a_config_without_sense_is_refused(
    values: dict[str, Any], words: str, bundle: Path
) -> None:
    """Signed, as a program would that wrote it so."""
    content = json.loads((bundle / "config.json").read_bytes())
    del content["config_sha256"]
    (bundle / "config.json").write_bytes(encode_with_own_hash({**content, **values}))
    with pytest.raises(UserError, match=words):
        RankerBundle.open(bundle)


def test_the_features_of_another_model_are_refused(written: Path, bundle: Path) -> None:
    """Hashes and config.json fit the features; only the model takes other rows."""
    schema = make_schema(max_values=3)
    arguments: dict[str, Any] = {
        "model": RankerBundle.open(written).model,
        "schema": schema,
        "config": make_config(schema),
        "model_card": "",
    }
    write_ranker_bundle(bundle.parent / "unchecked", **arguments)
    with pytest.raises(UserError, match="rows of 4 ids and 1 numbers, but the model takes 3 and 1"):
        Ranker.load(bundle.parent / "unchecked")
    with pytest.raises(UserError, match="rows of 4 ids"):
        write_ranker_bundle(bundle, **arguments, check=Ranker.from_bundle)
    # What was refused has not taken the place of what was good.
    assert Ranker.load(bundle).bundle.config.num_places == 3


def test_a_config_survives_its_file(written: Path) -> None:
    config = RankerBundle.open(written).config
    assert RankerConfig.from_json({**config.to_json(), "later": 1}) == config
