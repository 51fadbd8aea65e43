"""The real command in a process of its own, and what must hold however it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql

from tests.servers import mariadb
from tests.servers.postgres import PASSWORD

COMMAND = Path(sys.executable).with_name("weighbridge")
# A command that has not ended by then hangs.
PATIENCE = 40.0
BLAMES = (
    "you: the request",
    "the connection or the other system",
    "the data",
    "weighbridge",
)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float
    left_behind: tuple[str, ...]

    def is_error(self, code: str, exit_code: int, *words: str) -> Ran:
        """Hold that it ended with this error, told as every error is: where, next step, turn."""
        assert f"code: {code} " in self.err, self
        assert self.code == exit_code, self
        assert re.search(r"^weighbridge: \S.*\S$", self.err, re.MULTILINE), self
        assert re.search(r"^ {2}next: \S.{9,}[.?]$", self.err, re.MULTILINE), self
        assert any(f"turn: {blame}" in self.err for blame in BLAMES), self
        for word in words:
            assert word.lower() in self.err.lower(), (word, self)
        return self.is_clean()

    def is_verdict(self, exit_code: int) -> Ran:
        """Hold that it gave an answer and not an error."""
        assert self.code == exit_code, self
        assert "code: " not in self.err, self
        return self.is_clean()

    def is_clean(self) -> Ran:
        """Hold that no traceback, no secret and no temporary file is left."""
        for text in (self.out, self.err):
            assert "Traceback" not in text, self
            assert PASSWORD not in text, self
            assert "fault of weighbridge" not in text, self
        assert not self.left_behind, self
        return self


def diff(*words: str, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Ran:
    """Run `weighbridge diff`, with an empty folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="wb-faults-", dir=folder) as own:
        began = time.monotonic()
        process = start(*words, environ=environ, tmpdir=Path(own))
        out, err = finish(process)
        left = tuple(sorted(p.name for p in Path(own).rglob("*")))
        return Ran(process.returncode, out, err, time.monotonic() - began, left)


def start(
    *words: str, tmpdir: Path, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start `weighbridge diff` in the background."""
    return subprocess.Popen(
        [str(COMMAND), "diff", *words],
        env={**os.environ, "WEIGHBRIDGE_TMPDIR": str(tmpdir), "COLUMNS": "200", **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], seconds: float = PATIENCE) -> tuple[str, str]:
    """Wait for the end; a command that hangs is killed, and is a failure."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the command hung for {seconds} s: {out}{err}") from None


# What runs on the servers ----------------------------------------------------------------


def run_sql(url: str, *statements: str) -> None:
    """Run statements on a server of ours."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as postgres:
            for statement in statements:
                postgres.execute(statement.encode())
        return
    with mariadb.connect(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """Give a query's rows."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as postgres:
            return postgres.execute(query.encode()).fetchall()
    with mariadb.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def sessions(url: str) -> list[tuple[object, ...]]:
    """List the sessions on the URL's database, without the one that asks."""
    database = urlsplit(url).path.lstrip("/")
    if url.startswith("postgresql"):
        return ask(
            url,
            "select pid, state, query from pg_stat_activity where pid <> pg_backend_pid()"
            f" and backend_type in ('client backend', 'parallel worker') and datname = '{database}'",
        )
    return ask(
        url,
        "select id, command, info from information_schema.processlist"
        f" where id <> connection_id() and db = '{database}'",
    )


def busy(url: str) -> list[tuple[object, ...]]:
    """List the sessions that run a query."""
    idle = {"idle", "idle in transaction", "idle in transaction (aborted)", "Sleep", None}
    return [row for row in sessions(url) if row[1] not in idle]


def wait_until_busy(url: str, word: str, seconds: float = 20) -> None:
    """Wait until a query with a word in it runs on the server: else the fault did not fire."""
    until = time.monotonic() + seconds
    while not any(word in str(row[2]) for row in busy(url)):
        assert time.monotonic() < until, f"no query with {word} ran: {sessions(url)}"
        time.sleep(0.05)


def assert_quiet(url: str, seconds: float = 5) -> None:
    """Hold that within some seconds no session of the diff is left on the server."""
    until = time.monotonic() + seconds
    while left := sessions(url):
        assert time.monotonic() < until, f"left on the server: {left}"
        time.sleep(0.05)


def end_sessions(url: str) -> None:
    """End what a killed command left on MariaDB, which would hold up the end of the database."""
    for row in sessions(url):
        with suppress(pymysql.MySQLError):  # it ended by itself
            run_sql(url, f"kill {row[0]}")
