"""Logging in to PostgreSQL and asking, with the driver's errors as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.server_faults import ServerFaults
from weighbridge.connectors.sql import missing_extra
from weighbridge.errors import WeighbridgeError

if TYPE_CHECKING:
    import psycopg

    from weighbridge.connectors.sides import SideSpec

# The server's words, not ours: a host or a database may be called anything.
_REFUSED = re.compile(
    r"no password supplied|fatal: +("
    r"password authentication|\w+ authentication failed|role \"|no pg_hba|permission denied)"
)


def faults_of(spec: SideSpec, *, own_sql: bool) -> ServerFaults:
    """Say how this side's errors are told."""
    return ServerFaults(
        label=spec.label,
        user=spec.user,
        secrets=(spec.password,),
        own_sql=own_sql,
        client="psql",
        permission="the user and the password (WEIGHBRIDGE_CONNECTION_… or a"
        " weighbridge.toml connection), and pg_hba.conf",
        time_limit="the role's statement_timeout",
    )


def login(info: Mapping[str, Any], faults: ServerFaults) -> psycopg.Connection[Any]:
    """Connect. Raises AuthFailed, ConnectionFailed, MissingExtra."""
    try:
        import psycopg  # noqa: PLC0415 an extra
    except ImportError:
        raise missing_extra("PostgreSQL", "postgres") from None
    try:
        return psycopg.connect(**info, autocommit=False)
    except psycopg.OperationalError as error:
        raise _refused(error, faults) from None


def _refused(error: Exception, faults: ServerFaults) -> WeighbridgeError:
    low = faults.text(error).lower()
    if _REFUSED.search(low):
        return faults.refused(error)
    missing = "fatal: " in low and "does not exist" in low
    return faults.unreachable(error, no_database=missing)


def run(
    connection: psycopg.Connection[Any],
    faults: ServerFaults,
    sql: str,
    values: Sequence[object] = (),
) -> psycopg.Cursor[Any]:
    """Run one statement. Raises QueryFailed, BadQuery, Cancelled, ConnectionLost."""
    import psycopg  # noqa: PLC0415 an extra

    try:
        # `prepare` makes it the extended protocol: one statement, never several.
        return connection.execute(sql.encode(), values or None, prepare=True)
    except psycopg.errors.QueryCanceled as error:
        if "statement timeout" in str(error):
            raise faults.timed_out("statement timeout") from None
        raise faults.cancelled() from None
    except psycopg.OperationalError as error:
        raise faults.lost(error) from None
    except psycopg.Error as error:
        raise faults.failed(error) from None
