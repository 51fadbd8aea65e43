"""Rows written to the scratch database, and tables of it compared: whatever the key is."""

from __future__ import annotations

from weighbridge.compare.task import Task
from weighbridge.connectors.base import Reading

# Values of one side that are matched in one go: fewer rows if they are wide.
PART_VALUES = 4_000_000


def parts_of(task: Task, rows: int) -> int:
    """Say in how many parts so many rows of one side fit in memory."""
    return -(-rows * len(task.outputs(0)) // PART_VALUES)


def stage_rows(task: Task, side: int, reading: Reading, table: str, *, only: str = "") -> int:
    """Read rows into a table of the scratch database; give how many there were.

    `only`: what follows FROM to keep some of them.
    """
    task.remember_sql(side, reading)
    reader = task.sources[side].read(reading)
    cursor = task.workspace.cursor()
    cursor.register("shape", reader.schema.empty_table())
    cursor.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM shape")
    cursor.unregister("shape")
    rows = 0
    for batch in reader:
        task.check()
        cursor.register("arriving", batch)
        cursor.execute(f"INSERT INTO {table} SELECT * FROM arriving{only}")
        cursor.unregister("arriving")
        task.arrived(side, batch.num_rows, batch.nbytes)
        rows += batch.num_rows
    cursor.close()
    return rows


def compare_staged(task: Task) -> None:
    """Write both sides to the scratch database and join them there."""
    task.phase = "reading"
    task.both(lambda side: stage_rows(task, side, Reading(task.outputs(side)), f"staged_{side}"))
    task.phase = "comparing"
    compare_tables(task, ("staged_0", "staged_1"))


def match_in_parts(
    task: Task, tables: tuple[str, str], *, unique: bool, null_keys: bool = False
) -> None:
    """Match two tables of any size, in parts that fit in memory, cut by a hash of the key."""
    rows = max(task.workspace.scalar(f"SELECT count(*) FROM {t}") for t in tables)
    parts = parts_of(task, rows)
    if parts <= 1:
        task.matcher.match(*tables, unique=unique, null_keys=null_keys)
        return
    keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
    for part in range(parts):
        task.check()
        for side, table in enumerate(tables):
            task.workspace.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE cut_{side} AS SELECT * FROM {table}"
                f" WHERE hash({keys}) % {parts} = {part}"
            )
        task.matcher.match("cut_0", "cut_1", unique=unique, null_keys=null_keys)


def compare_tables(task: Task, tables: tuple[str, str]) -> None:
    """Compare two tables of the scratch database, whatever their keys are."""
    run = task.workspace.connection.execute
    names = [f"k{i}" for i in range(len(task.keys))]
    whole = " AND ".join(f"{n} IS NOT NULL" for n in names)
    duplicated = [False, False]
    for side, table in enumerate(tables):
        count = task.workspace.scalar(f"SELECT count(*) FROM {table} WHERE NOT ({whole})")
        task.tally.null_keys[side] = 0 if task.whole_row else count
        side_name = ("left", "right")[side]
        if not task.unique[side] and not task.whole_row:
            listed = ", ".join(names)
            run(
                f"INSERT INTO dupes_{side_name} SELECT {listed}, count(*) FROM {table}"
                f" WHERE {whole} GROUP BY ALL HAVING count(*) > 1"
            )
            duplicated[side] = task.workspace.scalar(f"SELECT count(*) FROM dupes_{side_name}") > 0
    if task.whole_row:
        match_in_parts(task, tables, unique=False, null_keys=True)
        return
    nulls = any(task.tally.null_keys)
    if not nulls:
        match_in_parts(task, tables, unique=not any(duplicated))
        return
    for keep, null_keys in ((whole, False), (f"NOT ({whole})", True)):
        for side, table in enumerate(tables):
            run(f"CREATE OR REPLACE TEMP VIEW part_{side} AS SELECT * FROM {table} WHERE {keep}")
        unique = not null_keys and not any(duplicated)
        match_in_parts(task, ("part_0", "part_1"), unique=unique, null_keys=null_keys)


def compare_null_keys(task: Task) -> None:
    """Compare the rows whose key is null, which no window holds, as a multiset."""
    if not any(c.nullable for p in task.keys for c in (p.left, p.right)):
        return

    def stage(side: int) -> int:
        columns = tuple((p.left, p.right)[side] for p in task.keys)
        reading = Reading(task.outputs(side), keys=columns, key_nulls=True)
        return stage_rows(task, side, reading, f"nulls_{side}")

    counts = task.both(stage)
    task.tally.null_keys = list(counts)
    if any(counts):
        task.matcher.match("nulls_0", "nulls_1", unique=False, null_keys=True)
    for side in (0, 1):
        task.workspace.connection.execute(f"DROP TABLE nulls_{side}")
