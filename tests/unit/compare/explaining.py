"""Makes the two tables that `explain` reads, from SQL over the numbers 0, 1, 2 and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from weighbridge.compare.explain import explain
from weighbridge.compare.explain_columns import explain_columns
from weighbridge.compare.explain_frame import frame
from weighbridge.compare.result import Explanation, Rows


@dataclass
class Planted:
    """Differing rows of columns given as pairs of SQL expressions over `x`."""

    columns: Sequence[tuple[str, str]]
    rows: int = 400
    key: str = "x * 7919 % 1000003"
    kind: str = "'changed'"
    changed: str | None = None
    base: str | None = None
    names: Sequence[str] = ()
    limit: int = 12

    def explained(self) -> tuple[Explanation, ...]:
        """Run it; all columns differ in all changed rows unless `changed` says otherwise."""
        return run(self.made(), len(self.columns), self.names, self.limit)

    def of_columns(self) -> tuple[Explanation, ...]:
        """Give the transforms of single columns alone."""
        width = len(self.columns)
        looked_at = frame(
            self.made(),
            ("d", "b"),
            keys=["id"],
            columns=list(self.names) or [f"c{i}" for i in range(width)],
            counts=[self.rows] * width,
            rows=Rows(changed=self.rows),
            sample="s",
        )
        return explain_columns(looked_at)

    def made(self) -> duckdb.DuckDBPyConnection:
        """Give a connection with the tables `d` and `b`."""
        con = duckdb.connect(config={"threads": 2})
        all_of = "[" + ", ".join(str(i) for i in range(len(self.columns))) + "]"
        pairs = ", ".join(
            f"CASE WHEN kind = 'only_right' THEN NULL ELSE {left} END AS l{i}, "
            f"CASE WHEN kind = 'only_left' THEN NULL ELSE {right} END AS r{i}"
            for i, (left, right) in enumerate(self.columns)
        )
        con.execute(
            f"CREATE TEMP TABLE d AS SELECT kind, CASE WHEN kind = 'changed' THEN"
            f" ({self.changed or all_of})::USMALLINT[] ELSE []::USMALLINT[] END AS changed,"
            f" CAST({self.key} AS BIGINT) AS k0, {pairs}"
            f" FROM (SELECT x, {self.kind} AS kind FROM range({self.rows}) t(x))"
        )
        lefts = ", ".join(f"{left} AS l{i}" for i, (left, _) in enumerate(self.columns))
        con.execute(
            f"CREATE TEMP TABLE b AS SELECT {lefts} FROM range(5000) t(x) WHERE {self.base or False}"
        )
        return con


def run(
    con: duckdb.DuckDBPyConnection, width: int, names: Sequence[str] = (), limit: int = 12
) -> tuple[Explanation, ...]:
    """Explain tables `d` and `b`."""
    kinds = dict(con.execute("SELECT kind, count(*) FROM d GROUP BY kind").fetchall())
    counts = [
        con.execute(f"SELECT count(*) FROM d WHERE list_contains(changed, {i})").fetchall()[0][0]
        for i in range(width)
    ]
    rows = Rows(
        left=1_000_000,
        right=1_000_000,
        changed=kinds.get("changed", 0),
        only_left=kinds.get("only_left", 0),
        only_right=kinds.get("only_right", 0),
    )
    return explain(
        con,
        diffs="d",
        base="b",
        keys=["id"],
        columns=list(names) or [f"c{i}" for i in range(width)],
        changed_counts=counts,
        rows=rows,
        limit=limit,
    )
