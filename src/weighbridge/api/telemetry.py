"""What can be seen of the server from outside: a line in the log and figures for each request."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weighbridge.jobs.state import QueueState

# Each counter would have a second line that says since when it counts.
disable_created_metrics()
CONTENT_TYPE = CONTENT_TYPE_LATEST
_REGISTRY = CollectorRegistry()
_REQUESTS = Counter(
    "weighbridge_http_requests_total", "Requests answered", ("method", "route", "status"),
    registry=_REGISTRY,
)  # fmt: skip
_SECONDS = Histogram(
    "weighbridge_http_request_seconds", "Time until the answer began", ("method", "route"),
    registry=_REGISTRY,
)  # fmt: skip
# Asked of our database at each look: the API's process does none of this work itself.
OF_THE_QUEUE = {
    "workers": "Workers that live",
    "jobs_waiting": "Jobs that are due and wait",
    "jobs_oldest_seconds": "The longest wait of one of them",
    "jobs_stuck": "Jobs in the hands of dead workers",
    "jobs_failed": "Jobs that were given up",
}
# A client's own id is taken over if it cannot forge a line of the log.
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Source: https://www.w3.org/TR/trace-context/#traceparent-header.
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")

log = structlog.get_logger()


class Telemetry:
    """Wraps the application: gives each request an id, which the answer and the log carry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, trace = _ids(dict(scope["headers"]))
        began, status = time.perf_counter(), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id, trace=trace):
            try:
                await self._app(scope, receive, told)
            finally:
                seconds = time.perf_counter() - began
                route = _route_of(scope)
                _REQUESTS.labels(scope["method"], route, str(status)).inc()
                _SECONDS.labels(scope["method"], route).observe(seconds)
                log.info(
                    "request", method=scope["method"], route=route, status=status,
                    ms=round(seconds * 1000, 1),
                )  # fmt: skip


def _ids(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Give the request's id and the trace that it belongs to: the client's own, or new ones."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    known = _TRACE.fullmatch(headers.get(b"traceparent", b"").decode("latin-1"))
    return given if _ID.fullmatch(given) else uuid4().hex, known[1] if known else uuid4().hex


def described() -> list[tuple[str, str, str]]:
    """Name every figure: (its name, its labels, what it is)."""
    requests = [
        ("weighbridge_http_requests_total", "method, route, status", "Requests answered"),
        ("weighbridge_http_request_seconds", "method, route", "Time until the answer began"),
    ]
    return requests + [(f"weighbridge_{n}", "", words) for n, words in OF_THE_QUEUE.items()]


def figures(queue: QueueState | None) -> bytes:
    """Write every figure in Prometheus' text format; `queue` is None while our database is away."""
    told = generate_latest(_REGISTRY)
    if queue is None:
        return told
    registry = CollectorRegistry()
    for name, words in OF_THE_QUEUE.items():
        gauge = Gauge(f"weighbridge_{name}", words, registry=registry)
        gauge.set(getattr(queue, name.removeprefix("jobs_").removesuffix("_seconds")))
    return told + generate_latest(registry)


def _route_of(scope: Scope) -> str:
    # The pattern, never the path: figures must not grow with the ids that clients ask for.
    route = scope.get("route")
    path = getattr(route, "path", None)
    return f"{scope.get('root_path', '')}{path}" if path else "none"
