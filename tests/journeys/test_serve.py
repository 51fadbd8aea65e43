"""`weighbridge serve` as a new user starts it: keys, two tables, a diff over HTTP, its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests.api.conftest import TABLES, diff_body, source_body
from tests.faults.command import assert_quiet, run_sql, wait_until_busy
from tests.faults.ground import SLOW
from tests.servers.processes import free_port

COMMAND = str(Path(sys.executable).with_name("weighbridge"))


@pytest.fixture
def data() -> Iterator[Path]:
    """Give a data folder that the embedded database's user can reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A running server: its address, its key once it has said it."""

    def __init__(self, process: subprocess.Popen[str], port: int, words: Path) -> None:
        self.process, self.words = process, words
        self.address = f"http://127.0.0.1:{port}"

    @property
    def key(self) -> str:
        lines = self.words.read_text().splitlines()
        return next((line.split()[-1] for line in lines if line.startswith("admin key")), "")

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, trace: str = ""
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}{path}", data=data, method=method)  # noqa: S310 ours
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Key {key or self.key}")
        if trace:
            request.add_header("traceparent", f"00-{trace}-00f067aa0ba902b7-01")
        with urlopen(request, timeout=20) as answer:  # noqa: S310 ours
            return json.loads(answer.read())


@contextmanager
def serving(data: Path, port: int, **more: str) -> Generator[Server]:
    """Run the server in a folder; `more` are variables of its environment."""
    words = data / "words"
    environ = {n: v for n, v in os.environ.items() if n != "DATABASE_URL"} | more
    with words.open("w") as out:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(port), "--data", str(data)],
            stdout=out, stderr=subprocess.STDOUT, env=environ, text=True,
        )  # fmt: skip
    server = Server(process, port, words)
    try:
        until(lambda: _ready(server), 60)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(40)
        finally:
            process.kill()


def until(fact: Callable[[], bool], seconds: float) -> None:
    """Wait for something; fail where it does not come."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def _ready(server: Server) -> bool:
    assert server.process.poll() is None, server.words.read_text()
    try:
        return bool(server.ask("GET", "/readyz") == {"status": "ok"})
    except OSError:
        return False


def test_from_nothing_to_rows(data: Path, fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    port, api, trace = free_port(), "/datafold/api/v1", "4bf92f3577b34da6a3ce929d0e0e4736"
    with serving(data, port) as server:
        key = server.key
        source = server.ask("POST", f"{api}/data_sources", source_body(fresh_postgres, "shop"))
        asked = server.ask("POST", f"{api}/datadiffs", diff_body(source["id"]), trace=trace)
        path = f"{api}/datadiffs/{asked['id']}/summary_results"
        until(lambda: server.ask("GET", path)["status"] not in {"waiting", "running"}, 30)
        assert server.ask("GET", path)["pks"]["exclusives"] == [2, 1]
        rows = server.ask("GET", f"{api}/datadiffs/{asked['id']}/results")
        assert rows["count"] == 13
        listed = _run("keys", "list", "--output", "json", "--data", str(data))
        assert [k["name"] for k in json.loads(listed)] == ["admin"]
        assert key.split("_")[3] not in listed
    assert server.process.returncode == 0
    traced = [line for line in _logged(server) if line.get("trace") == trace]
    assert {line["process"] for line in traced} == {"api", "worker"}
    ended = next(line for line in traced if line["event"] == "job")
    assert (ended["outcome"], ended["datadiff_id"]) == ("done", asked["id"])
    assert "password" not in server.words.read_text().lower()
    with serving(data, port) as again:
        assert again.key == ""  # there is one already
        assert again.ask("GET", path, key=key)["status"] == "success"


def test_ended_in_the_middle_of_a_diff(data: Path, fresh_postgres: str) -> None:
    """The diff is stopped and handed back; the next start begins it at once (F13)."""
    run_sql(fresh_postgres, *SLOW, "update pace set seconds = 30")
    port, api = free_port(), "/datafold/api/v1"
    body = {"table1": ["a"], "table2": ["slow"], "pk_columns": ["id"]}
    with serving(data, port, WEIGHBRIDGE_GRACE="1s") as server:
        key = server.key
        source = server.ask("POST", f"{api}/data_sources", source_body(fresh_postgres, "s"))["id"]
        body |= {"data_source1_id": source, "data_source2_id": source}
        path = f"{api}/datadiffs/{server.ask('POST', f'{api}/datadiffs', body)['id']}"
        wait_until_busy(fresh_postgres, "slow")
        assert server.ask("GET", path)["status"] == "processing"
        told = time.monotonic()
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert time.monotonic() - told < 20
        assert_quiet(fresh_postgres)
    run_sql(fresh_postgres, "update pace set seconds = 0")
    with serving(data, port) as again:
        until(lambda: again.ask("GET", path, key=key)["status"] == "done", 15)
        assert again.ask("GET", f"{path}/results", key=key)["count"] == 10


def test_killed_supervisor_leaves_nothing_and_starts_again(data: Path) -> None:
    port = free_port()
    with serving(data, port) as server:
        server.process.kill()
        server.process.wait()
        until(lambda: _answers_nothing(server), 30)
    with serving(data, port) as again:
        assert again.ask("GET", "/healthz") == {"status": "ok"}


def test_two_in_one_folder(data: Path) -> None:
    with serving(data, free_port()):
        second = subprocess.run(
            [COMMAND, "serve", "--port", str(free_port()), "--data", str(data)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert second.returncode == 2
    assert "Another `weighbridge serve` runs" in second.stderr


def _answers_nothing(server: Server) -> bool:
    try:
        server.ask("GET", "/healthz")
    except OSError:
        return True
    return False


def _logged(server: Server) -> list[dict[str, Any]]:
    return [json.loads(li) for li in server.words.read_text().splitlines() if li.startswith("{")]


def _run(*words: str) -> str:
    done = subprocess.run(
        [COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
