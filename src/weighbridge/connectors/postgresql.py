"""PostgreSQL: psycopg asks and hashes, DuckDB's scanner reads out; both in one snapshot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.connectors import postgresql_catalog as catalog
from weighbridge.connectors import postgresql_types as pg
from weighbridge.connectors.base import (
    ChecksumQuery,
    Estimate,
    Grouping,
    Hashed,
    Joined,
    Output,
    Position,
    Reading,
    Source,
    Traits,
)
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.names import quote
from weighbridge.connectors.postgresql_conninfo import conninfo, libpq, noticing
from weighbridge.connectors.postgresql_hash import probe_sql, row_hash
from weighbridge.connectors.postgresql_join import join_outputs, join_sql
from weighbridge.connectors.postgresql_login import faults_of, login, run
from weighbridge.connectors.sql import (
    among,
    in_ranges,
    literal,
    no_such_table,
    nulls,
    select,
    uniqueness,
)
from weighbridge.connectors.transport import Transport
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.columns import Column, Shape

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from weighbridge.connectors.sides import SideSpec

# Someone waits for the end: a server that does not answer by then is not asked again.
CANCEL_SECONDS = 3
# PostgreSQL expects one group per row for a shifted key and would sort the table.
PLANNER = (
    "SET LOCAL enable_sort = off",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL hash_mem_multiplier = 2",
)
# Compiled, the hashes of a long table take two thirds of the time. The server's thresholds say
# when a table is long; they do not see how few rows a sample's ranges hold.
COMPILED = "SET LOCAL jit = on"


class PostgresSource:
    """One table, view or query of a PostgreSQL server, in one REPEATABLE READ snapshot."""

    traits = Traits(
        vendor="postgresql", dialect="postgres", fingerprints="postgresql", joins=True,
        look_back=30,
    )  # fmt: skip

    def __init__(self, spec: SideSpec, policy: HostPolicy, *, snapshot: bool = True) -> None:
        self.label = spec.label
        self.where = spec.where
        self._spec = spec
        self._conninfo = conninfo(spec, policy)
        self.query = check_query(spec.query, "postgres") if spec.query else None
        own_sql = self.query is not None or self.where is not None
        self._faults = faults_of(spec, own_sql=own_sql)
        self._gone = False
        self._control = login(self._conninfo, self._faults)
        self._transport = Transport("postgres_scanner", "postgres", self._faults.secrets)
        try:
            self.version = self._control.info.parameter_status("server_version")
            self._major = self._control.info.server_version // 10000
            self._snapshot = self._begin() if snapshot else None
            self.relation = self._relation()
            self._transport.attach(libpq(self._conninfo))
        except BaseException:
            self.close()
            raise
        self._rows_per_range = 0

    # Opening -------------------------------------------------------------------------------

    def _begin(self) -> str:
        self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return str(self._rows("SELECT pg_export_snapshot()")[0][0])

    def _relation(self) -> str:
        if self.query is not None:
            return f"(\n{self.query}\n) AS q"
        name = ".".join(quote(part, "postgres") for part in self._spec.table[-2:])
        if self._rows("SELECT to_regclass(%s)", (name,))[0][0] is None:
            known = self._rows(
                "SELECT CASE WHEN pg_table_is_visible(oid) THEN relname::text"
                " ELSE relnamespace::regnamespace::text || '.' || relname END FROM pg_class"
                " WHERE relkind IN ('r', 'v', 'm', 'p', 'f')"
                " AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
            )
            names = [str(row[0]) for row in known]
            raise no_such_table(self.label, ".".join(self._spec.table), names)
        return name

    # Asking --------------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._run(sql, values).fetchall()

    def _run(self, sql: str, values: Sequence[object] = ()) -> psycopg.Cursor[Any]:
        return run(self._control, self._faults, sql, values)

    def shape(self) -> Shape:
        """Give columns, primary key and unique indexes, from the catalog or the query."""
        if self.query is not None:
            return Shape(tuple(self._query_columns()))
        columns = tuple(
            Column(name, pg.column_type(base, declared, kind), not fixed, n)
            for n, (name, base, kind, declared, fixed) in enumerate(
                self._rows(catalog.COLUMNS, (self.relation,))
            )
        )
        keys = self._rows(catalog.KEYS, (self.relation,))
        primary = next((tuple(k[1]) for k in keys if k[0]), ())
        unique = tuple(tuple(k[1]) for k in keys if not k[0] and k[2])
        return Shape(columns, primary, unique)

    def _query_columns(self) -> Iterator[Column]:
        cursor = self._run(f"SELECT * FROM {self.relation} LIMIT 0")
        for n, column in enumerate(cursor.description or ()):
            modifier = column._fmod  # noqa: SLF001 psycopg has no public name for it  # pyright: ignore[reportPrivateUsage]
            base, kind, declared = self._rows(
                catalog.TYPES, (column.type_code, modifier, column.type_code)
            )[0]
            yield Column(column.name, pg.column_type(base, declared, kind), True, n)

    def estimate(self) -> Estimate:
        """Give pg_class's belief for a table, the planner's for a view, query or filter."""
        if self.query is None and not self.where:
            row = self._rows(
                "SELECT reltuples::int8, pg_relation_size(oid) FROM pg_class"
                " WHERE oid = %s::regclass AND relkind IN ('r', 'm')",
                (self.relation,),
            )
            if row and row[0][0] >= 0:
                return Estimate(row[0][0], row[0][1])
        condition = f" WHERE {self.where}" if self.where else ""
        plan = self._rows(f"EXPLAIN (FORMAT JSON) SELECT * FROM {self.relation}{condition}")[0][0]
        top = plan[0]["Plan"]
        return Estimate(int(top["Plan Rows"]), int(top["Plan Rows"]) * int(top["Plan Width"]))

    def in_order(self, column: Column) -> bool:  # noqa: ARG002 any integer key will do
        """Tell whether reading in the order of a key costs little more than reading: it does."""
        return True

    def span(self, column: Column) -> tuple[int, int] | None:
        """Give min and max where an index answers at once."""
        if self.query is not None:
            return None
        shape = self.shape()
        if not any(k[0] == column.name for k in (shape.primary_key, *shape.unique) if k):
            return None
        name = quote(column.name, "postgres")
        low, high = self._rows(f"SELECT min({name}), max({name}) FROM {self.relation}")[0]
        return None if low is None else (int(low), int(high))

    def is_unique(self, columns: Sequence[Column]) -> bool:
        """Tell whether no two rows share these values and none is null."""
        return bool(self._rows(uniqueness(self, columns, "postgres"))[0][0])

    def position(self) -> Position:
        """Give the snapshot that every reader of this source shares."""
        if self._snapshot is None:
            return Position(False, None, "snapshots were switched off")
        return Position(True, self._snapshot, None)

    def native(self, column: Column) -> str:
        """Name the DuckDB type in which a column's values arrive."""
        return pg.travels_as(column.type)

    # Reading -------------------------------------------------------------------------------

    def sql(self, reading: Reading) -> str:
        """Give the SELECT that the server runs for a reading."""
        columns = [
            (pg.wire(o.column.type, quote(o.column.name, "postgres")), o.name)
            for o in reading.outputs
        ]
        key = quote(reading.key.name, "postgres") if reading.key else ""
        conditions = self._conditions(reading)
        order = key if reading.ordered else None
        if reading.ranges is not None and len(reading.ranges) > 1:
            return self._by_ranges(columns, conditions, key, reading.ranges)
        if reading.ranges is not None:
            conditions.append(in_ranges(key, reading.ranges) or "false")
        return select(columns, self.relation, where=conditions, order_by=order, dialect="postgres")

    def _conditions(self, reading: Reading) -> list[str]:
        conditions = [self.where] if self.where else []
        names = [quote(c.name, "postgres") for c in reading.keys]
        if reading.key_nulls is not None:
            conditions.append(nulls(names, wanted=reading.key_nulls))
        if reading.key_values is not None:
            conditions.append(among(names, reading.key_values, literal))
        if reading.buckets is not None:
            grouping, wanted = reading.buckets
            listed = ",".join(str(b) for b in wanted)
            conditions.append(f"{self._bucket(grouping)} = ANY('{{{listed}}}'::int8[])")
        return conditions

    def _by_ranges(
        self,
        columns: Sequence[tuple[str, str]],
        conditions: Sequence[str],
        key: str,
        ranges: Sequence[tuple[int, int]],
    ) -> str:
        # A nested loop over the index: hundreds of ORed ranges would be one bitmap each.
        lows = ",".join(str(low) for low, _ in ranges)
        highs = ",".join(str(high) for _, high in ranges)
        inner = select(
            columns,
            self.relation,
            where=[*conditions, f"{key} >= wb.low AND {key} < wb.high"],
            dialect="postgres",
        )
        return (
            f"SELECT t.* FROM unnest('{{{lows}}}'::int8[], '{{{highs}}}'::int8[]) AS wb(low, high)"
            f" CROSS JOIN LATERAL ({inner} OFFSET 0) AS t"
        )

    def read(self, reading: Reading) -> pa.RecordBatchReader:
        """Stream a reading through COPY in binary, in the snapshot."""
        return self._transport.read(self.sql(reading), reading.outputs, self._prelude())

    def _prelude(self) -> tuple[str, ...]:
        if self._snapshot is None:
            return noticing(self._major)
        return (*noticing(self._major), f"SET TRANSACTION SNAPSHOT {literal(self._snapshot)}")

    # Hashing -------------------------------------------------------------------------------

    def checksum_sql(self, query: ChecksumQuery) -> str:
        """Give the one scan that fingerprints every bucket."""
        grouping = query.grouping
        state = self._hash((*grouping.keys, *query.values), query.salt)
        key = quote(grouping.keys[0].column.name, "postgres")
        columns = [
            (self._bucket(grouping), "bucket"),
            ("count(*)", "n"),
            (f"sum({state})::text", "s"),
            (f"bit_or(1::int8 << ({key} & 63)::int4)" if grouping.bitmap else "NULL::int8", "m"),
        ]
        conditions = [self.where] if self.where else []
        names = [quote(h.column.name, "postgres") for h in grouping.keys]
        conditions.append(nulls(names, wanted=False))
        if query.ranges is not None:
            conditions.append(in_ranges(key, query.ranges))
        return select(columns, self.relation, where=conditions, dialect="postgres") + " GROUP BY 1"

    def _hash(self, values: Sequence[Hashed], salt: int) -> str:
        named = [(h.form, quote(h.column.name, "postgres")) for h in values]
        return row_hash(named, salt, major=self._major)

    def _bucket(self, grouping: Grouping) -> str:
        if grouping.shift is not None:
            key = quote(grouping.keys[0].column.name, "postgres")
            return f"({key}::int8 >> {grouping.shift})"
        return f"({self._hash(grouping.keys, 7)} & {grouping.count - 1})"

    def checksums(self, query: ChecksumQuery) -> pa.Table:
        """Run `checksum_sql` in the snapshot."""
        outputs = tuple(
            Output(name, Column(name, pg.column_type(base, base, "b")))
            for name, base in (("bucket", "int8"), ("n", "int8"), ("s", "text"), ("m", "int8"))
        )
        prelude = (*self._prelude(), *PLANNER, *([COMPILED] if query.ranges is None else []))
        return self._transport.read(self.checksum_sql(query), outputs, prelude).read_all()

    def probe(self) -> str:
        """Hash known values: equal answers mean that two servers hash alike."""
        row = self._rows(probe_sql(self._major))[0]
        return f"{row[0]} {row[1]}"

    def duplicates(self, keys: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Give each key that several rows have, with the number of its rows, as k0… and n."""
        names = [quote(c.name, "postgres") for c in keys]
        columns = [(pg.wire(c.type, f"d.k{n}"), f"k{n}") for n, c in enumerate(keys)]
        inner = select(
            [*((name, f"k{n}") for n, name in enumerate(names)), ("count(*)", "n")],
            self.relation,
            where=[*([self.where] if self.where else []), nulls(names, wanted=False)],
            dialect="postgres",
        )
        inner += f" GROUP BY {', '.join(names)} HAVING count(*) > 1"
        sql = select([*columns, ("n", "n")], f"({inner}) AS d", dialect="postgres")
        outputs = [Output(f"k{n}", c) for n, c in enumerate(keys)]
        outputs.append(Output("n", Column("n", pg.column_type("int8", "int8", "b"))))
        yield from self._transport.read(sql, tuple(outputs), self._prelude())

    # Joining -------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Name the server, database and user; two sides of one place can be joined."""
        return " ".join(str(self._conninfo.get(k)) for k in ("hostaddr", "port", "dbname", "user"))

    def join_sql(self, other: Source, columns: Sequence[Joined]) -> str:
        """Give the SQL that `joined` runs."""
        return join_sql(self, other, columns)

    def joined(self, other: Source, columns: Sequence[Joined]) -> pa.RecordBatchReader:
        """Stream the rows that differ or are alone, in this side's snapshot."""
        if isinstance(other, PostgresSource):
            # Its rows are read in this one, and the report must say so.
            other._snapshot = self._snapshot  # noqa: SLF001
        sql = self.join_sql(other, columns)
        return self._transport.read(sql, join_outputs(columns), self._prelude())

    def counts(self, other: Source) -> tuple[int, int]:
        """Count the rows of both sides in this side's snapshot."""
        asked = [
            f"(SELECT count(*) FROM {s.relation}{f' WHERE ({s.where})' if s.where else ''})"
            for s in (self, other)
        ]
        left, right = self._rows(f"SELECT {asked[0]}, {asked[1]}")[0]
        return int(left), int(right)

    # Ending --------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel every query of this source on the server."""
        self._transport.interrupt()
        if self._gone:
            return
        import psycopg  # noqa: PLC0415 an extra

        with contextlib.suppress(Exception):  # this one may be lost while others are not
            self._control.cancel_safe(timeout=CANCEL_SECONDS)
        try:
            info: dict[str, Any] = self._conninfo | {"connect_timeout": str(CANCEL_SECONDS)}
            with psycopg.connect(**info, autocommit=True) as other:
                pids = self._transport.backends
                other.execute("SELECT pg_cancel_backend(p) FROM unnest(%s::int[]) AS p", (pids,))
        except Exception:  # noqa: BLE001 a dead server has nothing to cancel
            self._gone = True

    def close(self) -> None:
        """Let go of the connections and the snapshot."""
        self._transport.close()
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._control.close()
