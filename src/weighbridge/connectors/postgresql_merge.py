"""The tables of a load in PostgreSQL: the delivered one, and the one where rows are staged.

A table that is not there yet is the staged one, renamed: nothing is written twice. Into one that is
there rows are merged from a temporary table, so that its grants and views stay, and readers of it see
the old content until the new one is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.loading import Load
from weighbridge.connectors.names import quote
from weighbridge.connectors.postgresql_ledger import Place
from weighbridge.errors import NotComparable, Unreadable, WeighbridgeError

if TYPE_CHECKING:
    import psycopg

    from weighbridge.types.columns import ColumnType

_INTS = {16: "smallint", 32: "integer", 64: "bigint"}
_TYPES = {
    "bool": "boolean", "float": "double precision", "date": "date", "json": "json", "uuid": "uuid",
    "bytes": "bytea", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}  # fmt: skip
# Its columns in order, and which unique sets of columns it enforces at once.
_COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_UNIQUE = """
SELECT array_agg(a.attname::text) FROM pg_index i, unnest(i.indkey::int2[]) AS k(n), pg_attribute a
WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL AND k.n = ANY (i.indkey::int2[])
    AND a.attrelid = i.indrelid AND a.attnum = k.n
    AND array_position(i.indkey::int2[], k.n) < i.indnkeyatts
