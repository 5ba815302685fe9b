"""Reads and writes bundles of recommenders, the folders that an app ships.

A bundle is flat::

    model.tflite    the student with all its signatures
    catalog.json    {"version": 1, "books": [{"id": 1, "item_id": "...", "title": "..."}, ...]}
    config.json     sizes, measurements and the SHA-256 of every file; see `BundleConfig`
    MODEL_CARD.md   what the model is, for people

It may have a folder ``ranker`` beside these files: a bundle of the ranking task
(`kd_tf.runtime.ranker_bundle`) that sorts what the model recommends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kd_tf.runtime.bundle_files import (
    CATALOG_FILE,
    CONFIG_FILE,
    MODEL_CARD_FILE,
    MODEL_FILE,
    RANKER_FOLDER,
    ConfigReader,
    FolderFiles,
    check_bundle_folder,
    describe_config,
    open_whole_folder,
    read_verified_files,
    write_verified_files,
)
from kd_tf.runtime.catalog import (
    CatalogItems,
    encode_catalog,
    make_catalog_row,
    parse_catalog,
)

if TYPE_CHECKING:
    from kd_tf.runtime.ranker_bundle import RankerBundle

CONTRACT_VERSION = 1


@dataclass(frozen=True)
class BundleConfig:
    """The content of config.json, with one field per key.

    Attributes:
        name: Display name of the model.
        num_items: V, the number of items; their model ids are 1..V.
        max_length: L, the number of items of a history that the model sees.
        recommendations: K, the number of items in a list.
        candidates: C, the number of items that ``score`` takes at once.
        signatures: Names of the model's signatures.
        min_runtime_version: Oldest TensorFlow Lite version that supports all operators.
        quantization: Quantization of the model, such as ``int8`` or ``float32``.
        metrics: Measured metrics by name.
        dataset: Description of the training data: name, users, items and more.
        sha256: SHA-256 in hexadecimal by file name; `write_bundle` computes it.
        ranker_sha256: SHA-256 of ranker/config.json where the bundle has a ranker;
            `kd_tf.runtime.write_bundle_ranker` computes it.
        contract_version: Version of the signatures; other versions are rejected.

    Example:
        >>> config = BundleConfig(
        ...     name="shop",
        ...     num_items=200,
        ...     max_length=50,
        ...     recommendations=20,
        ...     candidates=100,
        ...     signatures=("recommend", "similar"),
        ...     min_runtime_version="2.5.0",
        ...     quantization="int8",
        ...     metrics={"ndcg@10": 0.21},
        ...     dataset={"name": "loans"},
        ... )
        >>> config.to_json()["contract_version"]
        1
        >>> BundleConfig.from_json(config.to_json()) == config
        True
    """

    name: str
    num_items: int
    max_length: int
    recommendations: int
    candidates: int
    signatures: tuple[str, ...]
    min_runtime_version: str
    quantization: str
    metrics: Mapping[str, float]
    dataset: Mapping[str, Any]
    sha256: Mapping[str, str] = field(default_factory=dict)
    ranker_sha256: str | None = None
    contract_version: int = CONTRACT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Returns the content of config.json, with the contract version first."""
        content = describe_config(self)
        if self.ranker_sha256 is None:
            del content["ranker_sha256"]
        return content

    @classmethod
    def from_json(cls, content: Any, where: str = CONFIG_FILE) -> BundleConfig:
        """Creates a config from the content of config.json. Unknown keys are ignored.

        Args:
            content: The parsed JSON.
            where: Path of the file, for error messages.

        Returns:
            The config.

        Raises:
            UserError: The contract version is not `CONTRACT_VERSION`, or a key is missing or has
                a wrong value.
        """
        reader = ConfigReader(content, CONTRACT_VERSION, where)
        return cls(
            name=reader.get_text("name"),
            num_items=reader.get_size("num_items"),
            max_length=reader.get_size("max_length"),
            recommendations=reader.get_size("recommendations"),
            candidates=reader.get_size("candidates"),
            signatures=reader.get_texts("signatures"),
            min_runtime_version=reader.get_text("min_runtime_version"),
            quantization=reader.get_text("quantization"),
            metrics=reader.get_metrics("metrics"),
            dataset=reader.get_object("dataset"),
            sha256=reader.get_hashes("sha256"),
            ranker_sha256=reader.get_text("ranker_sha256") if "ranker_sha256" in content else None,
        )


