"""Bundles of the ranking task: a file that predicts a label, and how rows are encoded for it.

A bundle is flat::

    model.tflite    the student with ``predict`` and ``predict_batch``
    features.json   how a row of raw values is encoded; see `kd_tf.runtime.features`
    items.json      what the model takes of each item, if it knows items
    sources.json    where a device finds each column, if the bundle is in one that recommends
    config.json     sizes, measurements and the SHA-256 of every file; see `RankerConfig`
    MODEL_CARD.md   what the model is, for people
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kd_tf.runtime.bundle_files import (
    CONFIG_FILE,
    FEATURES_FILE,
    ITEMS_FILE,
    MODEL_CARD_FILE,
    MODEL_FILE,
    SOURCES_FILE,
    ConfigReader,
    FolderFiles,
    check_bundle_folder,
    describe_config,
    open_whole_folder,
    read_verified_files,
    write_verified_files,
)
from kd_tf.runtime.catalog import make_damaged_error
from kd_tf.runtime.features.features_json import encode_features, parse_features
from kd_tf.runtime.features.schema import FeatureSchema
from kd_tf.runtime.item_values import ItemValues, encode_items, parse_items
from kd_tf.runtime.row_sources import RowSources, parse_sources

RANKER_CONTRACT_VERSION = 2


@dataclass(frozen=True)
class RankerConfig:
    """The content of config.json, with one field per key.

    Attributes:
        name: Display name of the model.
        num_places: F, the number of ids of an encoded row.
        num_numeric: G, the number of numbers of an encoded row.
        batch_size: B, the number of rows that ``predict_batch`` takes at once.
        signatures: Names of the model's signatures.
        min_runtime_version: Oldest TensorFlow Lite version that supports all operators.
        quantization: Quantization of the model, such as ``dynamic-int8`` or ``float32``.
        threshold: A click with at least this probability counts as predicted; chosen on validation.
        metrics: Measured metrics by name.
        dataset: Description of the training data.
        sha256: SHA-256 in hexadecimal by file name; `write_ranker_bundle` computes it.
        contract_version: Version of the signatures; other versions are rejected.

    Example:
        >>> config = RankerConfig(
        ...     name="clicks",
        ...     num_places=4,
        ...     num_numeric=2,
        ...     batch_size=64,
        ...     signatures=("predict", "predict_batch"),
        ...     min_runtime_version="2.3.0",
        ...     quantization="float32",
        ...     threshold=0.31,
        ...     metrics={"auc": 0.81},
        ...     dataset={"name": "clicks"},
        ... )
        >>> RankerConfig.from_json(config.to_json()) == config
        True
    """

    name: str
    num_places: int
    num_numeric: int
    batch_size: int
    signatures: tuple[str, ...]
    min_runtime_version: str
    quantization: str
    threshold: float
    metrics: Mapping[str, float]
    dataset: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)
    contract_version: int = RANKER_CONTRACT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Returns the content of config.json, with the contract version first."""
        return describe_config(self)

    @classmethod
    def from_json(cls, content: Any, where: str = CONFIG_FILE) -> RankerConfig:
        """Creates a config from the content of config.json. Unknown keys are ignored.

        Args:
            content: The parsed JSON.
            where: Path of the file, for error messages.

        Raises:
            UserError: The contract version is not `RANKER_CONTRACT_VERSION`, or a key is missing or
                has a wrong value.
        """
        reader = ConfigReader(content, RANKER_CONTRACT_VERSION, where)
        return cls(
            name=reader.get_text("name"),
            num_places=reader.get_count("num_places"),
            num_numeric=reader.get_count("num_numeric"),
            batch_size=reader.get_size("batch_size"),
            signatures=reader.get_texts("signatures"),
            min_runtime_version=reader.get_text("min_runtime_version"),
            quantization=reader.get_text("quantization"),
            threshold=reader.get_share("threshold"),
            metrics=reader.get_metrics("metrics"),
            dataset=reader.get_object("dataset"),
            sha256=reader.get_hashes("sha256"),
        )