GROUP BY i.indexrelid
"""


def column_type(kind: ColumnType) -> str:
    """Name the type of a delivered column."""
    if kind.family == "int":
        return _INTS[kind.bits or 64]
    if kind.family == "decimal":
        return (
            "numeric" if kind.precision is None else f"numeric({kind.precision},{kind.scale or 0})"
        )
    return _TYPES.get(kind.family, "text")


@dataclass(frozen=True)
class Table:
    """A delivered table as it was found: its columns, none if it is still to be made."""

    columns: tuple[str, ...]


def shaped(connection: psycopg.Connection[Any], place: Place, load: Load) -> Table:
    """Look at the table, and add the columns that are new. Raises NotComparable."""
    found = connection.execute(
        "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", (place.name,)
    ).fetchone()
    if found is None:
        return Table(())
    if found[0] not in {"r", "p"}:
        raise NotComparable(
            f"{place.table} is no table in the destination.",
            next_step="Rename it, so that a table can be made, or rename the model.",
        )
    there = dict(connection.execute(_COLUMNS.encode(), (place.name,)).fetchall())
    _check_types(place, load, there)
    _check_key(connection, place, load)
    new = [f for f in load.fields if f.name not in there]
    if new:
        added = ", ".join(
            f"ADD COLUMN {quote(f.name, 'postgres')} {column_type(f.type)}" for f in new
        )
        connection.execute("SET LOCAL lock_timeout = '2s'")
        connection.execute(f"ALTER TABLE {place.name} {added}".encode())
    return Table((*there, *(f.name for f in new)))


def _check_types(place: Place, load: Load, there: Mapping[str, str]) -> None:
    for field in load.fields:
        found, wanted = there.get(field.name), column_type(field.type)
        if found is not None and found != wanted:
            raise NotComparable(
                f"The column {field.name} of {place.table} is {found} in the destination, expected"
                f" {wanted}.",
                next_step="Rename or drop the column there, or the whole table and ask for a full"
                " refresh; or change its data_type in the model.",
            )


def _check_key(connection: psycopg.Connection[Any], place: Place, load: Load) -> None:
    held = [
        frozenset(row[0]) for row in connection.execute(_UNIQUE.encode(), (place.name,)).fetchall()
    ]
    if frozenset(load.key) not in held:
        key = ", ".join(load.key)
        raise NotComparable(
            f"The table {place.table} of the destination has no primary key ({key}).",
            next_step=f"Add one, or drop the table and ask for a full refresh: ({key}) names the"
            " model's rows.",
        )


class Staging:
    """Where the rows of a load wait, inside the transaction that publishes them."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        place: Place,
        load: Load,
        *,
        table: Table,
        tenants: bool,
    ) -> None:
        self._connection, self._place, self._load, self._table = connection, place, load, table
        self._fresh = not table.columns
        self._own = own = f"_weighbridge_{place.mark}_{load.token}"
        self._name = place.named(own) if self._fresh else quote(own, "postgres")
        self._tenant = self._free("tenant") if tenants else None
        columns = [f"{quote(f.name, 'postgres')} {column_type(f.type)}" for f in load.fields]
        if self._tenant is not None:
            columns.append(f"{self._tenant} text")
        kind, end = ("TABLE", "") if self._fresh else ("TEMP TABLE", " ON COMMIT DROP")
        self._run(f"CREATE {kind} {self._name} ({', '.join(columns)}){end}")

    def _free(self, wanted: str) -> str:
        taken = {field.name for field in self._load.fields}
        while wanted in taken:
            wanted += "_"
        return quote(wanted, "postgres")

    def copy_rows(self) -> str:
        """Write the COPY that takes rows as CSV."""
        return f"COPY {self._name} ({self._listed()}) FROM STDIN (FORMAT csv)"

    def copy_copied(self) -> str:
        """Write the COPY that takes another server's, with the tenant as its last column."""
        return f"COPY {self._name} FROM STDIN (FORMAT binary)"

    def looked_at(self, tenant: str) -> tuple[int, int, datetime | None]:
        """Count the rows and those of other tenants; give the latest moment of change."""
        changed = self._changed_at()
        found: list[Any] = self._connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {self._tenant} IS DISTINCT FROM"
            f' %s COLLATE "C"), max({changed}) FILTER (WHERE isfinite({changed}))'
            f" FROM {self._name}".encode(),
            (tenant,),
        ).fetchall()
        return found[0]

    def forget_tenants(self) -> None:
        """Take the tenants' column away."""
        if self._fresh:
            self._run(f"ALTER TABLE {self._name} DROP COLUMN {self._tenant}")

    def make_ready(self) -> None:
        """Do what takes long and keeps nobody out."""
        if self._fresh:
            self._run("SET LOCAL maintenance_work_mem = '128MB'")
            self._run(f"ALTER TABLE {self._name} ADD PRIMARY KEY ({self._key()})")
        else:
            self._run("SET LOCAL work_mem = '64MB'")
        # Nobody else does it for a temporary table, nor soon for a new one.
        self._run(f"ANALYZE {self._name}")

    def merge(self, removed: Sequence[str]) -> int:
        """Bring the rows into the table; give how many were new or changed."""
        if self._fresh:
            table = quote(self._load.table, "postgres")
            self._run(f"ALTER TABLE {self._name} RENAME TO {table}")
            # The key's name tells whose it is, as if the table had been made under its own name.
            self._rename_key()
            return self._count(f"SELECT count(*) FROM {self._place.name}")
        if not self._load.full:
            changed = self._upsert()
        else:
            # All against all: joins, where an index would be asked for each row.
            self._check_unique()
            changed = self._replace()
        self._empty(removed)
        return changed

    def _upsert(self) -> int:
        others = [f for f in self._load.fields if f.name not in self._load.key]
        rows = (
            f"INSERT INTO {self._place.name} AS t ({self._listed()})"
            f" SELECT {self._listed()} FROM {self._name} ON CONFLICT ({self._key()})"
        )
        if not others:
            return self._run(f"{rows} DO NOTHING")
        names = [quote(f.name, "postgres") for f in others]
        differs = " OR ".join(_differs(f.name, f.type, "excluded") for f in others)
        changed = quote(self._load.last_modified, "postgres")
        # Null is no moment, so nothing is older than it.
        return self._run(
            f"{rows} DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in names)}"
            f" WHERE ({differs}) AND (excluded.{changed} < t.{changed}) IS NOT TRUE"
        )

    def _rename_key(self) -> None:
        wanted = f"{self._load.table[:58]}_pkey"
        row = self._connection.execute(
            "SELECT conname::text, to_regclass(%s) FROM pg_constraint"
            " WHERE conrelid = to_regclass(%s) AND contype = 'p'",
            (self._place.named(wanted), self._place.name),
        ).fetchone()
        if row is not None and row[1] is None:
            self._run(
                f"ALTER TABLE {self._place.name} RENAME CONSTRAINT {quote(row[0], 'postgres')}"
                f" TO {quote(wanted, 'postgres')}"
            )

    def _check_unique(self) -> None:
        nulls = " OR ".join(f"{quote(k, 'postgres')} IS NULL" for k in self._load.key)
        bad = self._connection.execute(
            f"SELECT 1 FROM {self._name} GROUP BY {self._key()}"
            f" HAVING count(*) > 1 OR bool_or({nulls}) LIMIT 1".encode()
        ).fetchone()
        if bad is not None:
            raise no_key(self._load)

    def _replace(self) -> int:
        """Make the table what is staged, touching the rows that differ alone; one scan finds them."""
        key = [quote(k, "postgres") for k in self._load.key]
        others = [f for f in self._load.fields if f.name not in self._load.key]
        differs = " OR ".join(_differs(f.name, f.type, "s") for f in others) or "false"
        named = ", ".join(f"coalesce(s.{k}, t.{k}) AS {k}" for k in key)
        found = quote(f"{self._own}_differs", "postgres")
        self._run(
            f"CREATE TEMP TABLE {found} ON COMMIT DROP AS SELECT {named},"
            f" CASE WHEN s.{key[0]} IS NULL THEN 'gone' WHEN t.{key[0]} IS NULL THEN 'new'"
            f" ELSE 'changed' END AS {self._free('how')}"
            f" FROM {self._place.name} AS t FULL JOIN {self._name} AS s ON {self._same_key('t', 's')}"
            f" WHERE s.{key[0]} IS NULL OR t.{key[0]} IS NULL OR {differs}"
        )
        self._run(f"ANALYZE {found}")
        how = f"d.{self._free('how')}"
        gone = self._run(
            f"DELETE FROM {self._place.name} AS t USING {found} AS d"
            f" WHERE {how} = 'gone' AND {self._same_key('t', 'd')}"
        )
        both = f"FROM {self._name} AS s, {found} AS d WHERE {self._same_key('s', 'd')}"
        changed = 0
        if others:
            names = [quote(f.name, "postgres") for f in others]
            changed = self._run(
                f"UPDATE {self._place.name} AS t SET {', '.join(f'{n} = s.{n}' for n in names)}"
                f" {both} AND {how} = 'changed' AND {self._same_key('t', 's')}"
            )
        listed = ", ".join(f"s.{quote(f.name, 'postgres')}" for f in self._load.fields)
        return (
            gone
            + changed
            + self._run(
                f"INSERT INTO {self._place.name} ({self._listed()}) SELECT {listed} {both}"
                f" AND {how} = 'new'"
            )
        )

    def _empty(self, removed: Sequence[str]) -> None:
        """Let the columns that the model has no more hold null."""
        names = [quote(n, "postgres") for n in removed if n in self._table.columns]
        if names:
            self._run(
                f"UPDATE {self._place.name} SET {', '.join(f'{n} = NULL' for n in names)}"
                f" WHERE {' OR '.join(f'{n} IS NOT NULL' for n in names)}"
            )

    def _changed_at(self) -> str:
        name, kind = next(
            (quote(f.name, "postgres"), f.type.family)
            for f in self._load.fields
            if f.name == self._load.last_modified
        )
        if kind == "timestamptz":
            return name
        return f"{name}::timestamp AT TIME ZONE 'UTC'"

    def _same_key(self, one: str, other: str) -> str:
        names = [quote(k, "postgres") for k in self._load.key]
        return " AND ".join(f"{one}.{n} = {other}.{n}" for n in names)

    def _key(self) -> str:
        return ", ".join(quote(k, "postgres") for k in self._load.key)

    def _listed(self) -> str:
        return ", ".join(quote(f.name, "postgres") for f in self._load.fields)

    def _count(self, sql: str) -> int:
        row = self._connection.execute(sql.encode()).fetchone()
        return int(row[0]) if row else 0

    def _run(self, sql: str) -> int:
        return self._connection.execute(sql.encode()).rowcount


def no_key(load: Load) -> WeighbridgeError:
    """Make the error for a key that does not name each row."""
    key = ", ".join(load.key)
    return Unreadable(
        f"The key ({key}) does not name each row of {load.table}: it is null, or several rows"
        " share it.",
        next_step="Choose columns as is_primary_key that are unique and never null.",
    )


def _differs(name: str, kind: ColumnType, other: str) -> str:
    here, there = (f"{side}.{quote(name, 'postgres')}" for side in ("t", other))
    if kind.family == "json":  # it has no equality
        here, there = f"{here}::text", f"{there}::text"
    return f"{here} IS DISTINCT FROM {there}"