@dataclass(frozen=True, repr=False)
class Bundle:
    """An opened bundle whose files have been verified.

    Attributes:
        folder: The bundle's folder.
        config: The content of config.json.
        items: The catalog; the item with model id ``i`` is ``items[i - 1]``.
        files: Content of each file by its path in the folder: the bytes whose hashes were checked.
            A file that is replaced or cut off later changes nothing here.
        ranker: The bundle of the ranking task in it, if it has one.
    """

    folder: Path
    config: BundleConfig
    items: CatalogItems
    files: Mapping[str, bytes]
    ranker: RankerBundle | None = None

    def __repr__(self) -> str:
        return f"<Bundle {str(self.folder)!r}: {len(self.items):,} items>"

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Opens a bundle and verifies the contract version, all hashes and the catalog.

        Args:
            folder: The bundle's folder, or the folder of a run that has one.

        Returns:
            The bundle.

        Raises:
            UserError: The folder is neither, or a file is missing, was changed after the bundle
                was written, has another version, or lies outside the folder.
        """
        return open_whole_folder(Path(folder), cls._open)

    @classmethod
    def _open(cls, files: FolderFiles) -> Bundle:
        """Opens a bundle whose files are read once each: what is checked is what is used."""
        config, contents = read_verified_files(
            files, (MODEL_FILE, CATALOG_FILE), BundleConfig.from_json
        )
        items = parse_catalog(
            contents[CATALOG_FILE], config.num_items, str(files.folder / CATALOG_FILE)
        )
        if config.ranker_sha256 is None:
            return cls(files.folder, config, items, contents)
        # Imported here: what shows a bundle without a ranker needs no NumPy.
        from kd_tf.runtime.bundle_ranker import open_bundle_ranker

        ranker = open_bundle_ranker(files, config.ranker_sha256)
        contents |= {f"{RANKER_FOLDER}/{name}": content for name, content in ranker.files.items()}
        return cls(files.folder, config, items, contents, ranker)

    @property
    def model(self) -> bytes:
        """Content of the .tflite file."""
        return self.files[MODEL_FILE]

    @property
    def model_path(self) -> Path:
        """Path of the .tflite file."""
        return self.folder / MODEL_FILE


def write_bundle(
    folder: Path,
    *,
    model: bytes,
    catalog: Iterable[Mapping[str, Any]],
    config: BundleConfig,
    model_card: str,
    check: Callable[[Bundle], object] | None = None,
) -> Bundle:
    """Writes a bundle atomically: an interrupted run leaves the folder as it was.

    Args:
        folder: Target folder: new, empty, or an earlier bundle, which is replaced.
        model: Content of the .tflite file.
        catalog: One row per item in the order of ids, with any of the fields of `Item`. Values of
            None are left out; ``id`` is optional.
        config: The config; its hashes are computed here.
        model_card: The model card in Markdown.
        check: Gets the new bundle before it takes the place of an old one, and raises if it is
            not good enough; `Recommender.from_bundle` sees whether it answers.

    Returns:
        The bundle, opened and verified.

    Raises:
        UserError: The disk is full, or the folder cannot be written or has other files.
        ValueError: The catalog does not match the config, has an unknown field or a wrong id, or
            a number is not finite.
    """
    check_bundle_folder(Path(folder))
    rows = [make_catalog_row(row, number) for number, row in enumerate(catalog, start=1)]
    if len(rows) != config.num_items:
        raise ValueError(
            f"the catalog has {len(rows)} items, but the config has num_items {config.num_items}"
        )
    files = {
        MODEL_FILE: model,
        CATALOG_FILE: encode_catalog(rows).encode("utf-8"),
        MODEL_CARD_FILE: model_card.encode("utf-8"),
    }
    bundle = write_verified_files(
        folder,
        files,
        lambda hashes: dataclasses.replace(config, sha256=hashes).to_json(),
        Bundle.open,
        check,
    )
    return dataclasses.replace(bundle, folder=Path(folder))
