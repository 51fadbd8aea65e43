"""One key does not fill the queue, and does not take every seat (T28)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import HTTPException

from tests.api.conftest import diff_body
from tests.house import House
from weighbridge.api.waiting import Seats
from weighbridge.catalog import errands
from weighbridge.datadiffs import store

if TYPE_CHECKING:
    from httpx import Response
    from starlette.testclient import TestClient


def assert_too_many(answer: Response) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.json()["type"] == "urn:weighbridge:too_many"
    assert int(answer.headers["Retry-After"]) > 0


def test_diffs_under_way(
    client: TestClient, house: House, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_UNDER_WAY", 3)
    once = {"Idempotency-Key": "once"}
    first = client.post("/datadiffs", json=diff_body(source), headers=once).json()
    for _ in range(2):
        assert client.post("/datadiffs", json=diff_body(source)).status_code == 200
    assert_too_many(client.post("/datadiffs", json=diff_body(source)))
    assert client.get("/datadiffs").json()["count"] == 3
    # What was answered before is answered again, and another key is not hindered.
    again = client.post("/datadiffs", json=diff_body(source), headers=once)
    assert again.json() == first
    assert house.client().post("/datadiffs", json=diff_body(source)).status_code == 200
    house.run_diff(first["id"])
    assert client.post("/datadiffs", json=diff_body(source)).status_code == 200
    assert_too_many(client.post("/datadiffs", json=diff_body(source)))


def test_errands_under_way(
    client: TestClient, house: House, source: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "MOST_UNDER_WAY", 2)
    test, columns = f"/data_sources/{source}/test", f"/data_sources/{source}/dataset_schema"
    table = {"table": ["public", "a"]}
    assert client.post(test, json={}).status_code == 200
    assert client.post(columns, json=table).status_code == 200
    assert_too_many(client.post(test, json={}))
    assert_too_many(client.post(columns, json=table))
    assert house.client().post(test, json={}).status_code == 200


class _Request:
    async def receive(self) -> dict[str, str]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}


def test_seats() -> None:
    """One key has not all of them; every seat that was left is free again."""

    async def story() -> list[int]:
        seats, go, sitting = Seats(3, each=2), threading.Event(), threading.Semaphore(0)

        def work(_: threading.Event) -> int:
            sitting.release()
            assert go.wait(20)
            return 0

        async def sit(key: int) -> int:
            request: Any = _Request()
            try:
                return await seats.wait_for(request, key, work)
            except HTTPException as error:
                return error.status_code if (error.headers or {}).get("Retry-After") else 0

        taken = [asyncio.ensure_future(sit(1)) for _ in range(2)]
        await _until(sitting, 2)
        refused = [await sit(1)]
        taken.append(asyncio.ensure_future(sit(2)))
        await _until(sitting, 1)
        refused += [await sit(3), await sit(1)]
        go.set()
        assert await asyncio.gather(*taken) == [0, 0, 0]
        return [*refused, *await asyncio.gather(sit(1), sit(1), sit(3))]

    assert asyncio.run(story()) == [429, 503, 503, 0, 0, 0]


async def _until(sitting: threading.Semaphore, count: int) -> None:
    end = time.monotonic() + 20
    while count:
        assert time.monotonic() < end
        count -= sitting.acquire(blocking=False)
        await asyncio.sleep(0.01)
