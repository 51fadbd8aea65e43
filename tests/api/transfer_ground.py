"""Tables of several tenants, and destinations to which they are delivered, over HTTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from tests.api import prequel_ground as making
from weighbridge.catalog.data_sources import policy_of
from weighbridge.deliver import run as deliver
from weighbridge.jobs.queue import Again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.house import House

COLUMNS = (("id", "bigint"), ("v", "text"), ("updated_at", "timestamp"))
TABLE = (
    "create table orders (id int8 primary key, org text, v text, updated_at timestamptz)",
    (
        "insert into orders select i, case i % 3 when 0 then 'other' else 'acme' end, 'v' || i,"
        " case when i % 10 = 0 then null else now() - make_interval(mins => i) end"
        " from generate_series(1, 60) i"
    ),
    "insert into orders values (1000, null, 'nobody', now()), (1001, 'Acme', 'twin', now())",
)


def options(url: str, schema: str, **more: Any) -> dict[str, Any]:
    """Write the options of a database."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname, "port": parts.port, "database": parts.path.lstrip("/"),
        "schema": schema, "disable_ssl": True,
        "password_auth": {"username": parts.username, "password": parts.password}, **more,
    }  # fmt: skip


def columns(said: Sequence[tuple[str, str]] = COLUMNS) -> list[dict[str, Any]]:
    """Write a model's columns; the first is its key, `updated_at` its moment of change."""
    return [
        {"name_in_source": name, "name_in_destination": name, "data_type": kind,
         "is_primary_key": n == 0, "is_last_modified": name == "updated_at"}
        for n, (name, kind) in enumerate(said)
    ]  # fmt: skip


# One of the servers has unusual settings, which the driver cannot read.
_SESSION = "-c datestyle=ISO -c timezone=UTC -c bytea_output=hex"


class Deliveries:
    """A server of ours, a source with a table of several tenants, one tenant's destination."""

    def __init__(self, house: House, source: str, destination: str) -> None:
        self.house, self.client = house, house.prequel()
        self.urls = {"source": source, "destination": destination}
        self.run_sql("source", *TABLE)
        self.source = making.source(self.client, postgres=options(source, "public"))["id"]
        self.recipient = making.recipient(self.client, id_in_provider_system="acme")["id"]
        self.destination = making.destination(
            self.client, self.recipient, postgres=options(destination, "out")
        )["id"]
        self.model = self.add_model("orders")

    def add_model(self, name: str, **more: Any) -> str:
        """Create a model of the table of that name."""
        return making.model(
            self.client, self.source, model_name=name, organization_column="org",
            **{"source_table": "orders", "columns": columns(), **more},
        )["id"]  # fmt: skip

    def run_sql(self, side: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run SQL on a side; give the last one's rows."""
        with psycopg.connect(self.urls[side], autocommit=True, options=_SESSION) as connection:
            cursor = None
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor is not None and cursor.description else []

    def asked(self, status: int = 200, **body: Any) -> str:
        """Ask for a transfer; give its id, or what the error says."""
        answer = self.client.post(f"/destinations/{self.destination}/transfer", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()["data"]["transfer_id"] if status == 200 else answer.json()["message"]

    def transfer(self, **body: Any) -> dict[str, Any]:
        """Ask for a transfer, do its work, and give it."""
        number = self.asked(**body)
        self.house.run_transfer(number)
        return self.shown(number)

    def once(self, number: str) -> bool:
        """Do the work of one delivery of its job; tell whether it wants to be run again."""
        with suppress(Again):
            deliver.run(
                self.house.database, self.house.ring, number, policy=policy_of(self.house.database)
            )
            return False
        return True

    def shown(self, number: str) -> dict[str, Any]:
        """Give a transfer."""
        answer = self.client.get(f"/transfers/{number}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["transfer"]

    def there(
        self, table: str = "orders", listed: str = "id, v, updated_at"
    ) -> list[tuple[Any, ...]]:
        """Give what lies at the destination."""
        return self.run_sql("destination", f"select {listed} from out.{table} order by id")

    def wanted(self, listed: str = "id, v, updated_at") -> list[tuple[Any, ...]]:
        """Give what should."""
        return self.run_sql("source", f"select {listed} from orders where org = 'acme' order by id")

    def is_exact(self) -> None:
        """Hold that each row is there once, as it is, and no other's."""
        assert self.there() == self.wanted()
