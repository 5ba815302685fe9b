"""The page and a bundle put together."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from kd_tf.preview.server import CONTENT_SECURITY_POLICY, CONTENT_TYPES
from kd_tf.preview.site import PAGE, Site, make_site
from kd_tf.runtime.bundle import Bundle


def release_of(site: Site) -> dict[str, object]:
    text = site.files["release.js"].decode()
    content: dict[str, object] = json.loads(text.removeprefix("self.RELEASE = ").rstrip(";\n"))
    return content


def test_a_site_is_the_page_the_runtime_and_the_bundle(site: Site) -> None:
    assert sorted(site.files) == [
        "bundle/MODEL_CARD.md",
        "bundle/catalog.json",
        "bundle/config.json",
        "bundle/model.tflite",
        "index.html",
        "js/main.js",
        "js/views/one.js",
        "litert/core.js",
        "litert/litert_wasm_compat_internal.js",
        "litert/litert_wasm_compat_internal.wasm",
        "litert/wasm-utils.js",
        "release.js",
        "service_worker.js",
        "style.css",
    ]
    # The bundle's name, made fit for an address.
    assert site.name == "sch-ne-b-cher-2"


def test_the_release_lists_what_the_service_worker_keeps_with_hashes(site: Site) -> None:
    files = release_of(site)["files"]
    assert isinstance(files, dict)
    assert set(site.files) - set(files) == {"service_worker.js", "release.js"}
    for name, integrity in files.items():
        digest = base64.b64encode(hashlib.sha256(site.files[name]).digest()).decode()
        assert integrity == f"sha256-{digest}"


def test_every_changed_byte_is_a_new_release_and_nothing_else_is(
    site: Site, bundle: Bundle, page: Path
) -> None:
    assert make_site(bundle, print, page).files == site.files
    (page / "style.css").write_text("another", "utf-8")
    assert release_of(make_site(bundle, print, page))["version"] != release_of(site)["version"]


def test_the_page_says_the_policy_that_the_server_sends() -> None:
    index = (PAGE / "index.html").read_text("utf-8")
    assert re.findall(r'content="(default-src[^"]*)"', index) == [CONTENT_SECURITY_POLICY]
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["style-src"] == "'self'"
    assert "unsafe-inline" not in CONTENT_SECURITY_POLICY


def test_the_page_needs_no_other_address_and_no_place_of_its_own() -> None:
    index = (PAGE / "index.html").read_text("utf-8")
    manifest = json.loads((PAGE / "manifest.webmanifest").read_text("utf-8"))
    addresses = re.findall(r'(?:href|src)="([^"]*)"', index)
    addresses += [manifest["start_url"], manifest["scope"], manifest["icons"][0]["src"]]
    assert len(addresses) > 8
    # Relative, so that a sub-path is as good as any.
    assert not [one for one in addresses if re.match(r"/|[a-z]+:", one)]
    inline = re.findall(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", index)
    assert inline == []


def test_every_kind_of_file_of_the_page_has_its_content_type() -> None:
    names = [path for path in PAGE.iterdir() if path.is_file()]
    names += list((PAGE / "js").rglob("*.js"))
    served = {path.suffix for path in names if path.name[0] != "."}
    assert served <= set(CONTENT_TYPES)
