"""Ended on purpose, by a person, a time or a budget: in time, and no query is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

from tests import servers
from tests.faults.command import (
    assert_quiet,
    diff,
    end_sessions,
    finish,
    run_sql,
    start,
    wait_until_busy,
)
from tests.servers import mariadb as mariadb_module

# Half a billion rows with work on each: nobody waits for the end of these. A view, because a
# user's query may not sleep.
SLOW_PG = "create view slow as select i as id, md5(i::text || 'slow') as v from generate_series(1, 500000000) i"
SLOW_MY = (
    "create view slow as select a.seq * 100000 + b.seq as id, md5(concat(a.seq, b.seq)) as v"
    " from seq_1_to_99999 a, seq_1_to_99999 b where md5(concat(a.seq, 'slow', b.seq)) < '00001'"
)


@pytest.fixture(scope="module")
def urls(postgres: str, mariadb: str) -> Iterator[tuple[str, str]]:
    """Give two databases with a small table and a view that never ends."""
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        for url, slow in ((left, SLOW_PG), (right, SLOW_MY)):
            run_sql(
                url,
                "create table t (id int primary key, v varchar(40))",
                "insert into t values (1, 'a'), (2, 'b')",
                slow,
            )
        yield left, right
        end_sessions(right)


def _interrupt(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, float]:
    began = time.monotonic()
    process.send_signal(number)
    try:
        _, err = finish(process, 12)
    finally:
        process.kill()
    return err, time.monotonic() - began


@pytest.mark.parametrize(
    ("slow", "number", "code"),
    [
        (0, signal.SIGINT, 130),
        (0, signal.SIGTERM, 5),
        (1, signal.SIGINT, 130),
        (1, signal.SIGTERM, 5),
    ],
)
def test_signal_leaves_no_query(
    urls: tuple[str, str], slow: int, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    names = ["slow" if side == slow else "t" for side in (0, 1)]
    sides = [f"{url}#{name}" for url, name in zip(urls, names, strict=True)]
    process = start(*sides, "-k", "id", tmpdir=tmp_path)
    wait_until_busy(urls[slow], "slow")
    err, seconds = _interrupt(process, number)
    assert process.returncode == code, err
    assert seconds < 5
    assert "did not end" not in err
    assert "Traceback" not in err
    for url in urls:
        assert_quiet(url)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 names only


@pytest.mark.parametrize("seconds", [0.4, 0.6, 0.8, 1.0, 1.2, 1.5])
def test_signal_at_any_moment(urls: tuple[str, str], seconds: float, tmp_path: Path) -> None:
    """A query that begins just after the others were cancelled is cancelled, too."""
    process = start(f"{urls[0]}#slow", f"{urls[1]}#slow", "-k", "id", tmpdir=tmp_path)
    time.sleep(seconds)
    err, taken = _interrupt(process, signal.SIGINT)
    assert process.returncode in {130, -signal.SIGINT}, err  # before Python heard signals
    assert taken < 5
    assert "did not end" not in err
    for url in urls:
        assert_quiet(url)


def test_signal_while_two_postgres_hash(urls: tuple[str, str], tmp_path: Path) -> None:
    words = (f"{urls[0]}#slow", f"{urls[0]}#slow", "-k", "id")
    process = start(*words, "--strategy", "checksum", tmpdir=tmp_path)
    wait_until_busy(urls[0], "sum(")
    err, seconds = _interrupt(process, signal.SIGINT)
    assert process.returncode == 130, err
    assert seconds < 5
    assert_quiet(urls[0])


@pytest.fixture(autouse=True)
def no_leftovers(urls: tuple[str, str]) -> Iterator[None]:
    """Keep what one test left running from being blamed on the next."""
    yield
    end_sessions(urls[1])


def test_killed_command_leaves_no_process(urls: tuple[str, str], tmp_path: Path) -> None:
    """Nobody can answer SIGKILL: the process that reads MariaDB must see for itself."""
    process = start(f"{urls[0]}#t", f"{urls[1]}#slow", "-k", "id", tmpdir=tmp_path)
    wait_until_busy(urls[1], "slow")
    children = _children(process.pid)
    assert len(children) == 1
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(child) for child in children)


def _alive(pid: int) -> bool:
    status = _read(Path(f"/proc/{pid}/status"))
    return bool(status) and b"State:\tZ" not in status


@pytest.mark.parametrize("bad", [0, 1])
def test_failure_of_one_side_ends_the_other(urls: tuple[str, str], bad: int) -> None:
    """The other side's query may run for ever, or be just about to begin."""
    run_sql(
        urls[0],
        "create or replace view fails as"
        " select i as id, (1 / (i - 1))::text as v from generate_series(1, 9) i",
    )
    sides = [f"{urls[0]}#fails", f"{urls[1]}#slow"]
    ran = diff(*(sides if bad == 0 else sides[::-1]), "-k", "id")
    ran.is_error("query_failed", 4, "division by zero")
    assert ran.seconds < 20
    for url in urls:
        assert_quiet(url)


