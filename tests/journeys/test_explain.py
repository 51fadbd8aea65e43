"""`--explain`: the plan from the catalogs alone, with the SQL that would really run."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

import weighbridge

KEYED = "id int primary key, v text"
BARE = "v text, order_id int"


def scans(url: str) -> int:
    """Count the scans of tables that all sessions that have ended made so far."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select sum(seq_scan + coalesce(idx_scan, 0))::int from pg_stat_user_tables"
        ).fetchone()
    assert row is not None
    return row[0] or 0


@pytest.mark.parametrize("columns", [KEYED, BARE], ids=["key declared", "no key"])
def test_no_row_is_read(fresh_postgres: str, columns: str) -> None:
    sides = (f"{fresh_postgres}#a", f"{fresh_postgres}#b")
    with psycopg.connect(fresh_postgres) as owner:
        for name in "ab":
            owner.execute(f"create table {name} ({columns})".encode())
            owner.execute(f"insert into {name} values (1, 1), (2, 2)".encode())
    with psycopg.connect(fresh_postgres) as owner:
        owner.execute("analyze")
    time.sleep(1)
    before = scans(fresh_postgres)
    plans = [weighbridge.preview(*sides, strategy=s) for s in ("auto", "stream", "join")]
    time.sleep(1)
    assert scans(fresh_postgres) == before
    for plan in plans:
        assert plan.key.source == ("primary_key" if columns == KEYED else "inferred")
        told = "the diff will look whether order_id is unique" in " ".join(plan.reasons)
        assert told is (columns == BARE)
    with weighbridge.compare(*sides):
        pass
    time.sleep(1)
    assert scans(fresh_postgres) > before, "the count of scans sees nothing"


@pytest.mark.parametrize(
    ("strategy", "telling"),
    [("checksum", "GROUP BY 1"), ("join", "FULL JOIN"), ("stream", "ORDER BY")],
)
def test_the_sql_is_what_the_strategy_runs(
    fresh_postgres: str, strategy: str, telling: str
) -> None:
    sides = (f"{fresh_postgres}#a", f"{fresh_postgres}#b")
    with psycopg.connect(fresh_postgres) as owner:
        for name in "ab":
            owner.execute(f"create table {name} ({KEYED})".encode())
            owner.execute(f"insert into {name} values (1, 'x'), (2, 'y')".encode())
    plan = weighbridge.preview(*sides, strategy=strategy)
    assert plan.strategy == strategy, plan.reasons
    for statements in plan.sql:
        assert telling in statements[0]
    with psycopg.connect(fresh_postgres) as reader:
        for statements in plan.sql:
            reader.execute(statements[0].encode()).fetchall()


def test_files_are_explained(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("id,v\n1,x\n", encoding="utf-8")
    plan = weighbridge.preview(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert plan.strategy == "stream"
    assert "read_csv" in plan.sql[0][0]
