"""Bundles that the page refuses: the words a reader gets, and the shelf kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site

pytestmark = pytest.mark.browser

WORDS = {
    "contract": ("contract version 2; this page reads version 1", "same version of kd-tf"),
    "no config": ("config.json is missing from the bundle (the server answered 404)", "--export"),
    "no model": ("model.tflite is missing from the bundle", "--export"),
    "broken config": ("config.json is damaged", "--export"),
    "no length": ("max_length is missing or is not what it should be", "--export"),
    "another figure": ("config_sha256 is not its SHA-256", "upload"),
    "no seal": ("config_sha256 is not its SHA-256", "upload"),
    "one bit": ("model.tflite is not the file that the bundle was made with", "upload"),
    "unlisted": ("config.json gives no SHA-256 for model.tflite", "--export"),
    "another host": ("//elsewhere.invalid/x, which is not the name", "Do not use this bundle"),
    "broken catalogue": ("catalog.json is damaged", "--export"),
    "catalogue version": ("The catalogue has version 2", "same version of kd-tf"),
    "too few books": ("has 9,999 books, the model 10,000", "Export the whole bundle again"),
    "no books": ("The catalogue is empty", "kd-tf run"),
    "no books at all": ("The catalogue is empty", "kd-tf run"),
    "wrong id": ("Book 1 of the catalogue is damaged", "Export the whole bundle again"),
    "same item": ("Two books of the catalogue have the id", "Export the whole bundle again"),
    "no figure": ("metrics is missing or is not what it should be", "--export"),
    "books of another model": ("recommend: book ", "of 9"),
    "no model but text": ("The model cannot be opened", "built-in operators"),
    # In these three the bundle is sound.
    "no https": ("only on https or on this computer", "kd-tf preview"),
    "an old browser": ("This browser cannot run the model", "WebAssembly with SIMD"),
    "no connection": ("catalog.json could not be fetched", "Check the connection"),
    "other sizes": ("not the one that config.json describes", "Export the whole bundle again"),
}
"""What the page says by fault: what is wrong, and what to do."""

CONFIG, CATALOG, MODEL = "bundle/config.json", "bundle/catalog.json", "bundle/model.tflite"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def damaged(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """A site by what is wrong with its bundle; one is sound, for the test's own faults."""

    def with_config(**changes: Any) -> dict[str, bytes]:
        """As somebody who makes a bundle by hand would: with the right hashes."""
        zeros = "0" * 64
        content = {**json.loads(files[CONFIG]), **changes, "config_sha256": zeros}
        text = json.dumps(content)
        own = sha256(text.encode())
        return {**files, CONFIG: text.replace(zeros, own).encode()}

    def with_listed(path: str, content: bytes) -> dict[str, bytes]:
        hashes = json.loads(files[CONFIG])["sha256"]
        name = path.removeprefix("bundle/")
        hashes = {**hashes, name: sha256(content)}
        return {**with_config(sha256=hashes), path: content}

    def with_catalog(**changes: Any) -> dict[str, bytes]:
        return with_listed(CATALOG, json.dumps({**json.loads(files[CATALOG]), **changes}).encode())

    items = json.loads(files[CATALOG])["books"]
    hashes = json.loads(files[CONFIG])["sha256"]
    without_config = {path: content for path, content in files.items() if path != CONFIG}
    without_model = {path: content for path, content in files.items() if path != MODEL}
    first_books = json.dumps({**json.loads(files[CATALOG]), "books": items[:9]}).encode()
    model = bytearray(files[MODEL])
    model[len(model) // 2] ^= 1
    return {
        "sound": dict(files),
        "contract": with_config(contract_version=2),
        "no config": without_config,
        "no model": without_model,
        "broken config": {**files, CONFIG: files[CONFIG][:100]},
        "no length": with_config(max_length=None),
        "another figure": {**files, CONFIG: files[CONFIG].replace(b"0.25", b"0.95")},
        "no seal": {**files, CONFIG: files[CONFIG].replace(b"config_sha256", b"config_sha255")},
        "one bit": {**files, MODEL: bytes(model)},
        "unlisted": with_config(
            sha256={name: one for name, one in hashes.items() if name != "model.tflite"}
        ),
        "another host": with_config(sha256={**hashes, "//elsewhere.invalid/x": "0"}),
        "broken catalogue": with_listed(CATALOG, b"{"),
        "catalogue version": with_catalog(version=2),
        "too few books": with_catalog(books=items[:-1]),
        "no books": {**with_catalog(books=[])},
        "no books at all": with_config(num_items=0),
        "wrong id": with_catalog(books=[{**items[0], "id": 2}, *items[1:]]),
        "same item": with_catalog(books=[{**items[0], "item_id": items[1]["item_id"]}, *items[1:]]),
        "no figure": with_config(metrics={"ndcg@10": "0.9"}),
        "books of another model": {
            **with_config(num_items=9, sha256={**hashes, "catalog.json": sha256(first_books)}),
            CATALOG: first_books,
        },
        "no model but text": with_listed(MODEL, b"not a model"),
        "other sizes": with_config(max_length=49),
    }


def test_a_refused_bundle_is_explained_and_the_shelf_is_kept(
    site: Site, serve: Callable[[Site], PreviewServer], run_browser: Callable[..., Any]
) -> None:
    faults = damaged(site.files)
    said = run_browser(
        "faults.mjs",
        addresses={fault: serve(Site(site.name, files)).url for fault, files in faults.items()},
    )
    assert said["sound"].startswith("For you")
    assert set(said) == {"sound", *WORDS}
    missing = {
        fault: (words, said[fault])
        for fault, (what, advice) in WORDS.items()
        for words in (what, advice)
        if words not in said[fault]
    }
    assert missing == {}
