"""Writes the JSON Schemas of config.json and results.json from the classes that write the files.

Run by `make schemas`. Names, types and descriptions come from the fields of the classes and the
*Attributes* of their docstrings.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kd_tf.report.ranking_results import RankingModelTable, RankingResults
from kd_tf.report.results import ModelTable, Results
from kd_tf.runtime.bundle import CONTRACT_VERSION, BundleConfig
from kd_tf.runtime.bundle_files import CONFIG_HASH_KEY
from kd_tf.runtime.ranker_bundle import RANKER_CONTRACT_VERSION, RankerConfig
from kd_tf.tflite.artifact import Artifact

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ABOUT_BUNDLES = (
    "Sizes, metrics and hashes of a bundle. A reader ignores keys that it does not know, and "
    "refuses a contract_version that it does not know."
)
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}


def make_config_schema() -> dict[str, Any]:
    """Makes the schema of a bundle's config.json."""
    schema = make_bundle_schema(BundleConfig, CONTRACT_VERSION, "catalog.json")
    for name in ("num_items", "max_length", "recommendations", "candidates"):
        schema["properties"][name]["minimum"] = 1
    ranker_hash = schema["properties"]["ranker_sha256"]
    schema["properties"]["ranker_sha256"] = {
        "description": ranker_hash["description"],
        **SHA256,
    }
    schema["required"].remove("ranker_sha256")
    return finish("kd_tf: config.json of a bundle", ABOUT_BUNDLES, schema)


def make_ranking_config_schema() -> dict[str, Any]:
    """Makes the schema of config.json of a bundle of the ranking task."""
    schema = make_bundle_schema(RankerConfig, RANKER_CONTRACT_VERSION, "features.json")
    keys = schema["properties"]
    for name, minimum in (("num_places", 0), ("num_numeric", 0), ("batch_size", 1)):
        keys[name]["minimum"] = minimum
    keys["threshold"] |= {"minimum": 0, "maximum": 1}
    return finish("kd_tf: config.json of a bundle of the ranking task", ABOUT_BUNDLES, schema)


def make_bundle_schema(cls: type, contract_version: int, data_file: str) -> dict[str, Any]:
    """Makes the schema of a bundle's config.json with its hashes.

    Args:
        cls: The class of its keys.
        contract_version: The only contract version it may have.
        data_file: The file that a bundle has beside its model.
    """
    schema = make_object_schema(cls)
    keys = schema["properties"]
    keys["contract_version"]["const"] = contract_version
    keys["sha256"]["additionalProperties"] = SHA256
    keys["sha256"]["required"] = ["model.tflite", data_file]
    keys[CONFIG_HASH_KEY] = {
        "description": "SHA-256 of config.json itself, computed with 64 zeros in this place.",
        **SHA256,
    }
    schema["required"] = sorted(keys)
    return schema


def make_results_schema() -> dict[str, Any]:
    """Makes the schema of a run's results.json, and of the tables of other commands."""
    schema = make_object_schema(Results)
    schema["properties"]["version"]["const"] = Results.version
    required = [field.name for field in dataclasses.fields(ModelTable)]
    of_runs = sorted(set(schema["properties"]) - set(required))
    schema["required"] = sorted(required)
    # A table of `kd-tf baselines` or `kd-tf compare` has no files.
    schema["dependentRequired"] = {"artifacts": of_runs}
    return finish(
        "kd_tf: results.json",
        "All figures of a run. kd-tf baselines --json and kd-tf compare --json write the same "
        "without exported files: the keys " + ", ".join(of_runs) + " are then missing.",
        schema,
    )


def make_ranking_results_schema() -> dict[str, Any]:
    """Makes the schema of results.json of a run of the ranking task."""
    schema = make_object_schema(RankingResults)
    schema["properties"]["version"]["const"] = RankingResults.version
    schema["properties"]["task"]["const"] = RankingResults.task
    return finish(
        "kd_tf: results.json of the ranking task",
        "All figures of a run of the ranking task.",
        schema,
    )


def make_ranking_comparison_schema() -> dict[str, Any]:
    """Makes the schema of what ``kd-tf compare --task ranking --json`` writes."""
    schema = make_object_schema(RankingModelTable)
    schema["properties"]["version"]["const"] = RankingModelTable.version
    schema["properties"]["task"]["const"] = RankingModelTable.task
    return finish(
        "kd_tf: a comparison of the ranking task",
        "All figures that kd-tf compare --task ranking --json writes.",
        schema,
    )


def finish(title: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Puts what names the schema before the schema."""
    return {"$schema": DIALECT, "title": title, "description": description, **schema}


def make_object_schema(cls: type) -> dict[str, Any]:
    """Makes the schema of a dataclass as `dataclasses.asdict` writes it. All keys are required."""
    # `Artifact` is imported for type checkers only, so that reading results needs no TensorFlow.
    hints = typing.get_type_hints(cls, localns={"Artifact": Artifact})
    descriptions = read_attributes(cls)
    return {
        "type": "object",
        "properties": {
            field.name: {
                **make_schema(hints[field.name]),
                "description": descriptions[field.name],
            }
            for field in dataclasses.fields(cls)
        },
        "required": sorted(field.name for field in dataclasses.fields(cls)),
    }


def make_schema(hint: Any) -> dict[str, Any]:
    """Makes the schema of a type.

    Raises:
        TypeError: There is no rule for the type.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if hint in TYPES:
        return {"type": TYPES[hint]}
    if dataclasses.is_dataclass(hint):
        return make_object_schema(typing.cast(type, hint))
    if origin in (dict, Mapping):
        values = make_schema(arguments[1])
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if origin is list or (origin is tuple and arguments[-1] is Ellipsis):
        return {"type": "array", "items": make_schema(arguments[0])}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [make_schema(argument) for argument in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [make_schema(argument) for argument in arguments]}
    if hint is type(None):
        return {"type": "null"}
    raise TypeError(f"there is no schema for {hint}")


def read_attributes(cls: type) -> dict[str, str]:
    """Reads the descriptions of the attributes from a docstring: one paragraph for each."""
    section = inspect.getdoc(cls).partition("\nAttributes:\n")[2]  # type: ignore[union-attr]
    section = re.split(r"\n\n", section)[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n {6,}.+)*)", section, re.M)
    return {name: re.sub(r"\s+", " ", text) for name, text in entries}


SCHEMAS = {
    "config.schema.json": make_config_schema,
    "results.schema.json": make_results_schema,
    "ranking-config.schema.json": make_ranking_config_schema,
    "ranking-results.schema.json": make_ranking_results_schema,
    "ranking-comparison.schema.json": make_ranking_comparison_schema,
}


def encode(schema: Mapping[str, Any]) -> str:
    """Encodes a schema as it is written to its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for name, make in SCHEMAS.items():
        (FOLDER / name).write_text(encode(make()), "utf-8")


if __name__ == "__main__":
    main()
