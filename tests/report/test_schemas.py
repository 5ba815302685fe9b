"""The published JSON Schemas describe the files that are written, and no others."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kd_tf.report.ranking_results import RankingModelTable, RankingResults
from kd_tf.report.results import ModelTable, Results
from kd_tf.runtime.bundle import BundleConfig, write_bundle
from kd_tf.runtime.features.categorical import VocabularyFeature
from kd_tf.runtime.features.columns import Column
from kd_tf.runtime.features.label import Label
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.ranker_bundle import RankerConfig, write_ranker_bundle

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
SCRIPT = ROOT / "scripts" / "write_schemas.py"
CONFIG = BundleConfig(
    name="two books",
    num_items=2,
    max_length=5,
    recommendations=2,
    candidates=10,
    signatures=("recommend", "similar"),
    min_runtime_version="2.5.0",
    quantization="int8",
    metrics={"ndcg@10": 0.25},
    dataset={"name": "loans", "users": 30},
)


def read_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return schema


def forbid_other_keys(schema: Any) -> Any:
    """The schema without room for keys that it does not list."""
    if isinstance(schema, list):
        return [forbid_other_keys(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: forbid_other_keys(part) for name, part in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed


def check(content: Any, name: str) -> None:
    # As JSON has it: lists for tuples, texts for keys.
    jsonschema.validate(json.loads(json.dumps(content)), forbid_other_keys(read_schema(name)))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    catalog = [{"item_id": "a", "title": "One"}, {"item_id": "b"}]
    folder = tmp_path / "bundle"
    write_bundle(folder, model=b"model", catalog=catalog, config=CONFIG, model_card="# Two\n")
    return folder


@pytest.fixture
def ranking_bundle(tmp_path: Path) -> Path:
    schema = FeatureSchema(
        label=Label("clicked", "click"),
        columns=(Column("hour", "category"),),
        categorical=(VocabularyFeature("hour", "hour", ("8", "20")),),
        numeric=(),
    )
    config = RankerConfig(
        name="hours",
        num_places=1,
        num_numeric=0,
        batch_size=64,
        signatures=("predict", "predict_batch"),
        min_runtime_version="2.3.0",
        quantization="float32",
        threshold=0.31,
        metrics={"auc": 0.6},
        dataset={"name": "hours", "rows": 100},
    )
    folder = tmp_path / "bundle"
    write_ranker_bundle(
        folder, model=b"model", schema=schema, config=config, model_card="# Hours\n"
    )
    return folder


SCHEMAS = (
    "config.schema.json",
    "results.schema.json",
    "ranking-config.schema.json",
    "ranking-results.schema.json",
    "ranking-comparison.schema.json",
)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_those_of_the_classes(name: str) -> None:
    spec = importlib.util.spec_from_file_location("write_schemas", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = (FOLDER / name).read_text("utf-8")
    assert written == script.encode(script.SCHEMAS[name]()), "run: make schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(written))


def test_every_property_is_described() -> None:
    def find_bare(schema: Any, path: str = "") -> list[str]:
        if not isinstance(schema, dict):
            return []
        bare = [
            f"{path}/{name}"
            for name, part in schema.get("properties", {}).items()
            if not part.get("description")
        ]
        return bare + [
            found for name, part in schema.items() for found in find_bare(part, f"{path}/{name}")
        ]

    assert [find_bare(read_schema(name)) for name in SCHEMAS] == [[]] * len(SCHEMAS)


def test_a_bundle_follows_its_schema(bundle: Path) -> None:
    check(json.loads((bundle / "config.json").read_text("utf-8")), "config.schema.json")


def test_results_follow_their_schema(results: Results, ranking_results: RankingResults) -> None:
    check(results.to_json(), "results.schema.json")
    check(ranking_results.to_json(), "ranking-results.schema.json")


def test_a_bundle_of_the_ranking_task_follows_its_schema(ranking_bundle: Path) -> None:
    content = json.loads((ranking_bundle / "config.json").read_text("utf-8"))
    check(content, "ranking-config.schema.json")
    for key, value in (("contract_version", 1), ("batch_size", 0), ("threshold", 1.5)):
        with pytest.raises(jsonschema.ValidationError):
            check({**content, key: value}, "ranking-config.schema.json")


def test_a_table_without_files_follows_the_schema_of_results(results: Results) -> None:
    table = ModelTable(results.dataset, results.models, results.comparisons, results.environment)
    check(table.to_json(), "results.schema.json")


def test_a_comparison_of_the_ranking_task_follows_its_schema(
    ranking_results: RankingResults,
) -> None:
    models, comparisons = ranking_results.models, ranking_results.comparisons
    table = RankingModelTable(ranking_results.dataset, models, comparisons, 3, 1)
    check(table.to_json(), "ranking-comparison.schema.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("contract_version", 2),
        ("num_items", 0),
        ("max_length", "5"),
        ("signatures", "recommend"),
        ("metrics", {"ndcg@10": None}),
        ("sha256", {"model.tflite": "0" * 64}),
        ("config_sha256", "none"),
    ],
)
def test_a_wrong_config_breaks_the_schema(bundle: Path, key: str, value: Any) -> None:
    content = json.loads((bundle / "config.json").read_text("utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        check({**content, key: value}, "config.schema.json")
    del content[key]
    with pytest.raises(jsonschema.ValidationError):
        check(content, "config.schema.json")


def test_wrong_results_break_the_schema(results: Results) -> None:
    content = results.to_json()
    without_chosen = {name: part for name, part in content.items() if name != "chosen"}
    for wrong in ({**content, "version": 1}, {**content, "models": [{}]}, without_chosen):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, "results.schema.json")


def test_keys_of_later_versions_are_allowed(bundle: Path) -> None:
    content = json.loads((bundle / "config.json").read_text("utf-8"))
    jsonschema.validate({**content, "new": 1}, read_schema("config.schema.json"))
