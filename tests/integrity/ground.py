"""A source, a destination and a model between them, filled by SQL as transfers would fill it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import text

from tests.api import prequel_ground as making
from tests.faults.command import run_sql
from tests.house import House
from weighbridge.catalog.data_sources import policy_of
from weighbridge.catalog.destinations import Sight
from weighbridge.integrity import Job, get, repair_run
from weighbridge.integrity import run as story
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.tables import integrity_rows

ORDERS = (
    "create table orders (id bigint primary key, tenant text not null, amount numeric(12, 2),"
    " note text, updated_at timestamptz)"
)
DELIVERED = {
    "postgres": "create table orders (order_id bigint primary key, amount numeric(12, 2),"
    " note text, updated_at timestamptz)",
    "mysql": "create table orders (order_id bigint primary key, amount decimal(12, 2),"
    " note longtext character set utf8mb4 collate utf8mb4_bin, updated_at datetime(6))",
}
_numbers = itertools.count(1)


def column(source: str, kind: str, destination: str | None = None, **more: Any) -> dict[str, Any]:
    """Write a column of a model."""
    return {
        "name_in_source": source, "name_in_destination": destination or source, "data_type": kind,
        **more,
    }  # fmt: skip


COLUMNS = (
    column("id", "bigint", "order_id", is_primary_key=True),
    column("amount", "decimal(12,2)"),
    column("note", "text"),
    column("updated_at", "timestamp", is_last_modified=True),
)


def options_of(url: str) -> tuple[str, dict[str, Any]]:
    """Give the vendor of a server's URL and its options, as clients write them."""
    parts = urlsplit(url)
    login = {"username": parts.username, "password": parts.password or "none"}
    base = {"host": parts.hostname, "port": parts.port, "disable_ssl": True, "password_auth": login}
    name = parts.path.lstrip("/")
    if url.startswith("postgresql"):
        return "postgres", {**base, "database": name, "schema": "public"}
    return "mysql", {**base, "write_database": name}


@dataclass
class Delivery:
    """One model, delivered to one destination of one recipient."""

    house: House
    urls: tuple[str, str]
    client: Any
    recipient: dict[str, Any]
    destination: dict[str, Any]
    model: dict[str, Any]

    def source(self, *statements: str) -> None:
        """Run statements at the source."""
        run_sql(self.urls[0], *statements)

    def there(self, *statements: str) -> None:
        """Run statements at the destination."""
        run_sql(self.urls[1], *statements)

    def watermark(self, latest: datetime | None) -> None:
        """Write down how far the model was delivered."""
        with seen_by(self.house.database, EVERYTHING) as connection:
            transfer = connection.execute(
                text(
                    "insert into weighbridge.transfers (environment, destination_id, models)"
                    " values ('production', :destination, '{}') returning id"
                ),
                {"destination": self.destination["id"]},
            ).scalar_one()
            connection.execute(
                text(
                    "insert into weighbridge.watermarks (destination_id, model_id, environment,"
                    " latest, revision_id, transfer_id) select :destination, id, environment,"
                    " :latest, revision_id, :transfer from weighbridge.models where id = :model"
                    " on conflict (destination_id, model_id) do update"
                    " set latest = excluded.latest, revision_id = excluded.revision_id"
                ),
                {
                    "destination": self.destination["id"], "latest": latest,
                    "transfer": transfer, "model": self.model["id"],
                },
            )  # fmt: skip

    @property
    def path(self) -> str:
        """Give the address of its jobs."""
        return f"/destinations/{self.destination['id']}/data-integrity"

    def ask(self, *, query: str = "", **body: Any) -> str:
        """Ask for a job; give its id."""
        answer = self.client.post(f"{self.path}{query}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["job"]["id"]

    def job(self, number: str) -> Job:
        """Give a job."""
        with seen_by(self.house.database, EVERYTHING) as connection:
            return get(connection, UUID(self.destination["id"]), UUID(number), Sight())

    def run(self, number: str) -> Job:
        """Do a job's work here and now, with as many tries as it wants."""
        policy = policy_of(self.house.database)
        for _ in range(2 * ATTEMPTS):
            with suppress(Again):
                story.run(self.house.database, self.house.ring, number, policy=policy)
                return self.job(number)
        raise AssertionError(f"{number} is tried again for ever")

    def repaired(self, number: str, **body: Any) -> dict[str, Any]:
        """Repair what a job found, here and now; give what came of it."""
        answer = self.client.post(f"{self.path}/{number}/repair", json={"dry_run": False, **body})
        assert answer.status_code == 200, answer.text
        made = answer.json()["data"]["repair"]
        assert made["status"] == "PENDING"
        return self.mend(number, made["id"])

    def mend(self, number: str, repair: str) -> dict[str, Any]:
        """Do a repair's work here and now."""
        policy = policy_of(self.house.database)
        for _ in range(2 * ATTEMPTS):
            with suppress(Again):
                repair_run.run(self.house.database, self.house.ring, repair, policy=policy)
                break
        answer = self.client.get(f"{self.path}/{number}/repair/{repair}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["repair"]

    def planned(self, number: str, **body: Any) -> dict[str, Any]:
        """Ask what a repair would do."""
        answer = self.client.post(f"{self.path}/{number}/repair", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["repair"]

    def checked(self, *, query: str = "", **body: Any) -> Job:
        """Ask for a job and do it."""
        return self.run(self.ask(query=query, **body))

    def rows(self, job: Job) -> list[Any]:
        """Give what was kept of the rows."""
        with seen_by(self.house.database, EVERYTHING) as connection:
            return list(
                connection.execute(
                    integrity_rows.select()
                    .where(integrity_rows.c.job_id == job.id)
                    .order_by(integrity_rows.c.n)
                )
            )

    def classes(self, job: Job, key: str = "order_id") -> dict[str, set[Any]]:
        """Give the keys of the rows by their class."""
        found: dict[str, set[Any]] = {}
        for row in self.rows(job):
            found.setdefault(row._mapping["class"], set()).add(row.key[key])
        return found


def a_delivery(
    house: House,
    source: str,
    destination: str,
    *,
    columns: Sequence[dict[str, Any]] = COLUMNS,
    table: str = "orders",
    tenant: str | None = None,
    **more: Any,
) -> Delivery:
    """Make a recipient, its destination, and a model of a table of the source."""
    client = house.prequel()
    body = {"id_in_provider_system": tenant} if tenant else {}
    recipient = making.recipient(client, **body)
    vendor, options = options_of(source)
    place = making.source(client, vendor=vendor, **_only(vendor, options))
    model = making.model(
        client, place["id"], model_name=table, source_table=table, organization_column="tenant",
        columns=list(columns), **more,
    )  # fmt: skip
    vendor, options = options_of(destination)
    there = making.destination(
        client, recipient["id"], vendor=vendor, enabled_models=[table], **{vendor: options}
    )
    return Delivery(house, (source, destination), client, recipient, there, model)


def _only(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
    # The body that is changed holds a server at which nobody answers.
    return {"postgres": options} if vendor == "postgres" else {"postgres": None, vendor: options}


def unused() -> str:
    """Give an id of nothing."""
    return str(uuid4())
