"""Errands when their worker dies: another one finishes them, and the answer is whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.conftest import source_body
from tests.faults.command import run_sql, wait_until_busy
from tests.faults.test_server_queue import Ground
from tests.house import a_house


@pytest.fixture
def ground(postgres: str, fresh_postgres: str, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack, a_house(postgres, tmp_path) as house:
        run_sql(fresh_postgres, "create table a (id int primary key)")
        try:
            yield Ground(house, fresh_postgres, tmp_path / "keys.json", stack)
        finally:
            stack.close()  # the workers go before their database


def test_a_killed_worker(ground: Ground) -> None:
    """It hangs in the write step when it is killed; the next one is done within 40 s."""
    slow = (
        "create schema scratch",
        (
            "create function slow() returns event_trigger language plpgsql as"
            " $$ begin perform pg_sleep(30); end $$"
        ),
        "create event trigger slow on ddl_command_start execute function slow()",
    )
    run_sql(ground.url, *slow)
    source = ground.client.post(
        "/data_sources",
        json={**source_body(ground.url, "scratch"), "temp_schema": "scratch"},
    ).json()["id"]
    job = ground.client.post(f"/data_sources/{source}/test", json={}).json()["job_id"]
    first = ground.worker()
    wait_until_busy(ground.url, "CREATE TABLE")
    first.process.kill()
    first.process.wait()
    killed = time.monotonic()
    # An event trigger's own statements fire it too: as the session that may skip it.
    run_sql(ground.url, "set event_triggers = off", "drop event trigger slow")
    ground.worker()
    path = f"/data_sources/test/{job}"
    while any(r["status"] != "done" for r in ground.client.get(path).json()["results"]):
        assert time.monotonic() - killed < 40
        time.sleep(0.2)
    results = ground.client.get(path).json()["results"][:6]
    assert [r["result"]["code"] for r in results] == ["ok", "ok", "skip", "ok", "ok", "ok"]
    [(attempt, status)] = ground.ask("select attempt, status from weighbridge.errands")
    assert (attempt, status) == (2, "done")  # the fault fired


def test_an_errand_goes_before_diffs_that_wait(ground: Ground) -> None:
    """One slot is taken at a time; the errand asked for last is not the last to be begun."""
    for _ in range(3):
        ground.diff("a")
    asked = ground.client.post(
        f"/data_sources/{ground.source}/dataset_schema", json={"table": ["a"]}
    )
    task = asked.json()["task_id"]
    [first] = ground.ask(
        "select task_name from weighbridge.procrastinate_fetch_job_v2(null, null::bigint)"
    )
    assert first == ("errands.run",)
    ground.ask("update weighbridge.procrastinate_jobs set status = 'todo' returning 1")
    ground.worker()
    path = f"/data_sources/{ground.source}/dataset_schema/{task}"
    end = time.monotonic() + 20
    while ground.client.get(path).json()["status"] != "done":
        assert time.monotonic() < end
        time.sleep(0.1)
