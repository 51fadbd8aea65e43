"""`weighbridge.toml`: where it is, what it says, and at which line it is wrong."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from weighbridge.errors import BadArgument
from weighbridge.settings import PREFIX, SETTINGS

FILE_NAME = "weighbridge.toml"
_TABLES = {"tolerance": "=", "rule": "="}


@dataclass(frozen=True)
class ConfigFile:
    """A file's content: `connections` as written, `defaults` of `[diff]` as settings' texts."""

    path: Path | None = None
    connections: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    defaults: dict[str, str] = field(default_factory=dict[str, str])
    text: str = field(default="", repr=False)

    def where(self, section: str, key: str | None = None) -> str:
        """Say where a section or its key stands: `path:line`."""
        line = _line_of(self.text, section, key)
        return f"{self.path}:{line}" if line else f"{self.path} [{section}]"


def find_file(explicit: str | Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """Find the file: the one asked for, WEIGHBRIDGE_CONFIG, or the nearest in `folder` and above.

    Raises BadArgument where a file was asked for by name and is not there.
    """
    asked = explicit or environ.get(f"{PREFIX}CONFIG")
    if asked:
        path = Path(asked).expanduser()
        if not path.is_file():
            raise BadArgument(
                f"The configuration file {path} does not exist.",
                next_step=f"Correct --config or {PREFIX}CONFIG, or make the file.",
            )
        return path
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return place / FILE_NAME
    return None


def read_file(path: Path | None) -> ConfigFile:
    """Read and check a file. Raises BadArgument with file, line, what was found and expected."""
    if path is None:
        return ConfigFile()
    try:
        text = path.read_text(encoding="utf-8-sig")
        body = tomllib.loads(text)
    except OSError as error:
        raise BadArgument(
            f"{path} cannot be read: {error.strerror or error}.",
            next_step="Correct its permissions, or name another file with --config.",
        ) from None
    except UnicodeDecodeError as error:
        raise BadArgument(
            f"{path} is not UTF-8 text (byte {error.start}).", next_step="Save it as UTF-8."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadArgument(
            f"{path} is not valid TOML: {error}.",
            next_step='Correct that line; texts need quotes: url = "…".',
        ) from None
    return _checked(ConfigFile(path, text=text), body)


def _checked(file: ConfigFile, body: dict[str, Any]) -> ConfigFile:
    unknown = sorted(set(body) - {"connections", "diff"})
    if unknown:
        raise BadArgument(
            f"{file.where(unknown[0])}: found the section or key {unknown[0]!r},"
            " expected [connections.NAME] or [diff].",
            next_step=_did_you_mean(unknown[0], ["connections", "diff"]),
        )
    connections = _table(file, body, "connections")
    for name in connections:
        _table(file, connections, name, section=f"connections.{name}")
    diff = _table(file, body, "diff")
    return ConfigFile(file.path, connections, _defaults(file, diff), file.text)


def _table(
    file: ConfigFile, body: dict[str, Any], key: str, *, section: str | None = None
) -> dict[str, Any]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise BadArgument(
            f"{file.where(section or key)}: found {type(value).__name__}, expected a section.",
            next_step=f"Write it as [{section or key}] with its keys below.",
        )
    return cast("dict[str, Any]", value)


def _defaults(file: ConfigFile, diff: dict[str, Any]) -> dict[str, str]:
    known = {setting.key: setting for setting in SETTINGS if setting.in_file}
    texts: dict[str, str] = {}
    for key, value in diff.items():
        if key not in known:
            raise BadArgument(
                f"{file.where('diff', key)}: found the unknown key {key!r} in [diff].",
                next_step=_did_you_mean(key, list(known)),
            )
        texts[key] = _as_text(file, key, value)
        try:
            known[key].read(texts[key])
        except ValueError as error:
            raise BadArgument(
                f"{file.where('diff', key)}: {key} = {texts[key]!r}: {error}.",
                next_step="Correct it; `weighbridge config show --origin` lists every value.",
            ) from None
    return texts


def _as_text(file: ConfigFile, key: str, value: Any) -> str:
    """Write a TOML value as the environment would have it, so that both are read by one reader."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list):
        return ";".join(str(item) for item in cast("list[Any]", value))
    if isinstance(value, dict) and key in _TABLES:
        return ";".join(
            f"{name}={_joined(item)}" for name, item in cast("dict[str, Any]", value).items()
        )
    raise BadArgument(
        f"{file.where('diff', key)}: found {type(value).__name__} for {key},"
        " expected a text, a number, true or false, or a list.",
        next_step="See docs/reference/configuration.md for what each key takes.",
    )


def _joined(value: Any) -> str:
    return ",".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)


def _did_you_mean(word: str, known: list[str]) -> str:
    near = near_names(word, known)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(sorted(known)) or 'none'}."


def near_names(word: str, known: list[str]) -> list[str]:
    """Give up to three known names that look like a word."""
    lowered = {name.lower(): name for name in known}
    return [lowered[n] for n in difflib.get_close_matches(word.lower(), list(lowered), 3, 0.6)]


def _line_of(text: str, section: str, key: str | None) -> int | None:
    # tomllib gives no positions, so this looks for the header and then the key, as a person would.
    header = re.compile(rf"\s*\[+\s*{re.escape(section)}\s*\]+|\s*{re.escape(section)}\s*[.=]")
    wanted = re.compile(rf"\s*\"?{re.escape(key)}\"?\s*[.=]") if key else None
    inside = 0
    for number, line in enumerate(text.splitlines(), 1):
        if wanted and inside and wanted.match(line):
            return number
        if header.match(line):
            inside = number
            if not wanted:
                return number
        elif inside and wanted and re.match(rf"\s*\[+{re.escape(section)}\.{key}\]", line):
            return number
    return inside or None
