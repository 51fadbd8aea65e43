"""What the Tab key offers: connections of weighbridge.toml, files, formats."""

from __future__ import annotations

from pathlib import Path

from weighbridge.settings import OUTPUTS

# Names of a huge folder are of no use to a person, and reading them all is not quick.
_MOST_FILES = 500


def complete_side(incomplete: str) -> list[str]:
    """Offer `NAME:` for each connection, and files."""
    return [*_connections(incomplete), *complete_file(incomplete)]


def complete_name(incomplete: str) -> list[str]:
    """Offer the names of connections."""
    return [name.removesuffix(":") for name in _connections(incomplete)]


def complete_output(incomplete: str) -> list[str]:
    """Offer the formats of a result."""
    return [name for name in OUTPUTS if name.startswith(incomplete)]


def complete_file(incomplete: str) -> list[str]:
    """Offer the files and folders that begin so."""
    folder, _, start = incomplete.rpartition("/")
    shown = f"{folder}/" if "/" in incomplete else ""
    try:
        entries = sorted(Path(shown or ".").expanduser().iterdir())
    except OSError:
        return []
    hidden = start.startswith(".")
    names = [
        entry
        for entry in entries
        if entry.name.startswith(start) and (hidden or not entry.name.startswith("."))
    ]
    return [f"{shown}{entry.name}{'/' if entry.is_dir() else ''}" for entry in names[:_MOST_FILES]]


def _connections(incomplete: str) -> list[str]:
    from weighbridge.catalog.connections import open_catalog  # noqa: PLC0415 only Tab pays for it
    from weighbridge.errors import WeighbridgeError  # noqa: PLC0415 only Tab pays for it

    try:
        names = open_catalog().connections
    except WeighbridgeError:
        # A file with a mistake is reported when a command runs, not while a person types.
        return []
    return [f"{name}:" for name in sorted(names) if name.startswith(incomplete)]
