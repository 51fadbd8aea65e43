"""The watch of a diff that runs: it stops what somebody ended, and not what ended by itself."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.api.conftest import diff_body
from weighbridge.compare.request import Stop
from weighbridge.datadiffs import run, store
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        (None, False),
        ("attempt = attempt + 1", True),
        ("status = 'processing', outcome_attempt = null, cancel_wished_at = now()", True),
        ("status = 'processing', outcome_attempt = null", False),
    ],
)
def test_what_is_stopped(
    client: TestClient, house: House, source: int, monkeypatch: pytest.MonkeyPatch,
    change: str | None, stops: bool,
) -> None:  # fmt: skip
    number = client.post("/datadiffs", json=diff_body(source)).json()["id"]
    house.run_diff(number)
    with seen_by(house.database, EVERYTHING) as connection:
        diff = store.get(connection, number)
        assert (diff.status, diff.attempt) == ("done", 1)
        if change:
            connection.execute(text(f"update weighbridge.datadiffs set {change}"))
    monkeypatch.setattr(run, "TELL_SECONDS", 0.01)
    stop = Stop()
    with run._Watch(house.database, diff, stop, threading.Event()):
        time.sleep(1)
    assert stop.is_set == stops


def test_an_end_that_cannot_be_told_to_one_side_is_told_to_the_other() -> None:
    stop, told = Stop(), []

    def closed() -> None:
        raise ConnectionError

    stop.on_set(closed)
    stop.on_set(lambda: told.append(1))
    stop.set()
    assert told == [1]
    assert stop.is_set
