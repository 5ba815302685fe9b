"""Serves a site on this computer, at 127.0.0.1."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import sys
import threading
from collections import OrderedDict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from kd_tf.errors import UserError
from kd_tf.preview.site import INDEX_FILE, Site

ADDRESS = "127.0.0.1"

DEFAULT_PORT = 8766
"""Port to try first. Browsers store a shelf per address and port: it should not change."""

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
"""The page's ``<meta>`` element has the same policy, for hosts that send no headers."""

HEADERS = {
    # Only a header can forbid frames.
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # These two give the page a clock with microseconds, to measure latency.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # The service worker does the caching.
    "Cache-Control": "no-cache",
}

IDLE_TIMEOUT_SECONDS = 60
"""Connections that are idle for this long are closed."""


MAX_CONNECTIONS = 64
"""Open connections at once; a browser has six. One more closes that which was idle the longest."""


class PreviewServer(ThreadingHTTPServer):
    """A server of one site under ``/NAME/``, so that browsers store its data separately.

    Args:
        site: The site.
        port: The port; None for `DEFAULT_PORT`, or for any free port if that is in use.

    Raises:
        UserError: The port is in use or not allowed.

    Attributes:
        site: The site.
        prefix: Path of the site, ``/NAME/``.

    Example:
        >>> server = PreviewServer(Site("shop", {"index.html": b"<!doctype html>"}))
        >>> server.url
        'http://127.0.0.1:.../shop/'
        >>> server.server_close()
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, site: Site, port: int | None = None) -> None:
        self.site = site
        self._connections: OrderedDict[int, socket.socket] = OrderedDict()
        self._connections_lock = threading.Lock()
        self.prefix = f"/{site.name}/"
        try:
            super().__init__((ADDRESS, DEFAULT_PORT if port is None else port), _Handler)
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"port {port or DEFAULT_PORT} cannot be used: {error.strerror}",
                    hint="Give another one with --port, or --port 0 for any free one.",
                ) from error
            super().__init__((ADDRESS, 0), _Handler)

    @property
    def url(self) -> str:
        """The site's URL."""
        return f"http://{ADDRESS}:{self.server_port}{self.prefix}"

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Values of the Host header that requests from this computer may have."""
        return tuple(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))

    def server_bind(self) -> None:
        # HTTPServer would look up its own host name, which takes seconds on some networks.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections[id(request)] = request
            oldest = None
            if len(self._connections) > MAX_CONNECTIONS:
                _, oldest = self._connections.popitem(last=False)
        if oldest is not None:
            with contextlib.suppress(OSError):  # it has been closed already
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def mark_as_used(self, request: socket.socket) -> None:
        """Notes that a connection has just sent a request."""
        with self._connections_lock:
            if id(request) in self._connections:
                self._connections.move_to_end(id(request))

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # It is no error if a browser closes the connection during a response.
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Responds to requests with the files of the site."""

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
        """Logs nothing: the terminal is for messages to the user, not for requests."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what cannot be answered: with the headers of all answers, and without a text."""
        self.close_connection = True
        self.request_version = self.protocol_version  # or nothing but the content would be sent
        is_foreign = hasattr(self, "headers") and not self._is_from_this_computer()
        status = HTTPStatus.MISDIRECTED_REQUEST if is_foreign else HTTPStatus(code)
        self._send(status, b"", with_content=False)

    def _is_from_this_computer(self) -> bool:
        # In a DNS rebinding attack, another site's name points to this server, but this header
        # still has that name.
        return self.headers.get("Host") in self.server.allowed_hosts

    def _respond(self, *, with_content: bool) -> None:
        self.server.mark_as_used(self.connection)
        if not self._is_from_this_computer():
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"", with_content=with_content)
            return
        path = unquote(urlsplit(self.path).path)
        prefix = self.server.prefix
        if path in ("/", prefix.rstrip("/")):
            self._send(HTTPStatus.FOUND, b"", with_content=with_content, location=prefix)
            return
        # Look up the path among the files and never open it: no path leads outside the site.
        name = path.removeprefix(prefix) if path.startswith(prefix) else None
        content = None if name is None else self.server.site.files.get(name or INDEX_FILE)
        if name is None or content is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", with_content=with_content)
            return
        suffix = PurePosixPath(name or INDEX_FILE).suffix
        content_type = CONTENT_TYPES.get(suffix, DEFAULT_CONTENT_TYPE)
        self._send(HTTPStatus.OK, content, content_type, with_content=with_content)

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        content_type: str = "text/plain; charset=utf-8",
        *,
        with_content: bool,
        location: str | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if location is not None:
            self.send_header("Location", location)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if with_content:
            self.wfile.write(content)
