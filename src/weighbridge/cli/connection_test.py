"""`connections test`: step by step, so that the one which fails is seen."""

from __future__ import annotations

from weighbridge.catalog.connections import Catalog, Connection, open_catalog, resolve
from weighbridge.catalog.secrets import secrets_of
from weighbridge.cli.faults import report_error
from weighbridge.cli.surroundings import Surroundings
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.sides import parse_side
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.safe_text import safe_text

_PROBE = "SELECT 1 AS one"


def check_connection(
    name: str, config: str | None, *, around: Surroundings, as_json: bool = False
) -> int:
    """Find, open and use a connection; say each step. Gives the exit code."""
    secrets: frozenset[str] = frozenset()
    try:
        if as_json:
            raise BadArgument(
                "The test of a connection in weighbridge.toml is not given as JSON.",
                next_step="Leave --output out, or test a stored connection with --stored.",
            )
        catalog = open_catalog(config, environ=around.environ)
        connection = _connection(catalog, name)
        _say(around, "configured", f"{safe_text(connection.shown)} ({connection.origin})")
        url = resolve(f"{connection.name}:", config=config, environ=around.environ)
        secrets = secrets_of(url)
        _say(around, "secret", "found" if secrets else "none is needed by the configuration")
        began = around.clock()
        source = open_source(parse_side(url, query=_PROBE), HostPolicy.operator())
        try:
            version = f" {safe_text(source.version)}" if source.version else ""
            took = (around.clock() - began) * 1000
            _say(around, "connected", f"{source.traits.vendor}{version} in {took:.0f} ms")
            source.shape()
            _say(around, "query", "ok")
        finally:
            source.close()
    except Exception as error:  # noqa: BLE001 whatever it is, the user gets one clear message
        return report_error(error, around, secrets=secrets)
    return 0


def _connection(catalog: Catalog, name: str) -> Connection:
    connection = catalog.connection(name.removesuffix(":"))
    if connection is None:
        raise BadArgument(
            f"There is no connection named {name!r}.",
            next_step="`weighbridge connections list` shows which there are; those that the server"
            " stores are listed and tested with --stored.",
        )
    return connection


def _say(around: Surroundings, step: str, result: str) -> None:
    print(f"{step:<11} {result}", file=around.stdout, flush=True)
