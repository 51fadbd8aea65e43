"""`config show` and `connections list`: what is configured, with its origin and without secrets."""

from __future__ import annotations

import json
from typing import Any

from weighbridge.catalog.connections import Catalog, open_catalog
from weighbridge.cli.faults import report_error
from weighbridge.cli.request import found_settings
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import WeighbridgeError
from weighbridge.settings import FOREIGN
from weighbridge.types.safe_text import safe_text


def show(config: str | None, *, origin: bool, around: Surroundings) -> int:
    """Print every setting and connection. Gives the exit code."""
    try:
        catalog = open_catalog(config, environ=around.environ)
        lines = [*_settings(catalog, config), *_connections(catalog), *_foreign(around)]
    except WeighbridgeError as error:
        return report_error(error, around)
    width = max(len(text) for text, _ in lines)
    for text, source in lines:
        print(f"{text:<{width}}  # {source}" if origin else text, file=around.stdout)
    return 0


def list_connections(config: str | None, *, around: Surroundings, as_json: bool = False) -> int:
    """Print each connection's name, URL and origin. Gives the exit code."""
    try:
        catalog = open_catalog(config, environ=around.environ)
    except WeighbridgeError as error:
        return report_error(error, around)
    if as_json:
        listed = [
            {"name": name, "url": connection.shown, "origin": connection.origin}
            for name, connection in sorted(catalog.connections.items())
        ]
        print(json.dumps(listed, indent=2), file=around.stdout)
        return 0
    if not catalog.connections:
        around.say(
            "weighbridge: no connection has a name yet; see docs/reference/configuration.md."
            " Those that the server stores are listed with --stored."
        )
    for name, connection in sorted(catalog.connections.items()):
        print(f"{name}\t{safe_text(connection.shown)}\t{connection.origin}", file=around.stdout)
    return 0


def _settings(catalog: Catalog, config: str | None) -> list[tuple[str, str]]:
    found = found_settings(catalog)
    lines: list[tuple[str, str]] = []
    for key, item in found.items():
        value, source = item.value, item.origin
        if key == "config" and catalog.file.path is not None:
            value = catalog.file.path
            found_above = "found in this folder or above" if source == "default" else source
            source = "option: --config" if config else found_above
        lines.append((f"{key} = {_shown(value, item.setting.default_text)}", source))
    return lines


def _shown(value: Any, nothing: str) -> str:
    if value is None:
        return f"({nothing.replace('`', '')})"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "(none)"
    return safe_text(f"{value:g}" if isinstance(value, float) else str(value))


def _connections(catalog: Catalog) -> list[tuple[str, str]]:
    return [
        (f"connections.{name} = {safe_text(connection.shown)}", connection.origin)
        for name, connection in sorted(catalog.connections.items())
    ]


def _foreign(around: Surroundings) -> list[tuple[str, str]]:
    return [
        (f"{name} = {safe_text(around.environ[name])}", f"environment: {name}")
        for name, _, _ in FOREIGN
        if name in around.environ
    ]
