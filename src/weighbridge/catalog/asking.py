"""One query of a user on a stored connection: read-only, and no more than a person can look at.

It runs where it is asked for and not as a job: its rows are written down nowhere, and who goes away
ends it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.catalog.standing import check_powers, open_session
from weighbridge.catalog.watch import Reason, Watch
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.registry import VENDORS
from weighbridge.connectors.session import Caps, Found
from weighbridge.errors import BadQuery, Cancelled, OverBudget, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.connectors.session import Session
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

CAPS = Caps(rows=1_000, bytes=10_000_000, seconds=15.0)
# Reading SQL costs time that grows with it.
MOST_QUERY = 100_000


@dataclass(frozen=True)
class Answer:
    """What was found; `capped` says in plain words if there is more."""

    found: Found
    capped: str | None


def ask(
    spec: SideSpec,
    policy: HostPolicy,
    sql: str,
    *,
    accepted: bool,
    caps: Caps = CAPS,
    gone: threading.Event | None = None,
) -> Answer:
    """Run one read-only query. `gone`, set from elsewhere, ends it.

    `accepted`: also with a login that may do more than read. Raises BadQuery, LoginTooPowerful,
    OverBudget where time or one row is too much, Cancelled, ConnectionFailed.
    """
    if len(sql) > MOST_QUERY:
        raise BadQuery(
            f"The query has {len(sql):,} characters, more than {MOST_QUERY:,}.",
            next_step="Put it in a view on the server and read the view.",
        )
    check_query(sql, VENDORS[spec.scheme][3])
    session = open_session(spec, policy)
    try:
        if not accepted:
            check_powers(session, spec)
        found = _watched(session, sql, caps, gone)
    finally:
        session.close()
    return Answer(found, _words(found, caps))


def _watched(session: Session, sql: str, caps: Caps, gone: threading.Event | None) -> Found:
    before = session.received() or 0

    def too_much() -> bool:
        # What is kept is counted as text; what travels has its frames around it.
        return (session.received() or 0) - before > 2 * caps.bytes

    with Watch(
        session.cancel, seconds=caps.seconds, sever=session.sever, gone=gone, too_much=too_much
    ) as watch:
        try:
            return session.ask(sql, caps)
        except WeighbridgeError as error:
            if watch.reason is None:
                raise
            raise ended(watch.reason, caps, "query") from error


def ended(reason: Reason, caps: Caps, what: str) -> WeighbridgeError:
    """Say why something was ended before it was done."""
    if reason == "gone":
        return Cancelled(f"Nobody waits for the {what} any more.", next_step="Ask again.")
    if reason == "bytes":
        return OverBudget(
            f"The {what} was ended: it brings more than {caps.bytes // 10**6} MB at once.",
            next_step="Select fewer columns, or cut long values with substring().",
        )
    return OverBudget(
        f"The {what} was ended after {caps.seconds:g} s.",
        next_step="Narrow it with a condition that an index knows, or run it as a diff.",
    )


def _words(found: Found, caps: Caps) -> str | None:
    first = f"These are the first {len(found.rows):,} rows"
    if found.capped == "rows":
        return f"{first}: an answer has no more. Narrow the query, or add a LIMIT and an ORDER BY."
    if found.capped == "bytes":
        return f"{first}: an answer has at most {caps.bytes // 10**6} MB. Select fewer columns."
    return None
