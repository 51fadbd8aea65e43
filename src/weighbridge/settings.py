"""Every environment variable that weighbridge reads, once, with its unit.

A setting is looked for in this order, and the first place that has it wins: the option on the
command line, the environment, `[diff]` in `weighbridge.toml`, the default. Each variable
`X` can be given as `X_FILE`, the path of a file that holds the value (Docker's habit).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "WEIGHBRIDGE_"
CONNECTION_PREFIX = "WEIGHBRIDGE_CONNECTION_"

_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_SIZES = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
    # data-diff's habit: a month is 30 days and a year is 365.
    "mon": 30 * 86400.0,
    "month": 30 * 86400.0,
    "y": 365 * 86400.0,
    "year": 365 * 86400.0,
}


def size(text: str) -> int:
    """Read a number of bytes: 500000, 10MB, 2GiB. Raises ValueError in words."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    if found is None or found[2] not in _SIZES | _BINARY_SIZES:
        raise ValueError(f"{text!r} is not a size; write 10MB, 2GiB or a number of bytes")
    return int(float(found[1]) * (_SIZES | _BINARY_SIZES)[found[2]])


def seconds(text: str) -> float:
    """Read a length of time: 90, 1.5s, 250ms, 5min, 1h30min, 2d. Raises ValueError in words."""
    plain = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return float(plain)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z\u00b5]+)\s*", plain)
    if not parts or "".join(n + u for n, u in parts) != re.sub(r"\s+", "", plain):
        raise ValueError(f"{text!r} is not a length of time; write 30s, 250ms, 5min, 1h or 2d")
    return sum(float(number) * _seconds_of(unit, text) for number, unit in parts)


def _seconds_of(unit: str, text: str) -> float:
    unit = unit.replace("\u00b5", "u")
    singular = unit[:-1] if unit.endswith("s") and unit[:-1] in _SECONDS else unit
    known = _SECONDS.get(unit, _SECONDS.get(singular))
    if known is None:
        raise ValueError(f"{text!r} has the unknown unit {unit!r}; use us, ms, s, min, h, d or w")
    return known


def count(text: str) -> int:
    """Read a whole number of at least 0: 100, 10_000, 10,000. Raises ValueError in words."""
    plain = text.strip().replace(",", "").replace("_", "")
    if not (plain.isascii() and plain.isdigit()):
        raise ValueError(f"{text!r} is not a whole number of at least 0")
    return int(plain)


def switch(text: str) -> bool:
    """Read yes or no. Raises ValueError in words."""
    plain = text.strip().lower()
    if plain in {"1", "true", "yes", "on"}:
        return True
    if plain in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def words(text: str) -> tuple[str, ...]:
    """Split a list at semicolons: `amount=abs:0.01;price=rel:0.001`."""
    return tuple(part.strip() for part in text.split(";") if part.strip())


def path(text: str) -> Path:
    """Read a path; `~` is the home folder."""
    return Path(text).expanduser()


def one_of(*allowed: str) -> Callable[[str], str]:
    """Make a reader for one of a few words."""

    def read_word(text: str) -> str:
        if text.strip().lower() not in allowed:
            raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")
        return text.strip().lower()

    return read_word


STRATEGIES = ("auto", "checksum", "stream", "join")
OUTPUTS = ("table", "json", "ndjson", "csv", "parquet", "html", "junit", "markdown")


@dataclass(frozen=True)
class Setting:
    """One setting: `key` in `[diff]`, `variable` in the environment, `option` on the line."""

    key: str
    unit: str
    meaning: str
    read: Callable[[str], Any]
    default: Any = None
    default_text: str = "none"
    option: str | None = None
    in_file: bool = True

    @property
    def variable(self) -> str:
        """Name the environment variable."""
        return PREFIX + self.key.upper()


