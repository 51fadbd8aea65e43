"""What a comparison found, as tables that can be written elsewhere: every value as text.

`diff`: each row that differs. `exclusives`: those of them whose key is on one side only.
`duplicates1`, `duplicates2`: the rows of a side whose key another row of it has too. Texts are
canonical: the same for a value wherever it was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from weighbridge.compare.normalise import needs_native
from weighbridge.compare.reread import (
    KEYS_AT_ONCE,
    LAST,
    NUMBERS_AT_ONCE,
    findable,
    whole_numbers,
)
from weighbridge.compare.rows import as_text
from weighbridge.compare.staging import stage_rows
from weighbridge.connectors.base import Reading
from weighbridge.types.columns import ColumnType

if TYPE_CHECKING:
    from weighbridge.compare.task import Task

Name = Literal["diff", "duplicates1", "duplicates2", "exclusives"]
NAMES: tuple[Name, ...] = ("diff", "duplicates1", "duplicates2", "exclusives")
# Above so many readings of listed keys, reading every row once is cheaper.
MOST_READINGS = 8
_WORD = ColumnType("text", "text")
_TRUTH = ColumnType("bool", "boolean")


@dataclass(frozen=True)
class Field:
    """A column: its name as (before, name, after), its type, and DuckDB SQL for its text."""

    name: tuple[str, str, str]
    type: ColumnType
    text: str


class Relation:
    """Rows of the scratch database; `fields` are its columns."""

    def __init__(self, task: Task, fields: Sequence[Field], source: str) -> None:
        self.fields = tuple(fields)
        self._task = task
        texts = ", ".join(f"{f.text} AS t{i}" for i, f in enumerate(fields))
        self._texts = f"SELECT {texts} FROM {source}"

    @property
    def texts(self) -> tuple[str, ...]:
        """Name the text of each field, for the SQL of `holds` and `rows`."""
        return tuple(f"t{i}" for i in range(len(self.fields)))

    def holds(self, conditions: Sequence[str]) -> list[bool]:
        """Tell of each condition whether it holds for all rows; null is no offence."""
        listed = ", ".join(f"coalesce(bool_and({c}), true)" for c in conditions)
        cursor = self._task.workspace.cursor()
        row = cursor.execute(f"SELECT {listed} FROM ({self._texts})").fetchone() or ()
        cursor.close()
        return [bool(value) for value in row]

    def rows(self, expression: str, at_once: int = 5_000) -> Iterator[list[str]]:
        """Give one text for each row, some rows at a time."""
        cursor = self._task.workspace.cursor()
        reader = cursor.execute(f"SELECT {expression} AS line FROM ({self._texts})")
        for batch in reader.to_arrow_reader(at_once):
            self._task.stop.check()
            yield batch.column(0).to_pylist()
        cursor.close()


def relation(task: Task, name: Name) -> Relation:
    """Give one of the tables; those of duplicates are read from the side again, in its snapshot."""
    if name == "diff":
        return Relation(task, [*_row_fields(task), *_flags(task)], "diffs")
    if name == "exclusives":
        return Relation(task, _row_fields(task), "diffs WHERE exclusive")
    return _duplicates(task, 0 if name == "duplicates1" else 1)


def _row_fields(task: Task) -> list[Field]:
    fields = [Field(("", "kind", ""), _WORD, "kind")]
    for i, pair in enumerate(task.keys):
        types, natives = (pair.left.type, pair.right.type), _natives(task, i, keys=True)
        # Two kinds of keys have their text in common.
        alike = types[0].family == types[1].family and natives[0] == natives[1]
        kind = types[0] if alike else _WORD
        fields.append(Field(("", pair.name, ""), kind, as_text(kind, natives[0], f"k{i}")))
    for i, pair in enumerate(task.values):
        natives = _natives(task, i, keys=False)
        for side, (prefix, after) in enumerate((("l", "_a"), ("r", "_b"))):
            kind = (pair.left, pair.right)[side].type
            text = as_text(kind, natives[side], f"{prefix}{i}")
            fields.append(Field(("", pair.name, after), kind, text))
    return fields


def _flags(task: Task) -> list[Field]:
    return [
        Field(("is_diff_", pair.name, ""), _TRUTH, f"CAST(list_contains(changed, {i}) AS VARCHAR)")
        for i, pair in enumerate(task.values)
    ]


def _natives(task: Task, index: int, *, keys: bool) -> tuple[str, str]:
    pair = (task.keys if keys else task.values)[index]
    left, right = task.sources
    return left.native(pair.left), right.native(pair.right)


# Duplicates --------------------------------------------------------------------------------


def _duplicates(task: Task, side: int) -> Relation:
    table = f"doubled_{side}"
    _stage(task, side, table)
    fields: list[Field] = []
    for pairs, letters in ((task.keys, "km"), (task.values, "cn")):
        for i, pair in enumerate(pairs):
            column = (pair.left, pair.right)[side]
            name = f"{letters[needs_native(pair)]}{i}"
            text = as_text(column.type, task.sources[side].native(column), name)
            fields.append(Field(("", pair.name, ""), column.type, text))
    return Relation(task, fields, table)


def _stage(task: Task, side: int, table: str) -> None:
    """Bring the rows of duplicated keys into a table of the scratch database."""
    run = task.workspace.connection.execute
    dupes = f"dupes_{('left', 'right')[side]}"
    keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
    only = f" SEMI JOIN {dupes} USING ({keys})"
    staged = task.workspace.has_table(f"staged_{side}")
    if staged:
        # The very rows that were compared, a sample's too.
        run(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM staged_{side}{only}")
        return
    readings = _readings(task, side, dupes)
    for n, reading in enumerate(readings):
        stage_rows(task, side, reading, f"{table}_{n}", only=only)
    parts = [f"SELECT * FROM {table}_{n}" for n in range(len(readings))]
    run(f"CREATE OR REPLACE TABLE {table} AS {' UNION ALL '.join(parts)}")
    for n in range(len(readings)):
        run(f"DROP TABLE {table}_{n}")


def _readings(task: Task, side: int, dupes: str) -> list[Reading]:
    """Ask for the duplicated keys where they can be listed, else for every row."""
    columns = tuple((p.left, p.right)[side] for p in task.keys)
    count = task.workspace.scalar(f"SELECT count(*) FROM {dupes}")
    numbers = whole_numbers(task)
    step = NUMBERS_AT_ONCE if numbers else KEYS_AT_ONCE
    if count > step * MOST_READINGS or not all(findable(p) for p in task.keys):
        return [Reading(task.outputs(side), keys=columns, key_nulls=False)]
    texts = ", ".join(f"CAST(k{i} AS VARCHAR)" for i in range(len(task.keys)))
    rows = task.workspace.connection.execute(f"SELECT {texts} FROM {dupes}").fetchall()
    found: list[Reading] = []
    for start in range(0, max(count, 1), step):
        listed = tuple(tuple(map(str, row)) for row in rows[start : start + step])
        if numbers and all(int(key) < LAST for (key,) in listed):
            ranges = tuple((n, n + 1) for n in sorted(int(key) for (key,) in listed))
            found.append(Reading(task.outputs(side), key=columns[0], keys=columns, ranges=ranges))
        else:
            found.append(Reading(task.outputs(side), keys=columns, key_values=listed))
    return found