@dataclass(frozen=True, repr=False)
class RankerBundle:
    """An opened bundle of the ranking task whose files have been verified.

    Attributes:
        folder: The bundle's folder.
        config: The content of config.json.
        schema: How rows are encoded.
        files: Content of each file by its name: the bytes whose hashes were checked.
        items: What the model takes of each item; None where it knows no items.
        sources: Where a device finds each column; None but in a bundle that recommends.
    """

    folder: Path
    config: RankerConfig
    schema: FeatureSchema
    files: Mapping[str, bytes]
    items: ItemValues | None = None
    sources: RowSources | None = None

    def __repr__(self) -> str:
        return f"<RankerBundle {str(self.folder)!r}: {len(self.schema.columns):,} columns>"

    @classmethod
    def open(cls, folder: str | Path) -> RankerBundle:
        """Opens a bundle and verifies the contract version, all hashes and the features.

        Args:
            folder: The bundle's folder, or the folder of a run that has one.

        Raises:
            UserError: The folder is neither, or a file is missing, was changed after the bundle was
                written, has another version, or lies outside the folder.
        """
        return open_whole_folder(Path(folder), cls.open_files)

    @classmethod
    def open_files(cls, files: FolderFiles) -> RankerBundle:
        """Opens a bundle whose files are read once each: what is checked is what is used.

        Raises:
            UserError: As for `open`.
        """
        config, contents = read_verified_files(
            files, (MODEL_FILE, FEATURES_FILE), RankerConfig.from_json
        )
        features_path = str(files.folder / FEATURES_FILE)
        schema = parse_features(contents[FEATURES_FILE], features_path)
        sizes = (schema.layout.num_places, schema.layout.num_numeric)
        if sizes != (config.num_places, config.num_numeric):
            raise make_damaged_error(
                f"{CONFIG_FILE} has rows of {config.num_places} ids and {config.num_numeric} "
                f"numbers, but these features make {sizes[0]} and {sizes[1]}",
                features_path,
            )
        items = sources = None
        if ITEMS_FILE in config.sha256:
            items = parse_items(contents[ITEMS_FILE], str(files.folder / ITEMS_FILE))
        if SOURCES_FILE in config.sha256:
            sources_path = str(files.folder / SOURCES_FILE)
            if items is None:
                raise make_damaged_error(f"it needs {ITEMS_FILE}", sources_path)
            sources = parse_sources(contents[SOURCES_FILE], schema, items, sources_path)
        return cls(files.folder, config, schema, contents, items, sources)

    @property
    def model(self) -> bytes:
        """Content of the .tflite file."""
        return self.files[MODEL_FILE]

    @property
    def model_path(self) -> Path:
        """Path of the .tflite file."""
        return self.folder / MODEL_FILE


def write_ranker_bundle(
    folder: Path,
    *,
    model: bytes,
    schema: FeatureSchema,
    config: RankerConfig,
    model_card: str,
    items: ItemValues | None = None,
    check: Callable[[RankerBundle], object] | None = None,
) -> RankerBundle:
    """Writes a bundle atomically: an interrupted run leaves the folder as it was.

    Args:
        folder: Target folder: new, empty, or an earlier bundle, which is replaced.
        model: Content of the .tflite file.
        schema: How rows are encoded.
        config: The config; its hashes are computed here.
        model_card: The model card in Markdown.
        items: What the model takes of each item, if it knows items.
        check: Gets the new bundle before it takes the place of an old one, and raises if it is not
            good enough.

    Returns:
        The bundle, opened and verified.

    Raises:
        UserError: The disk is full, or the folder cannot be written or has other files.
    """
    check_bundle_folder(Path(folder))
    files = {
        MODEL_FILE: model,
        FEATURES_FILE: encode_features(schema),
        MODEL_CARD_FILE: model_card.encode("utf-8"),
        **({} if items is None else {ITEMS_FILE: encode_items(items)}),
    }
    bundle = write_verified_files(
        folder,
        files,
        lambda hashes: dataclasses.replace(config, sha256=hashes).to_json(),
        RankerBundle.open,
        check,
    )
    return dataclasses.replace(bundle, folder=Path(folder))
