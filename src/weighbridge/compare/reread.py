"""Read the keys that differ once more, and put what they show now in place of what they showed.

The counts are of all rows, so what the differing keys had added to them is taken away first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from weighbridge.compare.match import Matcher, Tally
from weighbridge.compare.normalise import needs_native
from weighbridge.compare.staging import match_in_parts, stage_rows
from weighbridge.connectors.base import Reading, Source

if TYPE_CHECKING:
    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.compare.task import Task

Pair = tuple[Source, Source]

# Keys that are asked for in one query: a list of whole numbers is the cheapest.
KEYS_AT_ONCE = 1_000
NUMBERS_AT_ONCE = 50_000
# Above this share of all rows, reading them all is cheaper than asking.
TOO_MANY = 0.2
# A source keeps a connection for each reading until it is closed.
READINGS_AT_ONCE = 8
# No int64 lies behind this one: it ends no half-open range.
LAST = 2**63 - 1
# Key families whose text form every server reads back as the same value.
FINDABLE = frozenset({"text", "uuid", "date"})


def whole_keys(task: Task) -> str:
    """Write the condition that no part of a differing row's key is null."""
    return " AND ".join(f"k{i} IS NOT NULL" for i in range(len(task.keys)))


def read_again(task: Task, reopen: Callable[[], Pair]) -> None:
    """Match the differing keys anew, in later snapshots, and put that in place of before."""
    whole, fresh = task.tally, Tally.of(len(task.values))
    run = task.workspace.connection.execute
    _list_wanted(task)
    portions = _portions(task)
    _take_away(task, whole)
    run(f"DELETE FROM diffs WHERE {whole_keys(task)}")
    # Rows without a whole key stay as they were found.
    fresh.only_left = task.workspace.scalar("SELECT count(*) FROM diffs WHERE kind = 'only_left'")
    fresh.only_right = task.workspace.scalar("SELECT count(*) FROM diffs WHERE kind = 'only_right'")
    task.matcher = Matcher(task.workspace, fresh)
    if task.options.right_first:
        for portion in portions:
            _right_first(task, reopen, _ask(task, portion))
            _match(task)
    else:
        _side_by_side(task, reopen, portions)
    _add(whole, fresh)
    task.matcher = Matcher(task.workspace, whole)
    for name in ("before", "wanted", "asked", "again_0", "again_1"):
        run(f"DROP TABLE IF EXISTS {name}")


def _side_by_side(task: Task, reopen: Callable[[], Pair], portions: list[range | None]) -> None:
    for start in range(0, len(portions), READINGS_AT_ONCE):
        with _later(task, reopen):
            for portion in portions[start : start + READINGS_AT_ONCE]:
                task.check()
                task.rows_read[:] = [0, 0]
                readings = _ask(task, portion)
                task.both(lambda side, readings=readings: _stage(task, side, readings[side]))
                _match(task)


def _right_first(task: Task, reopen: Callable[[], Pair], readings: tuple[Reading, Reading]) -> None:
    """Read the right to its end; only then the left is opened whose moment counts."""
    for side in (1, 0):
        with _later(task, reopen):
            task.check()
            task.rows_read[:] = [0, 0]
            _stage(task, side, readings[side])


def _match(task: Task) -> None:
    match_in_parts(task, ("again_0", "again_1"), unique=not _renew_duplicates(task))


@contextmanager
def _later(task: Task, reopen: Callable[[], Pair]) -> Generator[None]:
    """Read from new connections while the context lasts, and do not count what is read."""
    sources = reopen()
    for source in sources:
        task.stop.on_set(source.cancel)
    held, task.sources = task.sources, sources
    rows_read = list(task.rows_read)
    try:
        yield
    finally:
        task.sources = held
        task.rows_read[:] = rows_read
        for source in sources:
            source.close()


# What to ask for ---------------------------------------------------------------------------


def _list_wanted(task: Task) -> None:
    """Note the differing rows with their strict keys s…, and number the keys: k… strict, t… text."""
    places = range(len(task.keys))
    strict = ", ".join(f"{_strict_key(task, i)} AS s{i}" for i in places)
    run = task.workspace.connection.execute
    run(f"CREATE OR REPLACE TABLE before AS SELECT *, {strict} FROM diffs WHERE {whole_keys(task)}")
    listed = ", ".join(f"s{i} AS k{i}, min(CAST(k{i} AS VARCHAR)) AS t{i}" for i in places)
    grouped = ", ".join(f"s{i}" for i in places)
    run(
        "CREATE OR REPLACE TABLE wanted AS SELECT row_number() OVER () - 1 AS place, *"
        f" FROM (SELECT {listed} FROM before GROUP BY {grouped})"
    )


def _strict_key(task: Task, index: int) -> str:
    # A key is kept as the left has it, or as the right has it where the left has no such row.
    pair = task.keys[index]
    natives = [
        source.native(column)
        for source, column in zip(task.sources, (pair.left, pair.right), strict=True)
    ]
    parts = [
        strict.replace("{x}", f"TRY_CAST(k{index} AS {native})")
        for strict, native in zip(pair.strict, natives, strict=True)
    ]
    return f"CASE WHEN kind = 'only_right' THEN {parts[1]} ELSE {parts[0]} END"


def _portions(task: Task) -> list[range | None]:
    """Cut the keys into portions to ask for; None asks for every row of both sides."""
    wanted = task.workspace.scalar("SELECT count(*) FROM wanted")
    step = NUMBERS_AT_ONCE if whole_numbers(task) else KEYS_AT_ONCE
    many = wanted > max(step, TOO_MANY * (task.tally.matched + wanted))
    if many or not all(findable(p) for p in task.keys):
        return [None]
    return [range(start, start + step) for start in range(0, wanted, step)]


