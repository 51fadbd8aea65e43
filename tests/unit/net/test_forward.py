"""The door to one checked address: no other host is reached through it, whatever a name says."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from weighbridge.connectors.bucket import BucketPlace, BucketStore
from weighbridge.errors import ConnectionFailed, HostRefused
from weighbridge.net.forward import Forward
from weighbridge.net.hosts import Address, HostPolicy


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(5)
        yield found


@pytest.fixture
def forward(listener: socket.socket) -> Iterator[Forward]:
    # A name that nobody can resolve: only the address leads anywhere.
    made = Forward(Address("bucket.invalid", "127.0.0.1", listener.getsockname()[1]))
    yield made
    made.close()


def dial(forward: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(forward.url.rpartition(":")[2])), 5)


def test_a_tunnel_ends_at_the_checked_address(forward: Forward, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with dial(forward) as client:
        client.sendall(f"CONNECT bucket.invalid:{port} HTTP/1.1\r\nHost: x\r\n".encode())
        client.sendall(b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        server, _ = listener.accept()
        with server:
            client.sendall(b"there")
            assert server.recv(100) == b"there"
            server.sendall(b"and back")
            assert client.recv(100) == b"and back"
            client.shutdown(socket.SHUT_WR)
            assert server.recv(100) == b""


@pytest.mark.parametrize(
    "target", ["169.254.169.254:80", "localhost:{port}", "bucket.invalid:1", "127.0.0.1:{port}", ""]
)
def test_no_other_place_is_reached(forward: Forward, listener: socket.socket, target: str) -> None:
    port = listener.getsockname()[1]
    listener.settimeout(0.2)
    with dial(forward) as client:
        client.sendall(f"CONNECT {target.format(port=port)} HTTP/1.1\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 403")
    with pytest.raises(TimeoutError):
        listener.accept()


def test_closing_breaks_what_is_open(forward: Forward, listener: socket.socket) -> None:
    with dial(forward) as client:
        client.sendall(
            f"CONNECT bucket.invalid:{listener.getsockname()[1]} HTTP/1.1\r\n\r\n".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        server, _ = listener.accept()
        with server:
            forward.close()
            assert server.recv(100) == b""
        assert client.recv(100) == b""
    with pytest.raises(OSError, match="refused"):
        dial(forward)


def test_no_key_of_this_machine_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the drivers would read of our own environment is in no request to a customer's host."""
    for name in (
        "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION",
    ):  # fmt: skip
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    heard: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.path} {self.headers}")
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = BucketPlace("x", "127.0.0.1", server.server_port, "b", "", "mine", "s", tls=False)
        store = BucketStore(place, "", HostPolicy.operator())
        assert store.read("there", 10) is None
        store.close()
        from weighbridge.connectors.delta import DeltaLog, DeltaPlace  # noqa: PLC0415 an extra

        log = DeltaLog(DeltaPlace("x", "f", place), HostPolicy.operator())
        with pytest.raises(ConnectionFailed):
            log.table("t")
        log.close()
        server.shutdown()
    assert len(heard) >= 2
    assert "canary" not in "".join(heard)
    assert all("Credential=mine" in one for one in heard)


def test_a_recipients_bucket_is_never_inside(listener: socket.socket) -> None:
    place = BucketPlace("x", "127.0.0.1", listener.getsockname()[1], "b", "", "i", "s", tls=False)
    with pytest.raises(HostRefused):
        BucketStore(place, "", HostPolicy.recipient())
    listener.settimeout(0.2)
    with pytest.raises(TimeoutError):
        listener.accept()
