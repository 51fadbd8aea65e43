"""What a new user does with README and docs alone: the page's own commands, from nothing to a client.

Start the server, add two connections, ask for a diff over HTTP, read its figures and its rows, and
point `data-diff --dbt --cloud` at it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.clients import client
from tests.clients.dbt_project import DIFFERENT, make_project, make_tables
from tests.contract.conftest import figures
from tests.docs.examples import Folder, assert_shown
from tests.docs.pages import DOCS, Block, blocks
from tests.faults.command import run_sql
from tests.journeys.test_serve import data, serving  # noqa: F401 a fixture
from tests.servers.postgres import PASSWORD
from tests.servers.processes import free_port

PAGE, CLIENTS = DOCS / "how-to/run-a-server.md", DOCS / "how-to/use-datafold-clients.md"
NOTE = "printed by: tests/journeys/test_new_user.py"
ROWS = 100
COMMAND = str(Path(sys.executable).with_name("weighbridge"))


@pytest.fixture
def readers(fresh_postgres: str, fresh_mariadb: str) -> Iterator[tuple[str, str]]:
    """Give two servers with a table each, as the user `reader` of the page sees them."""
    make_tables(fresh_postgres, DIFFERENT)
    columns = "(id int primary key, status varchar(10))"
    run_sql(
        fresh_postgres, f"create table orders {columns}",
        f"insert into orders select i, 'paid' from generate_series(1, {ROWS}) i",
        f"create role reader login password '{PASSWORD}'",
        "grant usage on schema public, prod, dev to reader",
        "grant select on all tables in schema public, prod, dev to reader",
    )  # fmt: skip
    name = urlsplit(fresh_mariadb).path[1:]
    run_sql(
        fresh_mariadb, f"create table orders {columns}",
        "insert into orders select seq, if(seq % 10, 'paid', 'open')"
        f" from seq_1_to_{ROWS} where seq not in (3, 4)",
        f"create or replace user reader@'127.0.0.1' identified by '{PASSWORD}'",
        f"grant select on {name}.* to reader@'127.0.0.1'",
    )  # fmt: skip
    yield fresh_postgres, fresh_mariadb
    run_sql(fresh_postgres, "drop owned by reader", "drop role reader")
    run_sql(fresh_mariadb, "drop user reader@'127.0.0.1'")


def place(url: str) -> str:
    parts = urlsplit(url)
    return f"reader@{parts.hostname}:{parts.port}{parts.path}"


def commands(block: Block) -> list[tuple[str, str]]:
    """List a block's commands, each with what is shown below it."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0]
    return [(first, shown) for first, _, shown in (part.partition("\n") for part in parts[1:])]


def ran(command: str, folder: Folder) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder.path, env=folder.variables(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout + done.stderr


def test_the_pages_from_start_to_rows(
    data: Path,  # noqa: F811 a fixture
    readers: tuple[str, str],
    tmp_path: Path,
) -> None:
    port, server_blocks = free_port(), blocks(PAGE)
    for block in server_blocks:
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    for name in ("shop.password", "copy.password"):
        (tmp_path / name).write_text(PASSWORD + "\n")
    if shutil.which("curl") is None:
        own = tmp_path / "curl"
        own.write_text(
            f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "curl.py"} "$@"\n'
        )
        own.chmod(0o755)
    with serving(data, port) as server:
        assert any(
            b.kind == "text" and shown_at_start(b, server.words, port) for b in server_blocks
        )
        folder = Folder(
            tmp_path,
            {
                "KEY": server.key, "WEIGHBRIDGE_DATA": str(data),
                "API": f"http://127.0.0.1:{port}/datafold/api/v1",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{tmp_path}",
            },
        )  # fmt: skip
        count = 0
        for block in server_blocks:
            for command, shown in commands(block) if block.note == NOTE else ():
                real = command.replace("reader@db1.example:5432/shop", place(readers[0]))
                real = real.replace("reader@db2.example:3306/shop", place(readers[1]))
                # JSON of one line, however it is shown; an answer has no line's end of its own.
                assert_shown(shown.rstrip("\n"), ran(real, folder), f"{PAGE.name}: $ {command}")
                count += 1
        assert count >= 9
        point_a_client(server.address, readers[0], folder)


def shown_at_start(block: Block, words: Path, port: int) -> bool:
    """Tell whether a block is what `serve` prints; fail where it is nearly that."""
    if not block.text.startswith("admin key"):
        return False
    # stdout and stderr meet in one file: what was printed first may be written last.
    lines = [n for n in words.read_text().splitlines() if not n.startswith("{")]
    printed = sorted(line.replace(str(port), "8400") for line in lines)
    assert_shown("\n".join(sorted(block.text.splitlines())), "\n".join(printed), PAGE.name)
    return True


def point_a_client(address: str, url: str, folder: Folder) -> None:
    """Do what the page about Datafold's clients says: a key, a project, the public command."""
    made = next(b.text for b in blocks(CLIENTS) if b.text.startswith("weighbridge keys create"))
    key = ran(f"{made} 2>/dev/null", folder).strip()
    shown = next(b.text for b in blocks(CLIENTS) if "Total" in b.text)
    project = make_project(folder.path / "project", url, source=1)
    done = client("data-diff", folder.path).run(
        "data-diff", "--no-tracking", "--dbt", "--cloud",
        host=f"{address}/datafold", key=key, cwd=project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert figures(done.stdout) == figures(shown)
    assert figures(shown)["Different"] == ["10"]
    with psycopg.connect(url) as connection:
        asked = connection.execute("select count(*) from prod.orders").fetchone()
    assert asked == (100,)
