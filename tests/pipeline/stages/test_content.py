"""Encoding what the settings name: texts, images or both, and where images are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kd_tf import config
from kd_tf.data.dataset import Dataset
from kd_tf.data.synthetic.bookshop import COVERS_NOTE
from kd_tf.errors import UserError
from kd_tf.pipeline.baselines import evaluate_baselines
from kd_tf.pipeline.stages.content import encode_dataset, list_image_folders
from kd_tf.pipeline.stages.load import load_dataset
from kd_tf.progress import NullProgress

SHOP = {"synthetic_items": 60, "synthetic_users": 80, "synthetic_covers": True}
COLD = {"protocol": "cold-items"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KD_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encode(**values: Any) -> Dataset:
    settings = config.from_values(values)
    return encode_dataset(settings, load_dataset(settings), NullProgress())


@pytest.mark.parametrize(
    ("split", "content", "expected"),
    [
        ({}, {}, None),
        ({}, {"image": ["cover"]}, "cover (statistics)"),
        (COLD, {"image": ["cover"]}, "cover (statistics)"),
        ({}, {"text": ["title"]}, "title (tfidf)"),
        (COLD, {"image": ["cover"], "text": ["title"]}, "title (tfidf); cover (statistics)"),
        (COLD, {"image": ["cover", "cover"]}, "cover (statistics)"),
    ],
)
def test_texts_and_images_are_encoded_as_the_settings_say(
    split: dict[str, str], content: dict[str, Any], expected: str | None
) -> None:
    data = {**SHOP, "synthetic_covers": "image" in content}
    features = encode(data=data, split=split, content=content).content
    assert (features and features.describe()) == expected


def test_drawn_covers_and_vectors_are_kept_among_the_caches(cache: Path) -> None:
    encode(data=SHOP, content={"image": ["cover"]})
    assert sorted(path.name for path in cache.iterdir()) == ["synthetic-covers", "vectors"]
    assert len(list((cache / "synthetic-covers").rglob("*.png"))) == 60


def test_the_table_says_that_covers_are_drawn() -> None:
    settings = config.from_values({"data": SHOP, "split": COLD, "content": {"image": ["cover"]}})
    table = evaluate_baselines(settings, models=["popularity"])
    assert COVERS_NOTE in table.dataset.notes


@pytest.fixture
def own_tables(tmp_path: Path) -> dict[str, Any]:
    """A table of loans, and one of items with covers beside it, in another folder."""
    items, covers = tmp_path / "books" / "items.csv", tmp_path / "books" / "covers"
    covers.mkdir(parents=True)
    rows = [f"u{user},i{(user + step) % 6}" for user in range(12) for step in range(5)]
    (tmp_path / "loans.csv").write_text("\n".join(["user,item", *rows]))
    lines = []
    for number in range(6):
        Image.new("RGB", (20, 30), (40 * number, 90, 90)).save(covers / f"{number}.png")
        lines.append(f"i{number},Book {number},covers/{number}.png")
    lines[5] = "i5,Book 5,covers/gone.png"
    items.write_text("\n".join(["item,title,picture", *lines]))
    return {
        "dataset": "csv",
        "interactions": str(tmp_path / "loans.csv"),
        "items": str(items),
        "item_columns": {"title": "title", "cover": "picture"},
    }


def test_paths_are_relative_to_the_folder_of_the_table(own_tables: dict[str, Any]) -> None:
    dataset = encode(data=own_tables, content={"image": ["cover"]})
    assert dataset.content is not None
    assert dataset.content.has_content.tolist() == [*[True] * 5, False]
    assert any("covers/gone.png: there is no such file" in note for note in dataset.notes)


def test_a_folder_of_the_settings_replaces_those_of_the_tables(
    own_tables: dict[str, Any], tmp_path: Path
) -> None:
    content = {"image": ["cover"], "image_folder": str(tmp_path / "books" / "covers")}
    with pytest.raises(UserError, match=r"covers/0\.png: there is no such file"):
        encode(data=own_tables, content=content)
    content["image_folder"] = str(tmp_path / "books")
    assert encode(data=own_tables, content=content).content is not None


def test_a_joined_table_brings_images_too(own_tables: dict[str, Any], tmp_path: Path) -> None:
    table = {"path": str(tmp_path / "books" / "items.csv"), "id": "item"}
    data = {"dataset": "csv", "interactions": own_tables["interactions"], "item_tables": [table]}
    settings = config.from_values({"data": data, "content": {"image": ["picture"]}})
    assert list_image_folders(settings) == [tmp_path / "books", tmp_path]
    assert encode_dataset(settings, load_dataset(settings), NullProgress()).content is not None
