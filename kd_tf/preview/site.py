"""Combines the page with a bundle into a site: all files that a browser may request."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kd_tf.preview.litert import get_litert_files
from kd_tf.runtime.bundle import Bundle

PAGE = Path(__file__).parent / "page"
"""The page's sources. In the repository this is a link to web_demo/; a wheel contains copies."""

PAGE_FILES = (
    "index.html",
    "style.css",
    "icon.svg",
    "manifest.webmanifest",
    "service_worker.js",
    "LICENSE.txt",
    "js/**/*.js",
)
"""Glob patterns of the files of `PAGE` that are part of the site."""

INDEX_FILE = "index.html"
RELEASE_FILE = "release.js"
SERVICE_WORKER_FILE = "service_worker.js"

_RELEASE_START, _RELEASE_END = b"self.RELEASE = ", b";\n"


@dataclass(frozen=True)
class Site:
    """The web page for one bundle.

    Attributes:
        name: Name of the bundle in letters, digits and hyphens, for use in a URL.
        files: Content of each file by its relative path.

    Example:
        >>> site = Site("shop", {"index.html": b"<!doctype html>"})
        >>> site.files["index.html"]
        b'<!doctype html>'
    """

    name: str
    files: Mapping[str, bytes]


def make_site(bundle: Bundle, info: Callable[[str], None], page: Path = PAGE) -> Site:
    """Combines the page, LiteRT's files and a bundle.

    Args:
        bundle: The opened bundle.
        info: Receives a message before a download.
        page: The page's sources.

    Returns:
        The site.

    Raises:
        UserError: LiteRT's files are not available; see `get_litert_files`.
    """
    files = {
        path.relative_to(page).as_posix(): path.read_bytes()
        for pattern in PAGE_FILES
        for path in sorted(page.glob(pattern))
    }
    for name, content in get_litert_files(page, info).items():
        files[f"litert/{name}"] = content
    for name, content in bundle.files.items():
        files[f"bundle/{name}"] = content
    files[RELEASE_FILE] = _make_release_script(files)
    return Site(_make_slug(bundle.config.name), dict(sorted(files.items())))


def _make_release_script(files: Mapping[str, bytes]) -> bytes:
    """Returns the script with the hash of each file and a hash of all of them.

    The service worker caches these files. A browser fetches this script on every visit, and any
    change in it makes the browser load the new release as a whole.
    """
    hashes = {
        name: hash_content(content)
        for name, content in sorted(files.items())
        # The browser itself caches the service worker.
        if name != SERVICE_WORKER_FILE
    }
    version = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    release = json.dumps({"version": version, "files": hashes}, indent=1)
    return _RELEASE_START + release.encode() + _RELEASE_END


def hash_content(content: bytes) -> str:
    """Returns the hash of a file as the release script has it, and as browsers take it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def read_release(script: bytes) -> dict[str, str]:
    """Returns the hash of each file that a release script lists.

    Raises:
        ValueError: It is not a release script of this page.
    """
    if not (script.startswith(_RELEASE_START) and script.endswith(_RELEASE_END)):
        raise ValueError("not a release script")
    release = json.loads(script[len(_RELEASE_START) : -len(_RELEASE_END)])
    files = release.get("files") if isinstance(release, dict) else None
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise ValueError("the release script lists no files")
    return files


def _make_slug(name: str) -> str:
    """Converts a name to letters, digits and hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # Nothing remains of a name in another script: use a hash to tell such names apart.
    return slug or f"bundle-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
