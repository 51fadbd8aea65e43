"""The tables of docs/reference/server.md: what is asked for where, and what may be answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount

from weighbridge.api import limits, paging, telemetry
from weighbridge.api.app import make_app
from weighbridge.api.faults import TITLES, status_of
from weighbridge.api.known_keys import SECONDS
from weighbridge.api.openapi import operations
from weighbridge.catalog import asking, errands
from weighbridge.datadiffs import filters, store
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.queue import ATTEMPTS
from weighbridge.store.database import Database
from weighbridge.store.sealed import KeyRing

Rows = Iterator[tuple[str, ...]]
FACADE = "/datafold"


def endpoints() -> Rows:
    """Give each operation: (method and path, scope, what it does, its problems beyond every one's)."""
    everywhere = {"401", "403", "413", "422", "503"}
    for path, method, said in operations(_description()):
        (scope,) = {
            scope for one in said["security"] for scopes in one.values() for scope in scopes
        }
        problems = [status for status in said["responses"] if status not in {"200", *everywhere}]
        yield f"`{method.upper()} {path}`", f"`{scope}`", said["summary"], ", ".join(problems)


def _description() -> dict[str, Any]:
    # Nothing is connected to before somebody asks.
    app = make_app(Database("postgresql://nobody@127.0.0.1:1/none"), KeyRing({1: b"k" * 32}))
    (found,) = (r.app for r in app.routes if isinstance(r, Mount) and r.path == FACADE)
    assert isinstance(found, FastAPI)  # noqa: S101 a facade is one
    return found.openapi()


def statuses(kinds: list[type[WeighbridgeError]]) -> Rows:
    """Give each status that is no success: (status, its title, the codes that it stands for)."""
    by_status: dict[int, list[str]] = {status: [] for status in (401, 403, 405, 413)}
    for kind in kinds:
        by_status.setdefault(status_of(kind("", next_step="")), []).append(f"`{kind.code}`")
    for status, codes in sorted(by_status.items()):
        yield str(status), TITLES[status], ", ".join(sorted(codes))


def bounds() -> Rows:
    """Give each bound: (what, how much, what comes beyond it)."""
    yield "a request's body", f"{limits.MOST_BYTES:,} bytes", "413"
    yield "its depth", f"{limits.DEEPEST} levels", "422"
    yield "rows of a page", f"{paging.MOST_ROWS:,}", "422"
    yield "diffs of one key waiting or running", f"{store.MOST_UNDER_WAY:,}", "429"
    yield "tests and questions about tables of one key", f"{errands.MOST_UNDER_WAY:,}", "429"
    yield "queries and guesses of keys at once, of one key", "4, 3", "503, 429"
    caps = asking.CAPS
    yield "a query's time", f"{caps.seconds:g} s", "422"
    yield "a query's answer", f"{caps.rows:,} rows, {caps.bytes // 10**6} MB", "`capped` says so"
    yield (
        "SQL of a filter, of a query",
        f"{filters.MOST_FILTER:,}, {filters.MOST_QUERY:,} characters",
        "422",
    )
    yield "tries of a diff", str(ATTEMPTS), "`failed`"
    yield "time after which a revoked key opens nothing", f"{SECONDS:g} s", "401"


def figures() -> Rows:
    """Give each figure of /metrics: (name, labels, what it is)."""
    for name, labels, words in telemetry.described():
        yield f"`{name}`", labels, words
