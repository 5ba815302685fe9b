"""One site on this computer, and nothing else."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from kd_tf.errors import UserError
from kd_tf.preview import server as server_module
from kd_tf.preview.server import PreviewServer
from kd_tf.preview.site import Site


@pytest.fixture
def server(site: Site) -> Iterator[PreviewServer]:
    with PreviewServer(site, 0) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(
    server: PreviewServer, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("release.js", "text/javascript; charset=utf-8"),
        ("litert/litert_wasm_compat_internal.wasm", "application/wasm"),
        ("bundle/config.json", "application/json"),
        ("bundle/model.tflite", "application/octet-stream"),
        ("bundle/MODEL_CARD.md", "text/plain; charset=utf-8"),
    ],
)
def test_every_file_is_served_as_what_it_is(server: PreviewServer, name: str, kind: str) -> None:
    response, content = ask(server, f"{server.prefix}{name}")
    assert response.status == 200
    assert content == server.site.files[name]
    assert response.headers["Content-Type"] == kind
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "Python" not in str(response.headers)


def test_the_folder_is_the_index_and_the_root_leads_to_it(server: PreviewServer) -> None:
    response, content = ask(server, server.prefix)
    assert content == server.site.files["index.html"]
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for path in ("/", server.prefix.rstrip("/")):
        response, _ = ask(server, path)
        assert response.status == 302
        assert response.headers["Location"] == server.prefix


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "{}js",
        "{}js/",
        "{}bundle/",
        "{}node_modules/",
        "{}package.json",
        "{}../../../../../../etc/passwd",
        "{}..%2f..%2f..%2f..%2fetc/passwd",
        "{}%2e%2e/%2e%2e/etc/passwd",
        "{}bundle/../bundle/config.json",
        "{}bundle//config.json",
        "{}bundle/config.json%00.html",
        "{}\\..\\..\\etc\\passwd",
        "//127.0.0.1/etc/passwd",
        "{}%ff%fe",
    ],
)
def test_nothing_else_is_served(server: PreviewServer, path: str) -> None:
    response, content = ask(server, path.format(server.prefix))
    assert response.status == 404
    assert content == b"not found\n"


@pytest.mark.parametrize("host", ["evil.invalid", "evil.invalid:8766", "127.0.0.1", "", "[::1]"])
def test_a_page_elsewhere_whose_name_points_here_gets_nothing(
    server: PreviewServer, host: str
) -> None:
    response, content = ask(server, server.prefix, Host=host)
    assert response.status == 421
    assert content == b""


def test_this_computer_may_be_called_localhost(server: PreviewServer) -> None:
    response, _ = ask(server, server.prefix, Host=f"localhost:{server.server_port}")
    assert response.status == 200


def test_only_reading_is_possible(server: PreviewServer) -> None:
    response, content = ask(server, server.prefix, method="HEAD")
    assert response.status == 200
    assert int(response.headers["Content-Length"]) == len(server.site.files["index.html"])
    assert content == b""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, server.prefix, method=method)[0].status == 501


def test_only_this_computer_is_listened_to(server: PreviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}{server.prefix}"


def test_a_browser_that_goes_away_is_no_fault(
    server: PreviewServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
            connection.sendall(f"GET {server.prefix} HTTP/1.1\r\nHost: ".encode())
    assert ask(server, server.prefix)[0].status == 200
    assert capfd.readouterr().err == ""


def test_the_usual_port_is_kept_and_a_free_one_taken_where_it_is_not_free(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(server_module, "DEFAULT_PORT", taken)
        with PreviewServer(site) as server:
            assert server.server_port != taken
        with pytest.raises(UserError, match=f"port {taken} cannot be used"):
            PreviewServer(site, taken)
    with PreviewServer(site) as server:
        assert server.server_port == taken


def send(server: PreviewServer, request: bytes) -> bytes:
    """Everything that is answered to some bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/9.9.9\r\nHost: {host}\r\n\r\n", 400),
        ("GET / extra HTTP/1.1\r\nHost: {host}\r\n\r\n", 400),
        ("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: {host}\r\nX: {long}\r\n\r\n", 431),
        ("BREW / HTTP/1.1\r\nHost: {host}\r\n\r\n", 501),
        ("GET / HTTP/3.0\r\nHost: {host}\r\n\r\n", 505),
        ("BREW / HTTP/1.1\r\nHost: evil.invalid\r\n\r\n", 421),
        ("<script>alert(1)</script> / HTTP/1.1\r\nHost: {host}\r\n\r\n", 501),
    ],
)
def test_an_error_has_the_headers_of_every_answer_and_says_nothing(
    server: PreviewServer, request_text: str, status: int
) -> None:
    host = f"127.0.0.1:{server.server_port}"
    request = request_text.replace("{host}", host).replace("{long}", "x" * 70_000)
    head, _, content = send(server, request.encode()).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    for name, value in server_module.HEADERS.items():
        assert f"\r\n{name}: {value}\r\n" in head.decode()
    assert content == b""
    assert b"script>" not in head


def test_hundreds_of_idle_connections_leave_room_for_a_browser(server: PreviewServer) -> None:
    connections = [
        socket.create_connection(("127.0.0.1", server.server_port), timeout=10)
        for _ in range(5 * server_module.MAX_CONNECTIONS)
    ]
    try:
        for _ in range(3):
            assert ask(server, server.prefix)[0].status == 200
        # Those that waited the longest were closed.
        assert connections[0].recv(1) == b""
    finally:
        for connection in connections:
            connection.close()


def test_a_connection_that_is_used_outlives_idle_ones(server: PreviewServer) -> None:
    browser = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    idle = []
    for _ in range(3 * server_module.MAX_CONNECTIONS):
        browser.request("GET", server.prefix)
        assert browser.getresponse().read() == server.site.files["index.html"]
        idle.append(socket.create_connection(("127.0.0.1", server.server_port), timeout=10))
    browser.close()
    for connection in idle:
        connection.close()
