"""What is measured: a running server, a source, a warehouse and a bucket, and one customer."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from demo.service import Service, serving
from tests.servers import fresh_postgres, postgres_server
from tests.servers.processes import server_folder
from tests.servers.seaweed import Bucket, seaweed_server

COLUMNS = {
    "id": "bigint", "qty": "integer", "amount": "decimal(12,2)", "happened_at": "timestamp",
    "name": "text", "flag": "boolean", "ratio": "float", "updated_at": "timestamp",
}  # fmt: skip
LISTED = ", ".join(COLUMNS)
_SHAPE = (
    "id bigint, qty int, amount numeric(12,2), happened_at timestamp, name text, flag boolean,"
    " ratio double precision, updated_at timestamptz"
)
_FILL = """
insert into orders select i, case when i % 11 > 0 then i % 100003 end, i % 1000000 / 100.0,
    timestamp '2020-01-01' + i * interval '1 second', 'name ' || i, i % 3 = 0, i / 7.0,
    timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second', 'acme'
from generate_series(1, {rows}) i
"""


@dataclass(frozen=True)
class Ground:
    """Where everything is. `source` and `warehouse` are two databases of one PostgreSQL."""

    service: Service
    source: str
    warehouse: str
    bucket: Bucket
    recipient: str

    def run(self, url: str, *statements: str) -> None:
        """Run statements, each in its own transaction."""
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def table(self, name: str, *, keyed: bool) -> None:
        """Make an empty table of the delivered columns in the warehouse."""
        key = ", primary key (id)" if keyed else ""
        self.run(
            self.warehouse, f"drop table if exists {name}", f"create table {name} ({_SHAPE}{key})"
        )

    def to_postgres(self, schema: str) -> str:
        """Make a destination in a schema of its own; give its id."""
        self.run(self.warehouse, f"create schema {schema}")
        return self._destination(schema, "postgres", postgres(self.warehouse, schema))

    def to_bucket(self, folder: str) -> str:
        """Make a destination in a folder of its own; give its id."""
        options = {
            "host": f"{self.bucket.host}:{self.bucket.port}", "bucket_name": self.bucket.name,
            "disable_ssl": True, "folder": folder,
            "access_keys": {"access_id": self.bucket.access_id, "secret_key": self.bucket.secret_key},
        }  # fmt: skip
        return self._destination(folder, "s3_compatible", options)

    def _destination(self, name: str, vendor: str, options: dict[str, Any]) -> str:
        wish = {"name": name, "vendor": vendor, "recipient_id": self.recipient, vendor: options}
        return str(self.service.ask("/destinations", {"destination": wish})["destination"]["id"])

    def transfer(self, destination: str) -> float:
        """Run a transfer to its end; give the seconds from the request to the answer."""
        began = time.perf_counter()
        asked = self.service.ask(f"/destinations/{destination}/transfer", {})
        self.service.wait(f"/transfers/{asked['transfer_id']}", "transfer")
        return time.perf_counter() - began

    def check(self, destination: str) -> float:
        """Run an integrity job to its end; give its seconds. It must find everything right."""
        began = time.perf_counter()
        job = self.service.ask(f"/destinations/{destination}/data-integrity", {})["job"]
        found = self.service.wait(f"/destinations/{destination}/data-integrity/{job['id']}", "job")
        assert found["data_integrity_results"][0]["is_healthy"], found
        return time.perf_counter() - began


def postgres(url: str, schema: str) -> dict[str, Any]:
    """Write a URL as the options of a vendor."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname, "port": parts.port, "database": parts.path.lstrip("/"),
        "schema": schema, "disable_ssl": True,
        "password_auth": {"username": parts.username, "password": parts.password},
    }  # fmt: skip


def memory_of_worker() -> float:
    """Give the highest resident memory that the worker has had, in MB."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if b"weighbridge.worker" in status.with_name("cmdline").read_bytes():
                said = dict(line.split(":", 1) for line in status.read_text().splitlines())
                return int(said["VmHWM"].split()[0]) / 1024
        except OSError:
            continue
    raise RuntimeError("no worker is there")


@contextmanager
def opened(rows: int) -> Generator[Ground]:
    """Start everything, with a table of `rows` rows that are all one customer's."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server(settings={"shared_buffers": "1GB"}))
        source, warehouse = (stack.enter_context(fresh_postgres(server)) for _ in range(2))
        bucket = stack.enter_context(seaweed_server())
        folder = stack.enter_context(server_folder())
        service = stack.enter_context(serving(folder / "weighbridge"))
        recipient = service.ask(
            "/recipients", {"recipient": {"name": "Acme", "id_in_provider_system": "acme"}}
        )["recipient"]["id"]
        ground = Ground(service, source, warehouse, bucket, recipient)
        ground.run(source, f"create table orders ({_SHAPE}, org text not null, primary key (id))")
        ground.run(source, _FILL.format(rows=rows))
        ground.run(source, "create index on orders (updated_at)", "vacuum analyze orders")
        made = service.ask("/sources", {"source": {
            "name": "shop", "vendor": "postgres", "postgres": postgres(source, "public")}})  # fmt: skip
        columns = [
            {"name_in_source": name, "name_in_destination": name, "data_type": kind,
             "is_primary_key": name == "id", "is_last_modified": name == "updated_at"}
            for name, kind in COLUMNS.items()
        ]  # fmt: skip
        service.ask("/models", {"model": {
            "model_name": "orders", "source_id": made["source"]["id"], "columns": columns,
            "source_table": "public.orders", "organization_column": "org"}})  # fmt: skip
        yield ground
