"""What a new user does with the page about deliveries alone: its own commands, from nothing to green."""

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

from tests.docs.pages import DOCS, blocks
from tests.faults.command import run_sql
from tests.journeys.test_serve import data, serving  # noqa: F401 a fixture
from tests.servers.postgres import PASSWORD
from tests.servers.processes import free_port
from tests.servers.seaweed import Bucket, seaweed_server

PAGE = DOCS / "how-to/deliver-and-prove.md"
NOTE = "run by: tests/journeys/test_new_deliveries.py"
ROWS = 100


@pytest.fixture
def shop(fresh_postgres: str) -> Iterator[str]:
    """Give a database with the page's table, half of its rows Acme's, as `reader` and `loader` see it."""
    [table, broken] = [b.text for b in blocks(PAGE) if b.kind == "sql"]
    run_sql(
        fresh_postgres, table,
        "insert into orders select i, case i % 2 when 0 then 'bolt' else 'acme' end, 'paid', i * 1.25,"
        f" timestamptz '2024-01-01 00:00:00+00' + i * interval '1 hour' from generate_series(1, {ROWS}) i",
        "create schema deliveries",
        f"create role reader login password '{PASSWORD}'", "grant select on orders to reader",
        f"create role loader login password '{PASSWORD}'",
        "grant usage, create on schema deliveries to loader",
    )  # fmt: skip
    assert broken.startswith("delete")
    yield fresh_postgres
    run_sql(
        fresh_postgres,
        "drop owned by reader, loader cascade",
        "drop role reader",
        "drop role loader",
    )


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """Give a bucket of a server of its own."""
    with seaweed_server() as found:
        yield found


def said(text: str, url: str, bucket: Bucket, port: int) -> str:
    """Put the test's places where the page has its examples."""
    place = urlsplit(url)
    for name in ("db1", "db2"):
        text = text.replace(
            f'"host": "{name}.example", "port": 5432', f'"host": "127.0.0.1", "port": {place.port}'
        )
    text = re.sub(r'"database": "(shop|acme)"', f'"database": "{place.path[1:]}"', text)
    text = text.replace("s3.example:9000", f"{bucket.host}:{bucket.port}")
    text = text.replace('"bucket_name": "bolt"', f'"bucket_name": "{bucket.name}"')
    return text.replace("BOLTKEY", bucket.access_id).replace(":8400/", f":{port}/")


def test_the_page_from_nothing_to_green(
    data: Path,  # noqa: F811 a fixture
    shop: str,
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    for name, secret in (("shop", PASSWORD), ("acme", PASSWORD), ("bolt", bucket.secret_key)):
        (tmp_path / f"{name}.password").write_text(secret + "\n")
    if shutil.which("curl") is None:
        own = tmp_path / "curl"
        own.write_text(
            f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "curl.py"} "$@"\n'
        )
        own.chmod(0o755)
    port = free_port()
    parts = [b for b in blocks(PAGE) if b.note == NOTE]
    assert len(parts) == 7
    broken = [b.text for b in blocks(PAGE) if b.kind == "sql"][1]
    with serving(data, port) as server:
        # One shell for all, as for a person; between the fifth part and the sixth the rows are broken.
        script = [said(block.text, shop, bucket, port) for block in parts]
        script.insert(5, "touch five; until [ -e broken ]; do sleep 0.1; done")
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", "\necho ---\n".join(script)], cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "KEY": server.key, "PATH": f"{os.environ['PATH']}:{tmp_path}"},
        )  # fmt: skip
        try:
            until_there(tmp_path / "five", shell)
            run_sql(shop, *broken.split(";\n"))
            (tmp_path / "broken").touch()
            out, _ = shell.communicate(timeout=120)
        finally:
            shell.kill()
    assert shell.returncode == 0, out
    _, _, places, transfers, first, _, found, last = out.split("---\n")
    assert places.count('"message":"The connection works."') == 2, places
    assert transfers.count(f'"rows_transferred":{ROWS // 2},') >= 2, transfers
    assert '"is_healthy":true' in first
    assert '"is_healthy":false' in found
    assert re.findall(r'"class":"(\w+)","key":\{"id":(\d+)\}', found) == [
        ("incorrect", "9"), ("missing", "7"),
    ]  # fmt: skip
    assert last.count('"is_healthy":true') == 1, last
    with psycopg.connect(shop) as connection:
        rows = connection.execute(
            "select status, count(*) from deliveries.orders group by 1"
        ).fetchall()
    assert rows == [("paid", ROWS // 2)]


def until_there(path: Path, shell: subprocess.Popen[str]) -> None:
    """Wait for a file that the shell makes; fail with its words where it ends before."""
    while not path.exists():
        try:
            shell.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        assert shell.stdout is not None
        raise AssertionError(shell.stdout.read())
