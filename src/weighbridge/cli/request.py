"""From what was typed, set and configured to what is meant.

The order is: option, environment, `[diff]` of weighbridge.toml, default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from weighbridge import settings
from weighbridge.catalog.connections import Catalog, open_catalog
from weighbridge.cli import data_diff, values
from weighbridge.cli.flags import AllFlags
from weighbridge.compare.request import Budget, SampleWish, Tolerance
from weighbridge.errors import BadArgument

T = TypeVar("T")

ENDINGS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".md": "markdown",
    ".txt": "table",
}


@dataclass(frozen=True)
class Wishes:
    """What the library is asked, by its own names."""

    key: tuple[str, ...] | None
    columns: tuple[str, ...] | None
    exclude: tuple[str, ...]
    rename: dict[str, str]
    where: str | tuple[str | None, str | None] | None
    left_query: str | None
    right_query: str | None
    updated_column: str | None
    since: str | None
    until: str | None
    tolerances: dict[str, Tolerance]
    rules: dict[str, tuple[str, ...]]
    sample: SampleWish | None
    strategy: str
    limit: int
    budget: Budget
    snapshot: bool
    paranoid: bool
    recheck: float | None
    memory: int
    config: str | None

    def arguments(self) -> dict[str, Any]:
        """Give the wishes as keyword arguments."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Delivery:
    """Where the answer goes. `form` None: nothing was asked for and `quiet` keeps it silent."""

    form: str | None
    out: Path | None
    quiet: bool
    color: bool
    rows: int | None
    spreadsheet: bool
    exit_zero: bool


@dataclass(frozen=True)
class Request:
    """One run of `weighbridge diff`, understood."""

    left: str
    right: str
    wishes: Wishes
    delivery: Delivery
    tmpdir: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
    """The settings that are not on the command line, ready to be overridden."""

    found: dict[str, settings.Found]

    def pick(self, key: str, option: str, typed: str | None, reader: Callable[[str], T]) -> T:
        """Give the option's value, or the setting's."""
        return self.found[key].value if typed is None else values.read(option, typed, reader)


def understand(flags: AllFlags, environ: Mapping[str, str], now: datetime) -> Request:
    """Understand a command line. Raises BadArgument before anything is opened."""
    left, right = data_diff.two_sides(flags.sides)
    catalog = open_catalog(flags.config, environ=environ)
    said = _Said(found_settings(catalog))
    notes = (*data_diff.notes(flags), *_plain_passwords(catalog, (left, right)))
    return Request(
        left,
        right,
        _wishes(flags, said, catalog, now),
        _delivery(flags, said, environ),
        said.found["tmpdir"].value,
        notes,
    )


def found_settings(catalog: Catalog) -> dict[str, settings.Found]:
    """Look every setting up. Raises BadArgument."""
    try:
        return settings.find_all(catalog.environ, catalog.file.defaults, str(catalog.file.path))
    except ValueError as error:
        raise BadArgument(
            f"{error}.", next_step="`weighbridge config show --origin` lists every value."
        ) from None


def _plain_passwords(catalog: Catalog, sides: tuple[str, str]) -> list[str]:
    used = {named[0].name: named[0] for side in sides if (named := catalog.named(side))}
    return [
        f"the password of connection {name!r} is readable in {catalog.file.path};"
        " password_env or password_file keep it out."
        for name, connection in used.items()
        if connection.plain_password
    ]


def _wishes(flags: AllFlags, said: _Said, catalog: Catalog, now: datetime) -> Wishes:
    since, until = data_diff.window(flags, now)
    defaults = {key: found.value for key, found in said.found.items()}
    return Wishes(
        key=values.names("--key", flags.key) if flags.key else None,
        columns=values.names("--columns", flags.columns) if flags.columns else None,
        exclude=values.names("--exclude", flags.exclude or defaults["exclude"]),
        rename=values.pairs("--map", flags.rename or (), "left=right"),
        where=_where(flags),
        left_query=values.query("--left-query", flags.left_query),
        right_query=values.query("--right-query", flags.right_query),
        updated_column=flags.updated_column,
        since=since,
        until=until,
        tolerances=values.tolerances("tolerance", defaults["tolerance"])
        | values.tolerances("--tolerance", flags.tolerance or ()),
        rules=values.rules("rule", defaults["rule"]) | values.rules("--rule", flags.rule or ()),
        sample=values.sample(flags.sample, flags.sample_tolerance, flags.confidence),
        strategy=said.pick(
            "strategy",
            "--strategy",
            data_diff.strategy(flags),
            settings.one_of(*settings.STRATEGIES),
        ),
        limit=0 if flags.stats else said.pick("limit", "--limit", flags.limit, settings.count),
        budget=Budget(
            said.pick("max_rows", "--max-rows", flags.max_rows, settings.count),
            said.pick("max_bytes", "--max-bytes", flags.max_bytes, settings.size),
            said.pick("timeout", "--timeout", flags.timeout, settings.seconds),
        ),
        snapshot=defaults["snapshot"] if flags.snapshot is None else flags.snapshot,
        paranoid=defaults["paranoid"] if flags.paranoid is None else flags.paranoid,
        recheck=said.pick("recheck", "--recheck", flags.recheck, settings.seconds),
        memory=defaults["memory"],
        config=None if catalog.file.path is None else str(catalog.file.path),
    )


def _where(flags: AllFlags) -> str | tuple[str | None, str | None] | None:
    if flags.left_where is None and flags.right_where is None:
        return flags.where
    both = f"({flags.where}) AND " if flags.where else ""
    sides = (flags.left_where, flags.right_where)
    left, right = (f"{both}({side})" if side and both else side or flags.where for side in sides)
    return left, right


def _delivery(flags: AllFlags, said: _Said, environ: Mapping[str, str]) -> Delivery:
    out = Path(flags.out).expanduser() if flags.out else None
    typed = data_diff.output(flags)
    if typed is None and out is not None:
        typed = ENDINGS.get(out.suffix.lower())
    form = said.pick("output", "--output", typed, settings.one_of(*settings.OUTPUTS))
    quiet = said.found["quiet"].value if flags.quiet is None else flags.quiet
    asked = typed is not None or out is not None or said.found["output"].origin != "default"
    return Delivery(
        form=form if asked or not quiet else None,
        out=out,
        quiet=quiet,
        color=not flags.no_color and not environ.get("NO_COLOR"),
        rows=0 if flags.stats else values.optional("--limit", flags.limit, settings.count),
        spreadsheet=flags.spreadsheet,
        exit_zero=flags.exit_zero,
    )
