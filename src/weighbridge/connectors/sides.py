"""The words by which a user names a side, as values. Opening one is `registry.open_source`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from weighbridge.connectors.names import table_name
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import Address, HostPolicy, resolve

FILE_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".ndjson": "json",
    ".jsonl": "json",
}


@dataclass(frozen=True)
class SideSpec:
    """One side, taken apart. `password` is a secret: it is in no label and no message.

    `reached`: where a tunnel of ours ends on this machine; no host is looked up then. `query` replaces `table`. `where` is a filter in the side's own SQL, already checked. `as_of` is
    the moment whose rows are read, of a table that keeps its history.
    """

    scheme: str
    label: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    path: str | None = None
    table: tuple[str, ...] = ()
    query: str | None = None
    where: str | None = None
    as_of: datetime | None = None
    parameters: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    reached: Address | None = None


def address_of(
    spec: SideSpec, port: int, policy: HostPolicy, *, database: str | None = None
) -> Address:
    """Give the address of a side, checked; `port` is the vendor's own. Raises as `resolve` does."""
    if spec.reached is not None:
        return spec.reached
    return resolve(spec.host or "localhost", spec.port or port, policy, database=database)


def parse_side(text: str, *, query: str | None = None, where: str | None = None) -> SideSpec:
    """Take a side apart: a URL with `#table`, a path, or a glob.

    Raises BadArgument with what was expected, without repeating a password.
    """
    if "://" in text:
        return _parse_url(text, query, where)
    kind = file_kind(text)
    if kind is None:
        raise BadArgument(
            f"{text!r} is neither a URL nor a file whose ending is known.",
            next_step="Give postgresql://user@host/db#schema.table, mysql://…, duckdb:///file#table,"
            " sqlite:///file#table, NAME:table, or a .csv, .parquet, .json or .ndjson file.",
        )
    return SideSpec(kind, text, path=text, query=query, where=where)


def file_kind(path: str) -> str | None:
    """Tell a file's format by its ending, compressed or not; None where it says nothing."""
    endings = [e.lower() for e in Path(path.replace("*", "x")).suffixes]
    if endings and endings[-1] in {".gz", ".zst"}:
        endings.pop()
    return FILE_ENDINGS.get(endings[-1]) if endings else None


def _parse_url(text: str, query: str | None, where: str | None) -> SideSpec:
    head, _, fragment = text.partition("#")
    try:
        url = urlsplit(head)
        port = url.port
    except ValueError:
        # Its words are not repeated: what stands where a port should may be half a password.
        raise BadArgument(
            "A side's URL cannot be read: its host or port is not one.",
            next_step="Write it as postgresql://user@host:port/database#schema.table; in a"
            " password, write / as %2F, # as %23, ? as %3F and @ as %40.",
        ) from None
    scheme = url.scheme.lower()
    if not fragment and query is None:
        raise BadArgument(
            f"The side {scheme}://… names no table.",
            next_step="Add #table or #schema.table to the URL, or give a query.",
        )
    parameters = dict(parse_qsl(url.query, keep_blank_values=True))
    _check_parameters(scheme, parameters)
    table = table_name(unquote(fragment)) if fragment and query is None else ()
    path = unquote(url.path)
    where_it_is = f"{url.hostname or ''}{':' + str(port) if port else ''}"
    label = f"{scheme}://{where_it_is}{path}" + (f"#{unquote(fragment)}" if table else "")
    local = scheme in {"duckdb", "sqlite"}
    return SideSpec(
        scheme=scheme,
        label=label,
        host=url.hostname,
        port=port,
        user=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        database=None if local else path.lstrip("/") or None,
        path=_local_path(url.netloc, path) if local else None,
        table=table,
        query=query,
        where=where,
        parameters=parameters,
    )


# What a URL may carry after `?`; anything else is refused: a TLS wish must not be dropped.
PARAMETERS: dict[str, frozenset[str]] = {
    "postgresql": frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout"}),
}
PARAMETERS["postgres"] = PARAMETERS["postgresql"]
PARAMETERS["mysql"] = PARAMETERS["mariadb"] = frozenset({"ssl-mode", "ssl-ca"})


def _check_parameters(scheme: str, parameters: dict[str, str]) -> None:
    known = PARAMETERS.get(scheme, frozenset())
    for name in parameters:
        if name not in known:
            raise BadArgument(
                f"The URL parameter {name!r} is not known for {scheme}.",
                next_step=f"Use {', '.join(sorted(known))}." if known else "Leave it out.",
            )


def _local_path(netloc: str, path: str) -> str:
    # sqlite:///a.db is relative, sqlite:////a.db absolute, as SQLAlchemy's users write it; an
    # absolute-looking path that exists is taken as it stands.
    if netloc:
        return netloc + path
    return path if Path(path).exists() else path.removeprefix("/")
