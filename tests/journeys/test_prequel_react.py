"""The published client of Prequel, npm's @prequel/react 1.1.0 under Node, against a server of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from tests.api import prequel_ground as ground
from tests.house import a_house
from tests.servers.processes import free_port
from weighbridge.connectors.destinations.registry import VENDORS
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from tests.house import House

HERE = Path(__file__).parent / "prequel_react"
CACHE = Path(__file__).parents[2] / ".cache/prequel_react"
# Newer than this client: the objects of these lie deeper than its forms can say.
UNKNOWN_TO_IT = {"iceberg"}

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="needs Node 20 and npm"
)


@pytest.fixture(scope="module")
def client() -> Path:
    """Give a folder with the client, installed in the versions of its lock."""
    if not (CACHE / "node_modules/.package-lock.json").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, CACHE)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=CACHE, check=True, timeout=200, capture_output=True,
        )  # fmt: skip
    shutil.copy(HERE / "client.mjs", CACHE)
    return CACHE


@contextmanager
def listening(home: House, folder: Path) -> Iterator[str]:
    """Let a server listen; give its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "weighbridge.api", "127.0.0.1", str(port)],
        env={
            **os.environ, "DATABASE_URL": home.database.url,
            "WEIGHBRIDGE_KEY_RING": str(folder / "keys.json"),
        },
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urlopen(f"{address}/readyz", timeout=2).close()  # noqa: S310 our own server
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(40)


@pytest.fixture(scope="module")
def told(
    client: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Let the client do all that it can; give what it was answered."""
    folder = tmp_path_factory.mktemp("react")
    with a_house(postgres, folder) as home, listening(home, folder) as address:
        api = home.prequel()
        model = ground.model(api, ground.source(api)["id"])
        owner = ground.recipient(api)["id"]
        place = ground.destination(api, owner, name="delivered")["id"]
        asked = [
            api.post(f"/destinations/{place}/transfer").json()["data"]["transfer_id"]
            for _ in range(3)
        ]
        token = ground.token_headers(api, recipient_id=owner)["Authorization"].split()[1]
        done = subprocess.run(
            ["node", "client.mjs", f"{address}/prequel", ground.ORIGIN, token],
            cwd=client, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with seen_by(home.database, EVERYTHING) as connection:
            secrets = connection.execute(
                text(
                    "select vendor from weighbridge.destinations"
                    " where secret is not null and name <> 'delivered'"
                )
            ).scalars().all()  # fmt: skip
        yield {
            **json.loads(done.stdout), "model": model, "owner": owner, "secrets": list(secrets),
            "place": place, "asked": asked,
        }  # fmt: skip


def test_its_form_makes_destinations_of_every_vendor_that_it_knows(told: dict[str, Any]) -> None:
    assert set(told["vendors"]) == set(VENDORS)
    refused = {v: a["message"] for v, a in told["created"].items() if a["status"] != "success"}
    assert set(refused) == UNKNOWN_TO_IT, refused
    for vendor, answer in told["created"].items():
        if vendor not in UNKNOWN_TO_IT:
            shown = answer["data"]["destination"]
            assert (shown["vendor"], shown["name"]) == (vendor, f"by {vendor}")
            assert shown["recipient_id"] == told["owner"]
            assert shown["frequency_minutes"] == 60
    assert "canary" not in json.dumps(told)
    # The others are reached by a role or a key pair, which need no secret of the customer's; the
    # one of postgres was deleted with its destination.
    assert set(told["secrets"]) == {
        "abs", "aurora_mysql", "aurora_postgres", "clickhouse", "databricks", "delta_lake",
        "motherduck", "mysql", "oracle", "planetscale", "s3_compatible", "singlestore",
        "snowflake", "sql_server",
    }  # fmt: skip


def test_it_changes_what_was_changed(told: dict[str, Any]) -> None:
    before = told["created"]["postgres"]["data"]["destination"]
    after = told["updated"]["data"]["destination"]
    assert after["frequency_minutes"] == 15
    assert after["postgres"] == {**before["postgres"], "host": "moved.example"}


def test_it_is_told_why_a_test_failed(told: dict[str, Any]) -> None:
    for name in ("tested", "tested_existing"):
        assert told[name]["status"] == "error"
        assert told[name]["message"].endswith(".")
    assert "cannot be used" in told["tested"]["message"]


def test_it_lists(told: dict[str, Any]) -> None:
    made = [a["data"]["destination"]["id"] for a in told["created"].values() if a["data"]]
    assert [one["id"] for one in told["destinations"]] == [told["place"], *made]
    for name in ("models", "models_for_recipient"):
        assert [one["model_name"] for one in told[name]] == [told["model"]["model_name"]]
    assert told["products"] == []
    assert told["deleted"]["status"] == "success"
    assert told["left"] == len(made)


def test_it_lists_transfers_by_page(told: dict[str, Any]) -> None:
    asked = told["asked"]
    assert [[one["id"] for one in page] for page in told["pages"]] == [asked[:2], asked[2:]]
    assert [one["id"] for one in told["pending"]] == asked[:2]
    for one in told["pending"]:
        assert (one["status"], one["destination_id"]) == ("PENDING", told["place"])
        assert (one["rows_transferred"], one["models"]) == (0, [])
