"""A page and a bundle with nothing real in them: no browser, no npm and no network here."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kd_tf.preview.litert import FILES
from kd_tf.preview.site import Site, make_site
from kd_tf.runtime.bundle import Bundle, BundleConfig, write_bundle

VERSION = "2.5.3"

NPM = """#!/bin/sh
echo "$@" >> "{log}"
[ -e .npmrc ] && [ -e package-lock.json ] || exit 9
[ -z "{fault}" ] || {{ echo "npm error {fault}" >&2; exit 1; }}
cp -R "{modules}" node_modules
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(
        tmp_path / "bundle",
        model=b"    TFL3 a model",
        catalog=[{"item_id": "a", "title": "A book"}],
        config=BundleConfig(
            name="Schöne Bücher / 2",
            num_items=1,
            max_length=5,
            recommendations=5,
            candidates=5,
            signatures=("recommend",),
            min_runtime_version="2.4.0",
            quantization="int8",
            metrics={},
            dataset={},
        ),
        model_card="# A model\n",
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page's sources, with what npm would put beside them."""
    folder = tmp_path / "page"
    (folder / "js" / "views").mkdir(parents=True)
    for name in ("index.html", "style.css", "service_worker.js", "js/main.js", "js/views/one.js"):
        (folder / name).write_text(f"content of {name}", "utf-8")
    (folder / "package.json").write_text("{}", "utf-8")
    (folder / ".npmrc").write_text("", "utf-8")
    write_lock(folder, VERSION)
    install(folder / "node_modules", VERSION)
    return folder


@pytest.fixture
def site(bundle: Bundle, page: Path) -> Site:
    return make_site(bundle, print, page)


@pytest.fixture
def put_npm(tmp_path: Path) -> Callable[..., Path]:
    """``put_npm(fault)``: an npm in ``bin`` that knows one package, and its list of calls."""

    def put(fault: str = "") -> Path:
        modules, log = tmp_path / "registry", tmp_path / "npm.log"
        install(modules, VERSION)
        npm = tmp_path / "bin" / "npm"
        npm.parent.mkdir(exist_ok=True)
        npm.write_text(NPM.format(log=log, fault=fault, modules=modules), "utf-8")
        npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
        return log

    return put


def write_lock(folder: Path, version: str) -> None:
    lock = {"packages": {"node_modules/@litertjs/core": {"version": version}}}
    (folder / "package-lock.json").write_text(json.dumps(lock), "utf-8")


def install(modules: Path, version: str) -> None:
    """As npm does."""
    for path in FILES.values():
        file = modules / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'import "@litertjs/wasm-utils"; // {path}', "utf-8")
    package = modules / "@litertjs" / "core" / "package.json"
    package.write_text(json.dumps({"version": version}), "utf-8")
