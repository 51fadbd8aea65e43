"""`weighbridge connections add`, and `list` and `test` with --stored: those in the server's database."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.catalog.data_sources import (
    DataSource,
    add_data_source,
    find_data_source,
    list_data_sources,
    open_side,
    policy_of,
)
from weighbridge.catalog.probing import STEPS, Finding, probe
from weighbridge.catalog.standing import ACCEPTED, accepts
from weighbridge.catalog.vendor_forms import FORMS, configuration_schema, from_url
from weighbridge.cli.data_folder import Ground, ground
from weighbridge.cli.faults import report_error
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import BadArgument, WeighbridgeError
from weighbridge.store.audit import note
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.tables import ENVIRONMENTS
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = ENVIRONMENTS[0]
_FAILED = 3


@dataclass(frozen=True)
class New:
    """A connection as it was typed: by its URL, or by its type and fields."""

    name: str
    url: str | None
    kind: str | None
    options: tuple[str, ...]
    temp_schema: str | None
    environment: str
    allow_powerful_login: bool = False

    def settings(self) -> dict[str, Any]:
        """Give what is no option of the vendor."""
        return {"temp_schema": self.temp_schema, ACCEPTED: self.allow_powerful_login}


@dataclass(frozen=True)
class SecretFrom:
    """Where the password is read from; if nowhere, it is asked for at the terminal."""

    file: Path | None
    variable: str | None
    nowhere: bool

    def read(self, around: Surroundings) -> str | None:
        """Read it. Raises BadArgument where it cannot be found."""
        if sum((self.file is not None, self.variable is not None, self.nowhere)) > 1:
            raise BadArgument(
                "The password is said to be in several places.",
                next_step="Give one of --password-file, --password-env and --no-password.",
            )
        if self.nowhere:
            return None
        if self.variable is not None:
            return self._of_variable(self.variable, around)
        if self.file is not None:
            return self._of_file(self.file)
        if not sys.stdin.isatty():
            raise BadArgument(
                "The password cannot be asked for: there is no terminal.",
                next_step="Give --password-file, --password-env or --no-password.",
            )
        return getpass.getpass("Password (empty for none): ", stream=around.stderr) or None

    @staticmethod
    def _of_variable(name: str, around: Surroundings) -> str:
        if name not in around.environ:
            raise BadArgument(
                f"The variable {name} is not set.", next_step="Set it, or give --password-file."
            )
        return around.environ[name]

    @staticmethod
    def _of_file(path: Path) -> str:
        try:
            return path.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise BadArgument(
                f"The password file {path} cannot be read: {reason}.",
                next_step="Correct its name or its permissions.",
            ) from None


def add(
    new: New, secret: SecretFrom, data: Path | None, *, as_json: bool, around: Surroundings
) -> int:
    """Store a connection. Gives the exit code."""

    def work(found: Ground) -> int:
        if new.environment not in ENVIRONMENTS:
            raise _no_environment(new.environment)
        vendor, options = _form(new)
        password = secret.read(around)
        if password is not None:
            options[configuration_schema(vendor)["secret"][0]] = password
        with seen_by(found.database, EVERYTHING) as connection:
            source = add_data_source(
                connection, found.ring, environment=new.environment, name=new.name, vendor=vendor,
                options=options, settings=new.settings(), created_by=None,
            )  # fmt: skip
            note(
                connection, environment=new.environment, actor="operator",
                action="data_sources.create", subject=f"connections/{source.id}",
                after=_told(source),
            )  # fmt: skip
        if as_json:
            _print(around, _told(source))
        else:
            around.say(
                f"weighbridge: {safe_text(source.name)} is stored as data source {source.id};"
                f" `weighbridge connections test --stored {safe_text(source.name)}` tries it."
            )
        return 0

    return _with(work, data, around)


def show(environment: str | None, data: Path | None, *, as_json: bool, around: Surroundings) -> int:
    """List the stored connections, without secrets. Gives the exit code."""

    def work(found: Ground) -> int:
        if environment is not None and environment not in ENVIRONMENTS:
            raise _no_environment(environment)
        with seen_by(found.database, environment or EVERYTHING) as connection:
            sources = [_told(source) for source in list_data_sources(connection)]
        if as_json:
            _print(around, sources)
            return 0
        columns = ("id", "environment", "name", "type", "where", "password")
        lines = [columns, *(tuple(_cell(source, c) for c in columns) for source in sources)]
        for line in _aligned(lines):
            print(line, file=around.stdout)
        if not sources:
            around.say("weighbridge: none is stored yet; `weighbridge connections add` stores one.")
        return 0

    return _with(work, data, around)


def check(
    name: str, environment: str, data: Path | None, *, as_json: bool, around: Surroundings
) -> int:
    """Take every step of a test and say how it went. Gives the exit code."""

    def work(found: Ground) -> int:
        with seen_by(found.database, EVERYTHING) as connection:
            source = find_data_source(connection, name, environment)
            spec = open_side(connection, found.ring, source.id)
        shown: list[Finding] = []

        def tell(findings: Sequence[Finding]) -> None:
            if not as_json:
                for finding in findings[len(shown) :]:
                    _say(finding, around)
            shown[:] = findings

        temp_schema = source.settings.get("temp_schema")
        findings = probe(spec, policy_of(found.database), temp_schema=temp_schema, tell=tell)
        tell(findings)
        if as_json:
            steps = [finding.as_dict() for finding in findings]
            _print(around, {"id": source.id, "name": source.name, "steps": steps})
        return _FAILED if any(finding.code == "error" for finding in findings) else 0

    return _with(work, data, around)


def _form(new: New) -> tuple[str, dict[str, Any]]:
    """Give type and fields, from the URL or as they were typed."""
    if (new.url is None) == (new.kind is None):
        raise BadArgument(
            "A connection is given by its URL, or by --type and --option.",
            next_step="Give one of the two: vendor://user@host:port/database.",
        )
    if new.url is not None:
        if new.options:
            raise BadArgument(
                "--option stands beside --type, not beside a URL.",
                next_step="Write it into the URL, or give --type.",
            )
        return from_url(new.url)
    kind = new.kind or ""
    if kind not in FORMS:
        raise BadArgument(
            f"There is no connection of the type {kind!r}.",
            next_step=f"Use one of {', '.join(FORMS)}.",
        )
    schema = configuration_schema(kind)
    options: dict[str, Any] = {}
    for pair in new.options:
        name, equals, value = pair.partition("=")
        if not equals or name in {*schema["secret"], "password"}:
            # The value is not repeated: it may be a password.
            raise BadArgument(
                f"--option {name!r} cannot be taken here.",
                next_step="Write NAME=VALUE; the password comes from --password-file or the prompt.",
            )
        options[name] = value
        if schema["properties"].get(name, {}).get("type") == "integer":
            # Any other text is refused by the form, which knows what it should be.
            with suppress(ValueError):
                options[name] = int(value)
    return kind, options


def _told(source: DataSource) -> dict[str, Any]:
    """Say all of a stored connection but its secret."""
    return {
        "id": source.id,
        "environment": source.environment,
        "name": source.name,
        "type": source.vendor,
        "options": dict(source.options),
        "temp_schema": source.settings.get("temp_schema"),
        ACCEPTED: accepts(source.settings),
        "has_password": source.has_secret,
        "created_at": source.created_at.isoformat(),
    }


def _cell(told: dict[str, Any], column: str) -> str:
    if column == "where":
        options = told["options"]
        place = f"{options['user']}@{options['host']}:{options['port']}/{options['dbname']}"
        return safe_text(place)
    if column == "password":
        return "stored" if told["has_password"] else "none"
    return safe_text(str(told[column]))


def _say(finding: Finding, around: Surroundings) -> None:
    width = max(len(step) for step in STEPS)
    print(
        f"{finding.step:<{width}}  {finding.code:<5}  {safe_text(finding.message)}",
        file=around.stdout, flush=True,
    )  # fmt: skip
    for warning in finding.warnings:
        print(f"{'':<{width}}  warn   {safe_text(warning)}", file=around.stdout, flush=True)


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _no_environment(name: str) -> BadArgument:
    return BadArgument(
        f"{name!r} is no environment.", next_step=f"Use {' or '.join(ENVIRONMENTS)}."
    )


def _with(work: Callable[[Ground], int], data: Path | None, around: Surroundings) -> int:
    try:
        with ground(data, around.environ) as found:
            return work(found)
    except WeighbridgeError as error:
        return report_error(error, around)


def _print(around: Surroundings, value: Any) -> None:
    print(json.dumps(value, indent=2), file=around.stdout)
