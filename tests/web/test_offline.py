"""The page works without a network after the first visit, and changes as a whole."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kd_tf.preview.export import export_site
from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site, make_site
from kd_tf.runtime.bundle import Bundle
from kd_tf.tflite.quantization import Quantization

pytestmark = pytest.mark.browser


@pytest.fixture
def static_host(site: Site, tmp_path: Path) -> Iterator[str]:
    """The exported folder below a sub-path of a host that knows nothing of kd_tf."""
    export_site(site, tmp_path / "public" / "books" / "here")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "public"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/books/here/"
        server.shutdown()
        thread.join()


def test_an_exported_page_works_offline_from_a_sub_path(
    static_host: str, run_browser: Callable[..., Any]
) -> None:
    run_browser("offline.mjs", step="offline", address=static_host)


def test_a_new_release_replaces_the_old_one_whole_or_not_at_all(
    site: Site,
    bundle: Callable[[Quantization], Bundle],
    modules: Path,
    tmp_path: Path,
    serve: Callable[[Site], PreviewServer],
    run_browser: Callable[..., Any],
) -> None:
    page = tmp_path / "page"
    copy_renamed(modules.parent, page)
    renamed = make_site(bundle(Quantization.INT8), print, page)
    broken = {**site.files, "style.css": b"/* half */"}
    releases = {"old": site.files, "new": renamed.files, "broken": broken}
    server = serve(Site(site.name, dict(site.files)))

    class Control(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.site = Site(site.name, releases[self.path.strip("/")])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Control) as control:
        thread = threading.Thread(target=control.serve_forever, args=(0.01,))
        thread.start()
        try:
            run_browser(
                "offline.mjs",
                step="update",
                address=server.url,
                control=f"http://127.0.0.1:{control.server_port}/",
            )
        finally:
            control.shutdown()
            thread.join()


def copy_renamed(source: Path, target: Path) -> None:
    """The page's sources, with another name in its head."""
    for path in source.rglob("*"):
        relative = path.relative_to(source)
        if relative.parts[0] == "node_modules" or path.is_dir():
            continue
        content = path.read_bytes()
        if relative.parts[-2:] == ("strings", "en.js"):
            content = content.replace(b'"What to read next"', b'"Renamed"')
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        (target / relative).write_bytes(content)
    (target / "node_modules").symlink_to(source.resolve() / "node_modules")
