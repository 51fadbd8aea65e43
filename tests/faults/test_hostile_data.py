"""What is in the data stays data (T02, T27): names reach the server whole, cells reach nobody's terminal."""

from __future__ import annotations

import os
import pty
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import weighbridge
from tests import servers
from tests.faults.command import COMMAND, diff, run_sql
from weighbridge.connectors.names import quote

NAMES = (
    'qu"ote',
    "qu'ote",
    "back`tick",
    "select",
    "order by 1; drop table sentinel; --",
    "*/ x /*",
    "%s {x} {0}",
    "back\\slash",
    "ünï cödé",
    "n" * 63,
    "é" * 31,
    "tab\there",
    "$1",
    "a.b.c",
    "Case",
    "k0",
    "c0",
)
BEYOND_BMP = "😀 emoji"
CELLS = (
    "\x1b]0;owned\x07title",
    "\x1b[2Jclear",
    "\x9b31mred",
    "[link=http://x]click[/link] [red]markup[/red]",
    "\u202eright to left",
    "\u2066isolate",
    "line\r\nlevel=error forged=1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;escaped&gt; \"quoted\" 'single'",
    "=cmd|'/c calc'!A1",
    "\x00nul".replace("\x00", "\x08"),
    "zero\u200bwidth",
)
# What a terminal may get from us: colours and line handling, nothing else.
ALLOWED = re.compile(r"\x1b\[[0-9;]*m|\x1b\[2K|\r\n|\n|\r")


@pytest.fixture(scope="module")
def urls(postgres: str, mariadb: str) -> Iterator[tuple[str, str]]:
    """Give two empty databases."""
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        yield left, right


def _statements(names: tuple[str, ...], dialect: str, table: str) -> list[str]:
    listed = ", ".join(f"{quote(n, dialect)} varchar(20)" for n in names)
    values = ", ".join(f"'v{i}'" for i in range(len(names)))
    name = quote(table, dialect)
    return [
        f"create table {name} (id int primary key, {listed})",
        f"insert into {name} values (1, {values}), (2, {values})",
    ]


def _encoded(table: str) -> str:
    return '"' + table.replace('"', '""').replace("%", "%25").replace("#", "%23") + '"'


def test_names_on_every_engine(urls: tuple[str, str], tmp_path: Path) -> None:
    tables = {"postgres": 'ta"ble; drop', "mysql": "ta`ble; drop"}
    run_sql(urls[0], *_statements((*NAMES, BEYOND_BMP, "case"), "postgres", tables["postgres"]))
    run_sql(urls[1], *_statements(NAMES, "mysql", tables["mysql"]))
    duck_path, lite_path = tmp_path / "d.duckdb", tmp_path / "l.sqlite"
    with duckdb.connect(str(duck_path)) as duck:
        for statement in _statements((*NAMES, BEYOND_BMP), "duckdb", "ta'ble"):
            duck.execute(statement)
        duck.execute(
            f"copy {quote(chr(116) + 'a' + chr(39) + 'ble', 'duckdb')} to '{tmp_path}/f.parquet'"
        )
    lite = sqlite3.connect(lite_path)
    for statement in _statements((*NAMES, BEYOND_BMP), "sqlite", "ta'ble"):
        lite.execute(statement)
    lite.commit()
    lite.close()
    sides = [
        f"{urls[0]}#{_encoded(tables['postgres'])}",
        f"{urls[1]}#{_encoded(tables['mysql'])}",
        f'duckdb:///{duck_path}#"ta\'ble"',
        f'sqlite:///{lite_path}#"ta\'ble"',
        f"{tmp_path}/f.parquet",
    ]
    for left, right in zip(sides, (*sides[1:], sides[0]), strict=True):
        with weighbridge.compare(left, right, key="id") as comparison:
            report = comparison.report
            assert report.verdict in {"identical", "identical_under_rules"}, (left, right)
            compared = {c.name for c in report.columns}
            assert set(NAMES) <= compared, set(NAMES) - compared
    assert diff(sides[0], sides[1], "-k", "id", "--output", "json").code == 0


@pytest.mark.parametrize("strategy", ["checksum", "stream", "join"])
def test_case_twins_and_emoji(urls: tuple[str, str], strategy: str) -> None:
    run_sql(
        urls[0],
        'drop table if exists "Twins"',
        'create table "Twins" (id int primary key, "Case" text, "case" text, "😀" text)',
        "insert into \"Twins\" values (1, 'A', 'a', 'x')",
    )
    side = f"{urls[0]}#Twins"
    with weighbridge.compare(side, side, strategy=strategy) as comparison:  # pyright: ignore[reportArgumentType]
        assert comparison.report.verdict == "identical"
        assert {"Case", "case", "😀"} <= {c.name for c in comparison.report.columns}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Write two files whose cells and one column's name mean harm, each row different."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, tail in (("l", ""), ("r", "!")):
        with duckdb.connect() as duck:
            duck.execute('create table t (id int, "na\x1b[31mme<b>" text)')
            for i, cell in enumerate(CELLS):
                duck.execute("insert into t values (?, ?)", [i, cell + tail])
            duck.execute(f"copy t to '{folder}/{name}.parquet'")
    return str(folder / "l.parquet"), str(folder / "r.parquet")


def test_terminal_gets_no_control_code(hostile: tuple[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(COMMAND), "diff", *hostile, "-k", "id"],
        env={**os.environ, "COLUMNS": "160", "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:
        pass  # Linux says EIO where the other end of a terminal is closed
    finally:
        os.close(ours)
    assert process.wait(60) == 1
    shown = text.decode()
    assert "owned" in shown
    assert "[link=" in shown
    _assert_harmless(ALLOWED.sub("", shown))


@pytest.mark.parametrize("form", ["table", "markdown", "junit", "html", "json", "csv"])
def test_outputs_carry_no_control_code(hostile: tuple[str, str], form: str) -> None:
    ran = diff(*hostile, "-k", "id", "-o", form)
    assert ran.code == 1, ran
    if form == "html":
        assert "<script>alert" not in ran.out
        assert "<img src=x" not in ran.out
    if form == "csv":
        return  # data for a machine: it is quoted, not changed
    _assert_harmless(ran.out.replace("\n", "").replace("\t", ""))


def _assert_harmless(text: str) -> None:
    bad = [c for c in text if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u200b"]
    assert not bad, [hex(ord(c)) for c in bad]
