"""What a recheck asks for and counts, whatever the key is: small tables that change while it reads."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

import weighbridge
from tests.journeys.writers import MariadbCopy
from weighbridge.compare.request import Progress, Strategy, Tolerance
from weighbridge.compare.result import Report, RowDiff


def healed(
    sides: tuple[str, str], heal: tuple[str, str], **wishes: Any
) -> tuple[Report, list[RowDiff]]:
    """Compare with a recheck; SQL for one side runs after the first reading of the recheck."""
    waiting = [heal]

    def progress(seen: Progress) -> None:
        if seen.phase == "rechecking" and waiting:
            url, statement = waiting.pop()
            with psycopg.connect(url) as connection:
                connection.execute(statement.encode())

    with weighbridge.compare(*sides, recheck=0.1, progress=progress, **wishes) as found:
        return found.report, list(found)


def tables(url: str, columns: str, left: str, right: str) -> tuple[str, str]:
    """Make two tables of the same columns."""
    with psycopg.connect(url) as connection:
        for name, rows in (("a", left), ("b", right)):
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
            connection.execute(f"INSERT INTO {name} VALUES {rows}".encode())
    return f"{url}#a", f"{url}#b"


@pytest.mark.parametrize("strategy", ["checksum", "stream"])
def test_rows_of_duplicated_keys_are_counted_once(fresh_postgres: str, strategy: Strategy) -> None:
    sides = tables(
        fresh_postgres,
        "id INT NOT NULL, v TEXT",
        "(1, 'a'), (1, 'b'), (2, 'x'), (3, 'p'), (3, 'q'), (3, 'q'), (4, 'w')",
        "(1, 'a'), (1, 'c'), (2, 'x'), (3, 'p'), (3, 'z'), (4, 'w'), (5, 'n'), (5, 'n')",
    )
    heal = "UPDATE b SET v = 'b' WHERE v = 'c'; DELETE FROM b WHERE id = 5"
    report, diffs = healed(sides, (fresh_postgres, heal), key="id", strategy=strategy)
    rows = report.rows
    assert (rows.left, rows.right) == (7, 6)
    assert (rows.matched, rows.changed, rows.only_left, rows.only_right) == (5, 1, 1, 0)
    assert report.keys.dupes == (5, 4)
    assert report.keys.distincts == (4, 4)
    assert report.keys.exclusives == (0, 0)
    assert rows.compared == 2
    assert [d.key["id"] for d in diffs] == [3, 3]


def test_a_key_that_gets_a_second_row_meanwhile(fresh_postgres: str) -> None:
    sides = tables(
        fresh_postgres, "id INT NOT NULL, v TEXT", "(1, 'a'), (2, 'x')", "(1, 'b'), (2, 'x')"
    )
    heal = "INSERT INTO a VALUES (1, 'a')"
    report, _ = healed(sides, (fresh_postgres, heal), key="id")
    rows = report.rows
    assert (rows.left, rows.right, rows.matched) == (3, 2, 1)
    assert (rows.changed, rows.only_left, rows.only_right) == (1, 1, 0)
    assert report.keys.dupes == (2, 0)


KEYS = {
    "text": ("TEXT PRIMARY KEY", "'a'", "'A'", "'ü''\\'"),
    "padded": ("CHAR(4) PRIMARY KEY", "'a'", "'b'", "'c'"),
    "bigint": ("BIGINT PRIMARY KEY", "9223372036854775807", "-9223372036854775808", "0"),
    "timestamp": ("TIMESTAMP PRIMARY KEY", "'2024-03-01 10:00:00.000001'", "'1999-01-01'", "'0044-03-15'"),
    "timestamptz": ("TIMESTAMPTZ PRIMARY KEY", "'2024-03-01 10:00:00.5+05'", "'1999-01-01'", "'2001-01-01'"),
    "uuid": ("UUID PRIMARY KEY", *(f"'{n * 8}-0000-0000-0000-00000000000a'" for n in "abc")),
    "nullable": ("TEXT", "'a'", "'b'", "NULL"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key_is_found_again(fresh_postgres: str, kind: str) -> None:
    declared, *keys = KEYS[kind]
    left = ", ".join(f"({key}, 1)" for key in keys)
    right = ", ".join(f"({key}, 2)" for key in keys)
    sides = tables(fresh_postgres, f"id {declared}, v INT", left, right)
    heal = f"UPDATE b SET v = 1 WHERE id = {keys[1]}"
    report, diffs = healed(sides, (fresh_postgres, heal), key="id")
    nulls = kind == "nullable"
    assert report.rows.matched == 1
    assert report.rows.left == report.rows.right == len(keys)
    assert (report.rows.only_left, report.rows.only_right) == (nulls, nulls)
    assert report.rows.changed == len(keys) - 1 - nulls
    assert len(diffs) == report.rows.changed + 2 * nulls
    assert any(w.endswith(" 1 were rows in flight.") for w in report.warnings)
    assert any("null in their key" in w for w in report.warnings) == nulls


MIXED_KEYS = {
    "uuid": ("UUID", "CHAR(36)", *(f"'{n * 8}-0000-0000-0000-00000000000a'" for n in "AB")),
    "text": ("TEXT", "VARCHAR(20) COLLATE utf8mb4_general_ci", "'a'", "'b'"),
    "timestamp": ("TIMESTAMP", "DATETIME(6)", "'2024-03-01 10:00:00.000001'", "'2024-03-01'"),
    "pair": ("BIGINT", "BIGINT", "9007199254740993", "9007199254740992"),
}


@pytest.mark.parametrize("kind", MIXED_KEYS)
def test_keys_of_two_kinds_of_servers(fresh_postgres: str, fresh_mariadb: str, kind: str) -> None:
    here, there, *keys = MIXED_KEYS[kind]
    key = ["id", "part"] if kind == "pair" else ["id"]
    loaded = (f"({keys[0]}, 1, {v}), ({keys[1]}, 1, {v})" for v in (1, 2))
    sides = on_both(
        (fresh_postgres, f"id {here}, part INT, v INT", next(loaded)),
        (fresh_mariadb, f"id {there}, part INT, v INT", next(loaded)),
    )
    heal = (fresh_postgres, f"UPDATE a SET v = 2 WHERE id = {keys[1]}")
    report, diffs = healed(sides, heal, key=key, columns=["v"])
    assert (report.rows.left, report.rows.right, report.rows.matched) == (2, 2, 1)
    assert (report.rows.changed, len(diffs)) == (1, 1)


def on_both(left: tuple[str, str, str], right: tuple[str, str, str]) -> tuple[str, str]:
    """Make a table in PostgreSQL and one in MariaDB, each by URL, columns and rows."""
    url, columns, rows = left
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TABLE a ({columns})".encode())
        connection.execute(f"INSERT INTO a VALUES {rows}".encode())
    copy = MariadbCopy(right[0], "b")
    with copy.writing() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE b ({right[1]})")
        cursor.execute(f"INSERT INTO b VALUES {right[2]}")
        connection.commit()
    return f"{url}#a", copy.side


def test_what_a_server_finds_beside_the_key_is_left_out(
    fresh_postgres: str, fresh_mariadb: str
) -> None:
    sides = on_both(
        (fresh_postgres, "id TEXT, v INT", "('a', 1), ('A', 1)"),
        (
            fresh_mariadb,
            "id VARCHAR(20) COLLATE utf8mb4_general_ci, v INT",
            "('a', 2), ('A', 1)",
        ),
    )
    with weighbridge.compare(*sides, key="id", recheck=0.05) as found:
        rows = found.report.rows
        assert (rows.left, rows.right, rows.matched, rows.changed) == (2, 2, 1, 1)


def test_a_row_that_never_rests_is_said_to_be_one(fresh_postgres: str) -> None:
    sides = tables(fresh_postgres, "id INT PRIMARY KEY, v INT", "(1, 1), (2, 2)", "(1, 0), (2, 0)")

    def progress(seen: Progress) -> None:
        if seen.phase == "rechecking":
            with psycopg.connect(fresh_postgres) as connection:
                connection.execute("UPDATE a SET v = v + 1 WHERE id = 1")

    with weighbridge.compare(*sides, recheck=0.1, progress=progress) as found:
        assert found.report.rows.changed == 2
        assert any(w.startswith("1 of them kept changing") for w in found.report.warnings)


def test_counts_of_rules_stay_exact(fresh_postgres: str) -> None:
    sides = tables(
        fresh_postgres,
        "id INT PRIMARY KEY, v INT, n DOUBLE PRECISION",
        "(1, 1, 1.0), (2, 2, 1.0), (3, 3, 1.0)",
        "(1, 1, 1.1), (2, 0, 1.1), (3, 0, 1.1)",
    )
    near = {"n": Tolerance("absolute", 0.5)}
    heal = (fresh_postgres, "UPDATE b SET v = 3 WHERE id = 3")
    report, _ = healed(sides, heal, tolerances=near)
    assert (report.rows.matched, report.rows.changed, report.rows.equal_under_rule) == (2, 1, 2)
    assert [c.depends_on_rule for c in report.columns if c.name == "n"] == [3]
