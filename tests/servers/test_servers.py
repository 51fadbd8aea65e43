"""The fixtures themselves: other tests lean on what is said of them here."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.servers import mariadb
from tests.servers.postgres import PASSWORD
from tests.servers.processes import ServerError, run_to_end

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import time
from tests.servers import mariadb_server, postgres_server
with postgres_server(), mariadb_server():
    print("up", flush=True)
    time.sleep(300)
"""


def ask_postgres(url: str, query: LiteralString) -> tuple[object, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()


def ask_mariadb(url: str, query: str) -> tuple[object, ...] | None:
    with mariadb.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


def test_two_postgres_servers_differ_in_what_a_session_may_set(
    postgres: str, postgres2: str
) -> None:
    assert postgres != postgres2
    assert ask_postgres(postgres, "show timezone") != ask_postgres(postgres2, "show timezone")
    assert ask_postgres(postgres2, "show datestyle") == ("SQL, DMY",)


def test_postgres_is_the_environments(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        assert connection.info.server_version // 10_000 == 18


def test_a_wrong_password_is_refused(postgres: str, mariadb: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.replace(PASSWORD, "wrong"))
    with pytest.raises(Exception, match="Access denied"):
        ask_mariadb(mariadb.replace(PASSWORD, "wrong"), "select 1")


def test_fresh_databases_are_empty(
    fresh_postgres: str, fresh_postgres2: str, fresh_mariadb: str
) -> None:
    tables = "select count(*) from information_schema.tables where table_schema = "
    assert ask_postgres(fresh_postgres, tables + "'public'") == (0,)
    assert ask_postgres(fresh_postgres2, tables + "'public'") == (0,)
    assert ask_mariadb(fresh_mariadb, tables + "database()") == (0,)


def test_utf8_everywhere(fresh_postgres: str, fresh_mariadb: str) -> None:
    assert ask_postgres(fresh_postgres, "select '😀ẞ'") == ("😀ẞ",)
    assert ask_mariadb(fresh_mariadb, "select '😀ẞ'") == ("😀ẞ",)


def test_a_failed_set_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no such thing"):
        run_to_end("sh", "-c", "echo no such thing; exit 3", cwd=tmp_path)


def test_a_killed_owner_leaves_no_server() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner.stdout as words:
        said = words.readline()
        children = servers_of(owner.pid)
        owner.kill()
        owner.wait()
    assert said == "up\n"
    assert len(children) == 2
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(alive, children)):
        time.sleep(0.05)
    assert not any(map(alive, children))


def servers_of(owner: int) -> list[int]:
    """List the processes that `owner` started."""
    running = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [process for process in running if f"\nPPid:\t{owner}\n" in status(process)]


def alive(process: int) -> bool:
    """Say whether it runs (a zombie that nobody has reaped does not)."""
    return "\nState:\t" in status(process).replace("\nState:\tZ", "")


def status(process: int) -> str:
    """Read what the kernel says of a process; nothing if it has ended."""
    try:
        return Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