def _ask(task: Task, portion: range | None) -> tuple[Reading, Reading]:
    """List the keys of a portion in `asked`, and give the readings that find them."""
    run = task.workspace.connection.execute
    where = f" WHERE place BETWEEN {portion[0]} AND {portion[-1]}" if portion else ""
    run(f"CREATE OR REPLACE TABLE asked AS SELECT * FROM wanted{where}")
    texts = ", ".join(f"t{i}" for i in range(len(task.keys)))
    keys = run(f"SELECT {texts} FROM asked").fetchall() if portion else []
    ranges = _ranges(task, keys) if portion else None

    def reading(side: int) -> Reading:
        columns = tuple((p.left, p.right)[side] for p in task.keys)
        if portion is None:
            return Reading(task.outputs(side), keys=columns, key_nulls=False)
        if ranges is None:
            listed = tuple(tuple(map(str, row)) for row in keys)
            return Reading(task.outputs(side), keys=columns, key_values=listed)
        return Reading(task.outputs(side), key=columns[0], keys=columns, ranges=ranges)

    return reading(0), reading(1)


def findable(pair: ColumnPair) -> bool:
    """Tell whether a key's text, as one side writes it, finds the same key on both sides."""
    families = {pair.left.type.family, pair.right.type.family}
    if families <= {"int", "decimal"}:
        return True
    plain = pair.rule.startswith("exact") and not pair.assumed
    return plain and len(families) == 1 and families <= FINDABLE


def whole_numbers(task: Task) -> bool:
    columns = [c for p in task.keys for c in (p.left, p.right)]
    return len(task.keys) == 1 and all(c.type.family == "int" for c in columns)


def _ranges(task: Task, keys: list[Any]) -> tuple[tuple[int, int], ...] | None:
    """Give the keys as ranges of one integer column: servers use its index for numbers."""
    numbers = sorted(int(key) for (key,) in keys) if whole_numbers(task) else []
    return tuple((n, n + 1) for n in numbers) if numbers and numbers[-1] < LAST else None


def _stage(task: Task, side: int, reading: Reading) -> None:
    # A server may find more than was asked for: 'A' for 'a', or every row.
    keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
    only = f" SEMI JOIN asked USING ({keys})"
    task.rows_fetched[side] += stage_rows(task, side, reading, f"again_{side}", only=only)


def _renew_duplicates(task: Task) -> bool:
    """List the duplicated keys among those asked for anew; tell whether there are any."""
    if all(task.unique):
        return False
    keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
    run = task.workspace.connection.execute
    found = 0
    for side, name in enumerate(("left", "right")):
        run(f"DELETE FROM dupes_{name} WHERE ({keys}) IN (SELECT ({keys}) FROM asked)")
        many = f"SELECT {keys}, count(*) AS n FROM again_{side} GROUP BY ALL HAVING n > 1"
        run(f"INSERT INTO dupes_{name} {many}")
        found += task.workspace.scalar(f"SELECT count(*) FROM ({many})")
    return found > 0


# Counting ----------------------------------------------------------------------------------


def _take_away(task: Task, whole: Tally) -> None:
    """Take from the counts of all rows what the differing keys had added to them."""
    whole.matched -= _matched_before(task)
    for i, pair in enumerate(task.values):
        left, right = (
            pair.strict[side].replace("{x}", f"{prefix}{i}")
            if needs_native(pair)
            else f"{prefix}{i}"
            for side, prefix in enumerate(("l", "r"))
        )
        rows = "SELECT count(*) FROM before WHERE kind = 'changed'"
        if pair.lossy:
            leans = f"NOT list_contains(changed, {i}) AND {left} IS DISTINCT FROM {right}"
            whole.depends[i] -= task.workspace.scalar(f"{rows} AND {leans}")
        if pair.assumed:
            nulls = f"{left} IS NULL AND {right} IS NULL"
            whole.equal_nulls[i] -= task.workspace.scalar(f"{rows} AND {nulls}")


def _matched_before(task: Task) -> int:
    """Count the equal pairs of differing keys: only several rows of one key can be both."""
    places = range(len(task.keys))
    grouped = ", ".join(f"s{i} AS k{i}" for i in places)
    keys = ", ".join(f"k{i}" for i in places)
    kinds = ", ".join(
        f"count(*) FILTER (kind = '{kind}') AS {kind}"
        for kind in ("only_left", "only_right", "changed")
    )
    return task.workspace.scalar(
        "SELECT sum(coalesce(a.n - only_left - changed, b.n - only_right - changed, 0))"
        f" FROM (SELECT {grouped}, {kinds} FROM before GROUP BY ALL) d"
        f" LEFT JOIN dupes_left a USING ({keys}) LEFT JOIN dupes_right b USING ({keys})"
    )


def _add(whole: Tally, fresh: Tally) -> None:
    """Add what the keys showed now: all differing rows are among them."""
    whole.matched += fresh.matched
    whole.only_left, whole.only_right = fresh.only_left, fresh.only_right
    whole.changed = fresh.changed
    whole.exclusives = list(fresh.exclusives)
    whole.exclusive_dupes = fresh.exclusive_dupes
    whole.differences = list(fresh.differences)
    whole.doubled_changed = fresh.doubled_changed
    whole.doubled_differences = list(fresh.doubled_differences)
    whole.depends = [a + b for a, b in zip(whole.depends, fresh.depends, strict=True)]
    whole.equal_under_rule += fresh.equal_under_rule
    whole.equal_nulls = [a + b for a, b in zip(whole.equal_nulls, fresh.equal_nulls, strict=True)]