@pytest.mark.parametrize("slow", [0, 1])
def test_timeout(urls: tuple[str, str], slow: int) -> None:
    names = ["slow" if side == slow else "t" for side in (0, 1)]
    sides = [f"{url}#{name}" for url, name in zip(urls, names, strict=True)]
    ran = diff(*sides, "-k", "id", "--timeout", "4s")
    ran.is_error("over_budget", 5, "4 s", "--timeout")
    assert ran.seconds < 12
    for url in urls:
        assert_quiet(url)


@pytest.mark.parametrize(
    ("option", "value"), [("--max-rows", "1"), ("--max-bytes", "10"), ("--max-rows", "100000")]
)
def test_budget(urls: tuple[str, str], option: str, value: str) -> None:
    table = "slow" if value == "100000" else "t"
    ran = diff(f"{urls[0]}#{table}", f"{urls[1]}#t", "-k", "id", option, value)
    ran.is_error("over_budget", 5, option)
    for url in urls:
        assert_quiet(url)


def test_statement_timeout_of_postgres(postgres: str, urls: tuple[str, str]) -> None:
    run_sql(
        urls[0],
        "drop role if exists hurried",
        "create role hurried login superuser password 'not-a-secret-7391'",
        "alter role hurried set statement_timeout = '1s'",
    )
    hurried = urls[0].replace("weigh:", "hurried:")
    ran = diff(f"{hurried}#slow", f"{urls[1]}#t", "-k", "id")
    ran.is_error("query_failed", 4, "statement timeout", "statement_timeout")
    assert_quiet(urls[0])


def test_statement_timeout_of_mariadb(mariadb: str, urls: tuple[str, str]) -> None:
    parts = urlsplit(urls[1])
    run_sql(
        urls[1],
        "create or replace user hurried@'127.0.0.1' identified by 'not-a-secret-7391'"
        " with max_statement_time 1",
        "grant all on *.* to hurried@'127.0.0.1'",
    )
    hurried = parts._replace(netloc=parts.netloc.replace("weigh:", "hurried:")).geturl()
    ran = diff(f"{urls[0]}#t", f"{hurried}#slow", "-k", "id")
    ran.is_error("query_failed", 4, "max_statement_time")
    assert_quiet(urls[1])


def test_killed_query_on_the_server(urls: tuple[str, str], tmp_path: Path) -> None:
    """Somebody else ends our session: that is a lost connection, not a verdict."""
    process = start(f"{urls[0]}#t", f"{urls[1]}#slow", "-k", "id", tmpdir=tmp_path)
    wait_until_busy(urls[1], "slow")
    with mariadb_module.connect(urls[1]) as connection, connection.cursor() as cursor:
        cursor.execute("select id from information_schema.processlist where info like '%slow%'"
                       " and id <> connection_id()")  # fmt: skip
        killed = 0
        for (number,) in cursor.fetchall():
            try:
                cursor.execute(f"kill {int(number)}")
                killed += 1
            except pymysql.MySQLError:
                continue
    assert killed
    _, err = finish(process, 20)
    assert process.returncode in {3, 4, 5}, err
    assert "fault of weighbridge" not in err


def test_killed_server(tmp_path: Path) -> None:
    with servers.postgres_server() as url:
        run_sql(url, SLOW_PG, "create table t (id int primary key, v text)")
        process = start(f"{url}#slow", f"{url}#t", "-k", "id", "--strategy", "stream",
                        tmpdir=tmp_path)  # fmt: skip
        wait_until_busy(url, "slow")
        run_sql(url, "create extension if not exists plpgsql")
        _kill_postmaster(url)
        began = time.monotonic()
        _, err = finish(process, 20)
    assert "code: connection_lost" in err
    assert process.returncode == 3
    assert time.monotonic() - began < 15
    assert os.listdir(tmp_path) == []  # noqa: PTH208 names only


def _kill_postmaster(url: str) -> None:
    """End the server of this test at once, backends and all."""
    port = str(urlsplit(url).port)
    mine = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if f"\0-p\0{port}\0".encode() in _read(folder / "cmdline")
    ]
    assert len(mine) == 1
    for number in (*mine, *_children(mine[0])):
        with suppress(ProcessLookupError):  # a backend that saw its postmaster go
            os.kill(number, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if f"\nPPid:\t{pid}\n".encode() in _read(folder / "status")
    ]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
