"""What time it is at a source: by its own clock, for a window of moments that it wrote itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.registry import VENDORS, open_source

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

# As microseconds since 1970.
_QUERIES = {
    "postgres": "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS now",
}


def now_of(spec: SideSpec, policy: HostPolicy) -> datetime:
    """Ask a source's server for the time; files have this machine's."""
    query = _QUERIES.get(VENDORS[spec.scheme][3])
    if query is None:
        return datetime.now(UTC)
    asked = replace(spec, query=query, table=(), where=None)
    source = open_source(asked, policy, snapshot=False)
    try:
        column = source.shape().columns[0]
        rows = source.read(Reading((Output("now", column),))).read_all()
    finally:
        source.close()
    return datetime.fromtimestamp(int(rows.column(0)[0].as_py()) / 1_000_000, UTC)
