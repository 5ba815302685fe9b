"""Provides LiteRT for browsers: the files of the npm package @litertjs/core for the page."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from kd_tf import atomic
from kd_tf.errors import UserError

FILES = {
    "core.js": "@litertjs/core/dist/index.js",
    "wasm-utils.js": "@litertjs/wasm-utils/dist/index.js",
    # One of four builds; web_demo/js/recommender.js says why this one.
    "litert_wasm_compat_internal.js": "@litertjs/core/wasm/litert_wasm_compat_internal.js",
    "litert_wasm_compat_internal.wasm": "@litertjs/core/wasm/litert_wasm_compat_internal.wasm",
}
"""File names in the page, and their paths below ``node_modules``."""

PACKAGE = "@litertjs/core"
LOCK_FILE = "package-lock.json"
NPM_FILES = ("package.json", LOCK_FILE, ".npmrc")
MAX_ERROR_LINES = 5
"""Number of lines of npm's output that an error message shows."""


def get_litert_files(page: Path, info: Callable[[str], None]) -> dict[str, bytes]:
    """Reads the files of LiteRT in the version of the page's lock file.

    They come from ``node_modules`` in `page` if it exists, otherwise from a cache in the user's
    home folder, which npm fills once. npm verifies downloads by the hashes of the lock file.

    Args:
        page: The page's folder, with package.json and package-lock.json.
        info: Receives a message before a download.

    Returns:
        The contents of `FILES` by name.

    Raises:
        UserError: npm is needed and missing, npm failed, or ``node_modules`` has another version.
    """
    lock = (page / LOCK_FILE).read_bytes()
    version = json.loads(lock)["packages"][f"node_modules/{PACKAGE}"]["version"]
    modules = page / "node_modules"
    if (modules / PACKAGE).is_dir():
        _check_version(modules, version)
        return _replace_bare_import(
            {name: (modules / path).read_bytes() for name, path in FILES.items()}
        )
    folder = _get_cache_folder() / f"litert-{version}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not folder.is_dir():
        info(f"downloading {PACKAGE} {version} with npm into {folder} (only once)")
        _fetch(page, folder)
    return _replace_bare_import({name: (folder / name).read_bytes() for name in FILES})


def _replace_bare_import(files: dict[str, bytes]) -> dict[str, bytes]:
    """Replaces the bare import between the two packages by a relative one.

    In a browser, a bare import needs an import map. Import maps are inline scripts, which the
    page's Content-Security-Policy forbids.
    """
    bare, relative = b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"'
    core = files["core.js"]
    if core.count(bare) != 1:
        raise RuntimeError(f"{PACKAGE} imports @litertjs/wasm-utils in {core.count(bare)} places")
    return {**files, "core.js": core.replace(bare, relative)}


def _check_version(modules: Path, required_version: str) -> None:
    """Checks the version of the package in ``node_modules``."""
    version = json.loads((modules / PACKAGE / "package.json").read_bytes())["version"]
    if version != required_version:
        raise UserError(
            f"{PACKAGE} has version {version}, the page needs {required_version}",
            where=str(modules),
            hint=f"Run: npm ci --prefix {modules.parent.resolve()}",
        )


def _fetch(page: Path, target: Path) -> None:
    """Downloads the package with npm and copies its files to `target`."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"npm is needed once to download {PACKAGE}, which runs the model in the browser",
            hint="Install Node.js 20 or newer with npm from your system's packages. Then run "
            "this again.",
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in NPM_FILES:
            shutil.copyfile(page / name, folder / name)
        command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if process.returncode:
            output = "\n".join(process.stderr.strip().splitlines()[-MAX_ERROR_LINES:])
            raise UserError(
                f"npm could not download {PACKAGE}:\n{output}",
                where=" ".join(command),
                hint="Check your connection and npm's settings. Then run this again.",
            )
        with atomic.replace_directory(target) as temporary_folder:
            for name, path in FILES.items():
                shutil.copyfile(folder / "node_modules" / path, temporary_folder / name)


def _get_cache_folder() -> Path:
    """Returns kd_tf's folder in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kd_tf"
