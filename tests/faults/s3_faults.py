"""A proxy before a bucket that knows requests: it answers 503, loses an answer, or breaks in a body."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = Literal["slow down", "lost", "cut"] | None
Rule = Callable[[str, str, int], Fault]
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


@dataclass
class Faulty:
    """Where it listens, and how often its rule has fired."""

    port: int = 0
    fired: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])


@contextmanager
def faulty(port: int, rule: Rule) -> Generator[Faulty]:
    """Run it; `rule(method, path, how many requests of this kind before)` says what to break."""
    state = Faulty()
    counts: dict[str, int] = {}
    lock = threading.Lock()

    class Between(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            with lock:
                number = counts.get(self.command, 0)
                counts[self.command] = number + 1
                state.requests.append(f"{self.command} {path}")
                fault = rule(self.command, path, number)
                if fault:
                    state.fired.append(f"{fault}: {self.command} {path}")
            length = int(self.headers.get("Content-Length") or 0)
            if fault == "cut":
                self.rfile.read(length // 2)
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if fault == "slow down":
                self.answer(503, _SLOW_DOWN, {})
                return
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            link.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                link.putheader(name, value)
            link.endheaders(body or None)
            answer = link.getresponse()
            said = answer.read()
            link.close()
            if fault == "lost":  # the server has done it; nobody is told
                self.close_connection = True
                return
            self.answer(answer.status, said, dict(answer.getheaders()))

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            size = headers.get("Content-Length") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", size or "0")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815 http.server's names

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state.port = server.server_port
        try:
            yield state
        finally:
            server.shutdown()
