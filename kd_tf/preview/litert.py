"""LiteRT for browsers: the files of the npm package @litertjs/core that the page loads."""

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
"""What they are called in the page, and where npm puts them."""

PACKAGE = "@litertjs/core"
LOCK_FILE = "package-lock.json"
NPM_FILES = ("package.json", LOCK_FILE, ".npmrc")
MAX_ERROR_LINES = 5
"""So many lines of what npm said are shown when it fails."""


def get_litert_files(page: Path, info: Callable[[str], None]) -> dict[str, bytes]:
    """The content of `FILES`, in the version that the page's lock file names.

    They come from the checkout's ``node_modules`` where `page` has one; else from the user's
    cache, which npm fills once. npm checks what it fetches against the hashes of the lock file.

    Args:
        page: The page's own folder, with package.json and package-lock.json.
        say: Told what takes long.

    Raises:
        UserError: npm is needed and not there, or it failed, or ``node_modules`` is of another
            version.
    """
    lock = (page / LOCK_FILE).read_bytes()
    version = json.loads(lock)["packages"][f"node_modules/{PACKAGE}"]["version"]
    modules = page / "node_modules"
    if (modules / PACKAGE).is_dir():
        _check_version(modules, version)
        return _replace_bare_import(
            {name: (modules / path).read_bytes() for name, path in FILES.items()}
        )
    cached = _get_cache_folder() / f"litert-{version}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not cached.is_dir():
        info(f"fetching {PACKAGE} {version} with npm, once, into {cached}")
        _fetch(page, cached)
    return _replace_bare_import({name: (cached / name).read_bytes() for name in FILES})


def _replace_bare_import(files: dict[str, bytes]) -> dict[str, bytes]:
    """Makes the one import between the packages one that browsers follow.

    A bare name needs an import map, which the page's Content-Security-Policy forbids: import maps
    stand in the page itself.
    """
    bare, relative = b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"'
    core = files["core.js"]
    if core.count(bare) != 1:
        raise RuntimeError(f"{PACKAGE} imports @litertjs/wasm-utils in {core.count(bare)} places")
    return {**files, "core.js": core.replace(bare, relative)}


def _check_version(modules: Path, wanted: str) -> None:
    found = json.loads((modules / PACKAGE / "package.json").read_bytes())["version"]
    if found != wanted:
        raise UserError(
            f"{PACKAGE} is of version {found}, the page needs {wanted}",
            where=str(modules),
            hint=f"Run: npm ci --prefix {modules.parent.resolve()}",
        )


def _fetch(page: Path, cached: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"npm is needed once, to fetch {PACKAGE}: it runs the model in the browser",
            hint="Install Node.js 20 or newer with npm, from your system's packages, and run "
            "this again.",
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in NPM_FILES:
            shutil.copyfile(page / name, folder / name)
        command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-MAX_ERROR_LINES:])
            raise UserError(
                f"npm could not fetch {PACKAGE}:\n{said}",
                where=" ".join(command),
                hint="Check the connection and npm's settings, and run this again.",
            )
        with atomic.replace_directory(cached) as unfinished:
            for name, path in FILES.items():
                shutil.copyfile(folder / "node_modules" / path, unfinished / name)


def _get_cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kd_tf"
