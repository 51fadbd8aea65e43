"""Connections that users named, and how `NAME:table` becomes a side that can be opened.

A connection comes from `[connections.NAME]` in `weighbridge.toml` or from the environment
variable `WEIGHBRIDGE_CONNECTION_NAME`, which wins. Its secret may stand in another
variable (`password_env`), in a file (`password_file`), or in `${VARIABLE}` inside the URL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

from weighbridge.catalog.config_file import ConfigFile, find_file, near_names, read_file
from weighbridge.catalog.secrets import masked, scrubbed, secrets_of
from weighbridge.errors import BadArgument
from weighbridge.settings import CONNECTION_PREFIX, variable_text

__all__ = ["Catalog", "Connection", "masked", "open_catalog", "resolve", "scrubbed", "secrets_of"]

# Two letters at least: `C:\data\x.csv` is a path.
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_-]+):(?!//)(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FIELDS = ("vendor", "user", "host", "port", "database", "path", "options")
_SECRETS = ("password", "password_env", "password_file")


@dataclass(frozen=True)
class Connection:
    """A connection as configured. `url` may hold `${VARIABLE}`; `origin` says where it is from."""

    name: str
    url: str = field(repr=False)
    origin: str
    password: str | None = field(default=None, repr=False)
    password_env: str | None = None
    password_file: Path | None = None

    @property
    def shown(self) -> str:
        """Give the URL without its secret."""
        return masked(self.url)

    @property
    def plain_password(self) -> bool:
        """Tell whether the secret stands readable in the configuration file."""
        if self.origin.startswith("environment"):
            return False
        templated = _VARIABLE.sub("", self.url)
        return self.password is not None or bool(secrets_of(templated))

    def opened_url(self, environ: Mapping[str, str]) -> str:
        """Give the URL with its secret. Raises BadArgument where the secret cannot be found."""
        url = _expanded(self, environ)
        _check_url(url, self.origin)
        password = self._secret(environ)
        if password is None:
            return url
        scheme, _, rest = url.partition("://")
        user, at, place = rest.partition("@")
        if not at:
            user, place = "", rest
        return f"{scheme}://{user.partition(':')[0]}:{quote(password, safe='')}@{place}"

    def _secret(self, environ: Mapping[str, str]) -> str | None:
        if self.password_env is not None:
            return _from_environment(self, self.password_env, environ)
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadArgument(
                f"{self.origin}: the password file {self.password_file} cannot be read: "
                f"{getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.",
                next_step="Correct password_file, or the file's permissions.",
            ) from None


@dataclass(frozen=True)
class Catalog:
    """Every connection that is configured, by name."""

    file: ConfigFile
    connections: dict[str, Connection]
    environ: Mapping[str, str] = field(repr=False)

    def connection(self, name: str) -> Connection | None:
        """Look a connection up; names differ by more than case and `-` for `_`."""
        if name in self.connections:
            return self.connections[name]
        plain = _plain(name)
        return next((c for n, c in self.connections.items() if _plain(n) == plain), None)

    def named(self, text: str) -> tuple[Connection, str] | None:
        """Take `NAME:table`, `NAME:` or `NAME` apart; None where the text is no such thing."""
        found = _NAMED.fullmatch(text)
        name, table = (found[1], found[2]) if found else (text, "")
        connection = self.connection(name) if _NAME.fullmatch(name) else None
        return (connection, table) if connection else None


def resolve(
    text: str,
    *,
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Turn `NAME:table` into `url#table`, the secret inside. URLs and paths come back as they are.

    `NAME:` and `NAME` give the URL alone, for a query. Raises BadArgument with near names.
    """
    if "://" in text:
        return text
    found = _NAMED.fullmatch(text)
    if found is None and not _NAME.fullmatch(text):
        return text
    catalog = open_catalog(config, environ=environ, folder=folder)
    named = catalog.named(text)
    if named is None:
        if found is None or Path(text).exists():
            return text
        raise _unknown(found[1], text, catalog)
    connection, table = named
    url = connection.opened_url(catalog.environ)
    if table and "#" in connection.url:
        raise BadArgument(
            f"{connection.origin}: the connection's URL names a table already.",
            next_step="Leave out everything from # on; the table is given as NAME:table.",
        )
    # The fragment of a URL is decoded where it is read.
    return f"{url}#{table.replace('%', '%25')}" if table else url


