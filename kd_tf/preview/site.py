"""The page and a bundle put together: every file that a browser may ask for, and no other."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kd_tf.preview.litert import get_litert_files
from kd_tf.runtime.bundle import CONFIG_FILE, Bundle

PAGE = Path(__file__).parent / "page"
"""The page's sources. In the repository this is a link to web_demo/; a wheel carries copies."""

PAGE_FILES = (
    "index.html",
    "style.css",
    "icon.svg",
    "manifest.webmanifest",
    "service_worker.js",
    "LICENSE.txt",
    "js/**/*.js",
)
"""Patterns of what of `PAGE` is part of the site."""

INDEX_FILE = "index.html"
RELEASE_FILE = "release.js"
SERVICE_WORKER_FILE = "service_worker.js"


@dataclass(frozen=True)
class Site:
    """A page for one bundle.

    Attributes:
        name: Of the bundle, in letters, digits and hyphens; for an address.
        files: Content by path, as relative addresses have it.
    """

    name: str
    files: Mapping[str, bytes]


def make_site(bundle: Bundle, info: Callable[[str], None], page: Path = PAGE) -> Site:
    """Puts the page, LiteRT's files and a bundle together.

    Args:
        bundle: Opened, and so checked.
        say: Told what takes long.
        page: The page's sources.

    Raises:
        UserError: LiteRT's files cannot be had; see `litert_files`.
    """
    files = {
        path.relative_to(page).as_posix(): path.read_bytes()
        for pattern in PAGE_FILES
        for path in sorted(page.glob(pattern))
    }
    for name, content in get_litert_files(page, info).items():
        files[f"litert/{name}"] = content
    for name in (CONFIG_FILE, *bundle.config.sha256):
        files[f"bundle/{name}"] = (bundle.folder / name).read_bytes()
    files[RELEASE_FILE] = _make_release_script(files)
    return Site(_make_slug(bundle.config.name), dict(sorted(files.items())))


def _make_release_script(files: Mapping[str, bytes]) -> bytes:
    """What the service worker keeps: the hash of every file, and one of all hashes.

    A browser fetches this script again on every visit; a byte more or less makes it take the
    whole new release.
    """
    hashes = {
        name: f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"
        for name, content in sorted(files.items())
        # The browser keeps the service worker itself.
        if name != SERVICE_WORKER_FILE
    }
    version = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    release = json.dumps({"version": version, "files": hashes}, indent=1)
    return f"self.RELEASE = {release};\n".encode()


def _make_slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # Of a name in another script nothing is left, and two such are still two.
    return slug or f"bundle-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
