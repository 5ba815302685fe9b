"""The page on this computer: one site on 127.0.0.1, and nothing else."""

from __future__ import annotations

import errno
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from kd_tf.errors import UserError
from kd_tf.preview.site import INDEX_FILE, Site

ADDRESS = "127.0.0.1"

DEFAULT_PORT = 8766
"""Tried first. A browser keeps a shelf by address and port, so the port should stay the same."""

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
DEFAULT_CONTENT_TYPE = "application/octet-stream"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""The page's own ``<meta>`` says the same, for hosts that send no headers."""

HEADERS = {
    # Frames can be forbidden by a header only.
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # These two give the page a clock of microseconds, to measure its latency with.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # The service worker keeps what is to be kept.
    "Cache-Control": "no-cache",
}

IDLE_TIMEOUT_SECONDS = 60
"""A connection that says nothing for so long is closed."""


class PreviewServer(ThreadingHTTPServer):
    """Serves a site under ``/NAME/``, so that what the browser keeps of it stays apart.

    Args:
        site: What is served.
        port: None for the usual one, or a free one where that is taken.

    Raises:
        UserError: The port is taken or may not be used.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int | None = None) -> None:
        self.site = site
        self.prefix = f"/{site.name}/"
        try:
            super().__init__((ADDRESS, DEFAULT_PORT if port is None else port), _Handler)
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"the port {port} cannot be used: {error.strerror}",
                    hint="Give another one, or none for a free one.",
                ) from error
            super().__init__((ADDRESS, 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}{self.prefix}"

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """What a browser on this computer may call the server."""
        return tuple(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))

    def server_bind(self) -> None:
        # HTTPServer looks its own name up here, which takes seconds on some networks.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that goes away in the middle of an answer is no fault.
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PreviewServer
    protocol_version = "HTTP/1.1"
    server_version = "kd-tf"
    sys_version = ""
    timeout = IDLE_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        self._respond(with_content=True)

    def do_HEAD(self) -> None:
        self._respond(with_content=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the reader, not for a list of requests."""

    def _respond(self, *, with_content: bool) -> None:
        # A page elsewhere whose name is made to point here ("DNS rebinding") still says its own
        # name in this header.
        if self.headers.get("Host") not in self.server.allowed_hosts:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"", with_content=with_content)
            return
        path = unquote(urlsplit(self.path).path)
        prefix = self.server.prefix
        if path in ("/", prefix.rstrip("/")):
            self._send(HTTPStatus.FOUND, b"", with_content=with_content, location=prefix)
            return
        # Looked up, never opened: no path leads out of the site.
        name = path.removeprefix(prefix) if path.startswith(prefix) else None
        content = None if name is None else self.server.site.files.get(name or INDEX_FILE)
        if name is None or content is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", with_content=with_content)
            return
        suffix = PurePosixPath(name or INDEX_FILE).suffix
        kind = CONTENT_TYPES.get(suffix, DEFAULT_CONTENT_TYPE)
        self._send(HTTPStatus.OK, content, kind, with_content=with_content)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        kind: str = "text/plain; charset=utf-8",
        *,
        with_content: bool,
        location: str | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)
