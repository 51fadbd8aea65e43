"""Integrity jobs that are cancelled, handed back, delivered twice, and whose own database goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.command import assert_quiet, run_sql, wait_until_busy
from tests.faults.ground import until
from tests.faults.integrity_ground import IntegrityGround, integrity_ground
from weighbridge.integrity import store
from weighbridge.jobs.queue import request_job
from weighbridge.store.database import EVERYTHING, seen_by


@pytest.fixture
def faulty(postgres: str, tmp_path: Path) -> Iterator[IntegrityGround]:
    with integrity_ground(postgres, tmp_path) as opened:
        yield opened


def test_cancelled_within_five_seconds_and_gone_from_both_servers(faulty: IntegrityGround) -> None:
    faulty.ground.pace(30)
    number = faulty.delivery.ask()
    worker = faulty.ground.worker()
    wait_until_busy(faulty.delivery.urls[0], "COPY (SELECT", 40)
    asked = time.monotonic()
    answer = faulty.delivery.client.post(f"{faulty.delivery.path}/{number}/cancel")
    assert answer.json()["data"]["job"]["status"] == "RUNNING"
    faulty.wait(number, "CANCELLED", 5)
    for url in faulty.delivery.urls:
        assert_quiet(url, max(0.1, 5 - (time.monotonic() - asked)))
    shown = faulty.delivery.client.post(f"{faulty.delivery.path}/{number}/cancel").json()
    assert shown["data"]["job"]["status"] == "CANCELLED"
    assert worker.process.poll() is None
    faulty.nothing_found(number)
    faulty.ground.pace(0)  # the worker is of use again
    after = faulty.delivery.ask()
    faulty.wait(after, "SUCCESS", 40)
    faulty.is_exact(after)


def test_it_can_be_followed_and_is_handed_back(faulty: IntegrityGround) -> None:
    faulty.ground.pace(30)
    number = faulty.delivery.ask()
    first = faulty.ground.worker(grace=0)
    wait_until_busy(faulty.delivery.urls[0], "COPY (SELECT", 40)
    until(lambda: "Under way: orders" in _said(faulty, number), 20, lambda: _said(faulty, number))
    first.process.terminate()
    assert first.process.wait(15) == 0, first.words
    assert faulty.status(number) == "PENDING"
    for url in faulty.delivery.urls:
        assert_quiet(url, 5)
    faulty.ground.pace(0)
    faulty.ground.worker()
    faulty.wait(number, "SUCCESS", 40)
    faulty.is_exact(number)
    assert faulty.delivery.job(number).tries == 1


def _said(faulty: IntegrityGround, number: str) -> str:
    answer = faulty.delivery.client.get(f"{faulty.delivery.path}/{number}")
    return str(answer.json()["data"]["job"]["log_message"])


def test_delivered_twice(faulty: IntegrityGround) -> None:
    """The same job in two workers at once: one result."""
    faulty.ground.pace(0.1)
    number = faulty.delivery.ask()
    with seen_by(faulty.ground.house.database, EVERYTHING) as connection:
        request_job(connection, store.JOB, job_id=number)
    for _ in range(2):
        faulty.ground.worker()
    until(lambda: faulty.delivery.job(number).attempt == 2, 40, lambda: faulty.status(number))
    faulty.wait(number, "SUCCESS", 60)
    faulty.is_exact(number)


def test_our_own_database_goes_away_meanwhile(faulty: IntegrityGround, postgres: str) -> None:
    """All its sessions end and none can begin for some seconds, as when its server is restarted."""
    faulty.ground.pace(0.3)  # nine seconds
    number = faulty.delivery.ask()
    worker = faulty.ground.worker()
    wait_until_busy(faulty.delivery.urls[0], "COPY (SELECT", 40)
    name = urlsplit(faulty.ground.house.database.url).path.lstrip("/")
    run_sql(
        postgres,
        f"alter database {name} with allow_connections false",
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",
    )
    time.sleep(4)
    run_sql(postgres, f"alter database {name} with allow_connections true")
    faulty.ground.house.database.close()
    faulty.wait(number, "SUCCESS", 60)
    faulty.is_exact(number)
    assert worker.process.poll() is None, worker.words