def open_catalog(
    config: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Catalog:
    """Read what is configured, from the file and the environment. Raises BadArgument."""
    environ = os.environ if environ is None else environ
    file = read_file(find_file(config, environ, folder or Path.cwd()))
    connections = {name: _from_file(name, body, file) for name, body in file.connections.items()}
    for connection in _from_variables(environ):
        known = [name for name in connections if _plain(name) == _plain(connection.name)]
        for name in known:
            del connections[name]
        connections[known[0] if known else connection.name] = connection
    return Catalog(file, connections, environ)


def _plain(name: str) -> str:
    return name.upper().replace("-", "_")


def _from_variables(environ: Mapping[str, str]) -> list[Connection]:
    ours = {name: value for name, value in environ.items() if name.startswith(CONNECTION_PREFIX)}
    # A connection may be called by-file: what holds a URL is no path of a file with one.
    names = {name if "://" in value else name.removesuffix("_FILE") for name, value in ours.items()}
    connections: list[Connection] = []
    for variable in sorted(names - {CONNECTION_PREFIX}):
        others = {name: value for name, value in ours.items() if "://" not in value}
        own = {variable: ours[variable]} if variable in ours else {}
        try:
            said = variable_text(variable, others | own)
        except ValueError as error:
            raise BadArgument(f"{error}.", next_step="Correct the environment.") from None
        if said is not None:
            origin = f"environment: {said[1]}"
            _check_url(said[0], origin)
            name = variable.removeprefix(CONNECTION_PREFIX).lower()
            connections.append(Connection(name, said[0], origin))
    return connections


def _from_file(name: str, body: dict[str, Any], file: ConfigFile) -> Connection:
    section = f"connections.{name}"
    if not _NAME.fullmatch(name):
        raise BadArgument(
            f"{file.where(section)}: {name!r} cannot be a connection's name.",
            next_step="Use two or more letters, digits, - and _, beginning with a letter.",
        )
    for key, value in body.items():
        _check_key(file, section, key, value)
    origin = file.where(section)
    url = body["url"] if "url" in body else _url_of(body, origin)
    if "url" in body and any(key in body for key in _FIELDS):
        raise BadArgument(
            f"{origin}: found url beside {', '.join(k for k in _FIELDS if k in body)}.",
            next_step="Keep the url, or the fields, not both.",
        )
    _check_url(url, origin)
    secrets = [key for key in _SECRETS if key in body]
    if len(secrets) > 1:
        raise BadArgument(f"{origin}: found {' and '.join(secrets)}.", next_step="Keep one.")
    by_file = body.get("password_file")
    base = file.path.parent if file.path else Path()
    return Connection(
        name,
        url,
        f"file: {origin}",
        body.get("password"),
        body.get("password_env"),
        base / Path(by_file).expanduser() if by_file else None,
    )


def _check_key(file: ConfigFile, section: str, key: str, value: Any) -> None:
    known = ["url", *_FIELDS, *_SECRETS]
    if key not in known:
        near = near_names(key, known)
        raise BadArgument(
            f"{file.where(section, key)}: found the unknown key {key!r}.",
            next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
        )
    expected = {"port": int, "options": dict}.get(key, str)
    if not isinstance(value, expected) or isinstance(value, bool):
        # The value itself is not repeated: it may be a password without quotes.
        raise BadArgument(
            f"{file.where(section, key)}: {key} is {type(value).__name__},"
            f" expected {'a section' if expected is dict else expected.__name__}.",
            next_step='Write texts in quotes: user = "ann", and port = 5432 without.',
        )


def _check_url(url: str, origin: str) -> None:
    if "://" not in url and not _VARIABLE.search(url):
        raise BadArgument(
            f"{origin}: the connection's URL has no scheme.",
            next_step="Write it as vendor://user@host:port/database.",
        )


def _url_of(body: dict[str, Any], origin: str) -> str:
    vendor, path = body.get("vendor"), body.get("path")
    if not vendor or not (path or body.get("host") or body.get("database")):
        raise BadArgument(
            f"{origin}: found neither a url nor vendor with host and database (or path).",
            next_step='Write url = "vendor://user@host/database".',
        )
    if path:
        return f"{vendor}:///{path}"
    user = f"{quote(body['user'], safe='')}@" if "user" in body else ""
    port = f":{body['port']}" if "port" in body else ""
    options = cast("dict[str, Any]", body.get("options", {}))
    query = f"?{urlencode(options)}" if options else ""
    database = quote(body.get("database", ""), safe="")
    return f"{vendor}://{user}{body.get('host', '')}{port}/{database}{query}"


def _expanded(connection: Connection, environ: Mapping[str, str]) -> str:
    """Put variables in; what stands before the `@` is encoded, so that any password will do."""
    url = connection.url
    start, end = url.find("://"), url.rfind("@")

    def value(found: re.Match[str]) -> str:
        text = _from_environment(connection, found[1], environ)
        return quote(text, safe="") if 0 <= start < found.start() < end else text

    return _VARIABLE.sub(value, url)


def _from_environment(connection: Connection, variable: str, environ: Mapping[str, str]) -> str:
    try:
        said = variable_text(variable, environ)
    except ValueError as error:
        raise BadArgument(f"{error}.", next_step="Correct the environment.") from None
    if said is None:
        raise BadArgument(
            f"The connection {connection.name!r} ({connection.origin}) needs the environment"
            f" variable {variable}, which is not set.",
            next_step=f"Set {variable}, or {variable}_FILE to a file that holds it.",
        )
    return said[0]


def _unknown(name: str, text: str, catalog: Catalog) -> BadArgument:
    known = list(catalog.connections)
    near = near_names(name, known)
    place = f"in {catalog.file.path}" if catalog.file.path else "and no weighbridge.toml was found"
    if near:
        step = f"Did you mean {' or '.join(near)}?"
    elif known:
        step = f"Connections: {', '.join(sorted(known))}."
    else:
        step = f"Make one in weighbridge.toml, or set {CONNECTION_PREFIX}{_plain(name)}."
    return BadArgument(
        f"There is no connection named {name!r} {place}, and no file {text!r}.", next_step=step
    )