SETTINGS = (
    Setting(
        "config",
        "path",
        "the file with connections and defaults",
        path,
        default_text="`weighbridge.toml` in this folder or above",
        option="--config",
        in_file=False,
    ),
    Setting("memory", "bytes", "memory that one comparison may use", size, 96 * 2**20, "96MiB"),
    Setting(
        "tmpdir", "folder", "where temporary files go", path, default_text="the system's folder"
    ),
    Setting(
        "strategy",
        "word",
        "how to compare: auto, checksum, stream or join",
        one_of(*STRATEGIES),
        "auto",
        "auto",
        "--strategy",
    ),
    Setting("limit", "rows", "rows shown as a sample", count, 100, "100", "--limit"),
    Setting(
        "max_rows",
        "rows",
        "refuse to read more rows",
        count,
        default_text="no limit",
        option="--max-rows",
    ),
    Setting(
        "max_bytes",
        "bytes",
        "refuse to move more bytes",
        size,
        default_text="no limit",
        option="--max-bytes",
    ),
    Setting(
        "timeout",
        "time",
        "stop after this time",
        seconds,
        default_text="no limit",
        option="--timeout",
    ),
    Setting(
        "snapshot",
        "true/false",
        "read each side in one snapshot",
        switch,
        default=True,
        default_text="true",
        option="--snapshot",
    ),
    Setting(
        "paranoid",
        "true/false",
        "check every pair that a checksum calls equal",
        switch,
        default=False,
        default_text="false",
        option="--paranoid",
    ),
    Setting(
        "recheck",
        "time",
        "read differing rows again for this long",
        seconds,
        default_text="off",
        option="--recheck",
    ),
    Setting("exclude", "list (;)", "columns to leave out", words, (), "none", "--exclude"),
    Setting(
        "tolerance",
        "list (;)",
        "COL=abs:0.01, rel:0.001 or time:1s",
        words,
        (),
        "none",
        "--tolerance",
    ),
    Setting("rule", "list (;)", "COL=rule,rule", words, (), "none", "--rule"),
    Setting(
        "output", "word", "format of the result", one_of(*OUTPUTS), "table", "table", "--output"
    ),
    Setting(
        "quiet",
        "true/false",
        "no progress, no notes",
        switch,
        default=False,
        default_text="false",
        option="--quiet",
    ),
)

FOREIGN = (
    ("NO_COLOR", "any value", "no colours (https://no-color.org)"),
    ("GITHUB_ACTIONS", "`true`", "write an annotation where the sides differ or the run fails"),
    ("GITHUB_STEP_SUMMARY", "path", "append the Markdown report to the job's summary"),
)

# What the server's processes read. All but the password inside DATABASE_URL is no secret.
SERVER = (
    (
        "DATABASE_URL",
        "URL",
        "the PostgreSQL of the server; none: an embedded one in the data folder",
    ),
    ("WEIGHBRIDGE_DATA", "folder", "the server's data folder; default `.weighbridge`"),
    (
        "WEIGHBRIDGE_KEY_RING",
        "path",
        "the keys that seal secrets; default `keys.json` in the data folder",
    ),
    (
        "WEIGHBRIDGE_PUBLIC_URL",
        "URL",
        "where clients reach the server, for addresses in answers; none: paths without a host",
    ),
    (
        "WEIGHBRIDGE_GRACE",
        "time",
        "how long a worker that is to end may finish its diffs before it hands them back; default 20s",
    ),
    (
        "WEIGHBRIDGE_DUCKDB_FOLDER",
        "folder",
        "below it lie the files of DuckDB that operators may name as sources and destinations; none: no files",
    ),
    (
        "WEIGHBRIDGE_FAULT",
        "name",
        "for tests of the server alone: the named place at which a process kills itself",
    ),
)


@dataclass(frozen=True)
class Found:
    """A setting's value and where it comes from, in words."""

    setting: Setting
    value: Any
    origin: str
    text: str


def variable_text(name: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Give a variable's text and the name it was found by: itself, or `NAME_FILE`'s content.

    Raises ValueError where both are set, or the file cannot be read.
    """
    plain, by_file = environ.get(name), environ.get(f"{name}_FILE")
    if plain is not None and by_file is not None:
        raise ValueError(f"{name} and {name}_FILE are both set; keep one")
    if by_file is None:
        return None if plain is None else (plain, name)
    try:
        return Path(by_file).read_text(encoding="utf-8").rstrip("\r\n"), f"{name}_FILE"
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_FILE names {by_file}, which cannot be read: {error}") from None


def find(
    setting: Setting, environ: Mapping[str, str], from_file: Mapping[str, str], file_name: str
) -> Found:
    """Look a setting up: environment, then file, then default. Raises ValueError in words."""
    said = variable_text(setting.variable, environ)
    text, origin = said if said is not None else (from_file.get(setting.key), file_name)
    if text is None:
        return Found(setting, setting.default, "default", setting.default_text)
    origin = f"environment: {origin}" if said is not None else f"file: {origin}"
    try:
        return Found(setting, setting.read(text), origin, text)
    except ValueError as error:
        raise ValueError(f"{setting.key} ({origin}): {error}") from None


def find_all(
    environ: Mapping[str, str], from_file: Mapping[str, str], file_name: str
) -> dict[str, Found]:
    """Look every setting up, by key. Raises ValueError in words."""
    return {s.key: find(s, environ, from_file, file_name) for s in SETTINGS}
