"""The habits of data-diff's users: `DB1 TABLE1 DB2 TABLE2 -k id`, ages, algorithms, idle options.

https://docs.datafold.com/reference/open_source/cli/
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path

from weighbridge import settings
from weighbridge.cli.flags import AllFlags, IdleFlags
from weighbridge.cli.values import read
from weighbridge.errors import BadArgument

ALGORITHMS = {"auto": "auto", "joindiff": "join", "hashdiff": "checksum"}


def two_sides(words: list[str]) -> tuple[str, str]:
    """Make two sides of 2 words, or of data-diff's 4 (`DB TABLE DB TABLE`) or 3 (`DB TABLE TABLE`)."""
    match words:
        case [left, right]:
            return left, right
        case [database, left, right]:
            return _side(database, left), _side(database, right)
        case [left_database, left, right_database, right]:
            return _side(left_database, left), _side(right_database, right)
        case _:
            raise BadArgument(
                f"Found {len(words)} side{'s' if len(words) != 1 else ''}, expected LEFT and RIGHT.",
                next_step="Write `weighbridge diff LEFT RIGHT`; quote a glob so that the shell"
                " leaves it alone.",
            )


def _side(database: str, table: str) -> str:
    if "://" not in database:
        # A name of weighbridge.toml stands where data-diff has a name of its own file.
        return f"{database.removesuffix(':')}:{table}"
    if "#" in database:
        raise BadArgument(
            "A database of the form DB1 TABLE1 DB2 TABLE2 names a table itself.",
            next_step="Leave out what follows #, or give two sides only.",
        )
    return f"{_file_url(database)}#{table.replace('%', '%25')}"


def _file_url(database: str) -> str:
    """Turn data-diff's `scheme://name@path/to/file` into `scheme:///path/to/file`."""
    scheme, _, rest = database.partition("://")
    name, at, path = rest.partition("@")
    is_file = at and "/" not in name and ":" not in name.rstrip(":") and Path(path).is_file()
    return f"{scheme}:///{path}" if is_file else database


def window(flags: AllFlags, now: datetime) -> tuple[str | None, str | None]:
    """Give `since` and `until`; ages are counted back from `now`, in UTC."""
    if flags.max_age and flags.since:
        raise BadArgument("Found --max-age and --since.", next_step="Keep one of the two.")
    if flags.min_age and flags.until:
        raise BadArgument("Found --min-age and --until.", next_step="Keep one of the two.")
    if (flags.min_age or flags.max_age or flags.since or flags.until) and not flags.updated_column:
        raise BadArgument(
            "A window of time needs the column that says when a row was last changed.",
            next_step="Add --updated-column COL.",
        )
    return (
        _before("--max-age", flags.max_age, now) or flags.since,
        _before("--min-age", flags.min_age, now) or flags.until,
    )


def _before(option: str, age: str | None, now: datetime) -> str | None:
    if not age:
        return None
    try:
        moment = now - timedelta(seconds=read(option, age, settings.seconds))
    except OverflowError:
        raise BadArgument(
            f"{option}: {age!r} is too long ago.", next_step="Use 5min, 1h or 2d."
        ) from None
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def strategy(flags: AllFlags) -> str | None:
    """Give the strategy that was asked for, in our word or data-diff's."""
    if flags.algorithm is None:
        return flags.strategy
    if flags.strategy is not None:
        raise BadArgument("Found --strategy and --algorithm.", next_step="Keep --strategy.")
    if flags.algorithm.lower() not in ALGORITHMS:
        raise BadArgument(
            f"--algorithm: {flags.algorithm!r} is not one of {', '.join(ALGORITHMS)}.",
            next_step="Use --strategy auto, checksum, stream or join.",
        )
    return ALGORITHMS[flags.algorithm.lower()]


def output(flags: AllFlags) -> str | None:
    """Give the format that was asked for, in our word or data-diff's."""
    if not flags.json_lines:
        return flags.output
    if flags.output is not None:
        raise BadArgument("Found --json and --output.", next_step="Keep --output.")
    return "json" if flags.stats else "ndjson"


def notes(flags: AllFlags) -> tuple[str, ...]:
    """Say which options were accepted and do nothing."""
    idle = [
        f"--{field.name.replace('_', '-')}"
        for field in fields(IdleFlags)
        if getattr(flags, field.name)
    ]
    if not idle:
        return ()
    does = "does" if len(idle) == 1 else "do"
    return (f"{', '.join(idle)}: accepted for users of data-diff, {does} nothing here.",)
