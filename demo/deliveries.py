"""The second act: two airlines get their flights, rows are broken by hand, found, and put back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from demo.service import Service, serving
from tests.servers import fresh_postgres
from tests.servers.processes import server_folder
from tests.servers.seaweed import Bucket, seaweed_server

AIRLINES = {"UA": "United Air Lines", "B6": "JetBlue Airways"}
COLUMNS = {
    "id": "bigint", "departs_at": "timestamp", "carrier": "text", "flight": "integer",
    "tailnum": "text", "origin": "text", "dest": "text", "destination": "text",
    "distance_km": "decimal(10,4)", "dep_delay": "smallint", "cancelled": "boolean",
    "updated_at": "timestamp",
}  # fmt: skip
# What a person might do to a table that is not theirs.
BROKEN = """
delete from deliveries.flights where id in
    (select id from deliveries.flights order by id limit 3 offset 1000);
update deliveries.flights set destination = 'Chicago' where id in
    (select id from deliveries.flights order by id limit 2 offset 5000);
insert into deliveries.flights
    select -1, departs_at, carrier, flight, tailnum, origin, dest, destination, distance_km,
        dep_delay, cancelled, updated_at
    from deliveries.flights limit 1;
"""
WANTED = {"missing": 3, "incorrect": 2, "orphaned": 1}


def deliver(source: str, say: Callable[[str], None]) -> bool:
    """Deliver, break, find, repair; tell whether all was as it should be.

    `source` is the server whose table `flights` is delivered.
    """
    with (
        fresh_postgres(source) as warehouse,
        seaweed_server() as bucket,
        server_folder() as folder,
        serving(folder / "weighbridge") as service,
    ):
        _prepare(source, warehouse)
        say("a server of ours; United gets its rows in PostgreSQL, JetBlue as Parquet on S3")
        _model(service, source)
        place = _postgres(warehouse, schema="deliveries")
        united = _destination(service, "UA", "postgres", place)
        jetblue = _destination(service, "B6", "s3_compatible", _s3(bucket))
        proved = _proved(service, {"UA": united, "B6": jetblue}, say)
        with psycopg.connect(warehouse, autocommit=True) as connection:
            connection.execute(BROKEN)
        say("somebody deletes three of United's rows, changes two, and adds one")
        return _repaired(service, united, say) and proved


def _proved(service: Service, places: dict[str, str], say: Callable[[str], None]) -> bool:
    """Deliver to both, and hold each against the source."""
    began = time.monotonic()
    started = {c: service.ask(f"/destinations/{d}/transfer", {}) for c, d in places.items()}
    ended = {
        c: service.wait(f"/transfers/{one['transfer_id']}", "transfer")
        for c, one in started.items()
    }
    rows = ", ".join(f"{t['rows_transferred']:,} to {AIRLINES[c]}" for c, t in ended.items())
    say(f"delivered in {time.monotonic() - began:.1f} s: {rows}")
    checks = [_check(service, place) for place in places.values()]
    proved = all(c["is_healthy"] and not c["total_rows_orphaned"] for c in checks)
    say(f"each holds what the source has for it, row by row, and no other row: {_yes(proved)}")
    return proved


def _repaired(service: Service, place: str, say: Callable[[str], None]) -> bool:
    """Find what was broken, put it right, and look again."""
    jobs = f"/destinations/{place}/data-integrity"
    job = _job(service, place)
    found = _show(service, place, job["id"])
    asked = {"dry_run": False, "classes": list(WANTED)}
    repair = service.ask(f"{jobs}/{job['id']}/repair", asked)["repair"]
    service.wait(f"{jobs}/{job['id']}/repair/{repair['id']}", "repair")
    after = _check(service, place)
    repaired = after["is_healthy"] and not after["total_rows_orphaned"]
    say(f"repaired, and checked again: {_yes(repaired)}")
    return found == WANTED and repaired


def _yes(good: bool) -> str:
    return "yes" if good else "NO"


def _prepare(source: str, warehouse: str) -> None:
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("alter table flights add updated_at timestamptz")
        connection.execute("update flights set updated_at = departs_at at time zone 'UTC'")
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("create schema deliveries")


def _model(service: Service, source: str) -> None:
    shop = service.ask(
        "/sources",
        {
            "source": {
                "name": "flights",
                "vendor": "postgres",
                "postgres": _postgres(source, schema="public"),
            }
        },
    )
    columns = [
        {"name_in_source": name, "name_in_destination": name, "data_type": kind,
         "is_primary_key": name == "id", "is_last_modified": name == "updated_at"}
        for name, kind in COLUMNS.items()
    ]  # fmt: skip
    service.ask("/models", {"model": {
        "model_name": "flights", "source_id": shop["source"]["id"], "columns": columns,
        "source_table": "public.flights", "organization_column": "carrier"}})  # fmt: skip


def _destination(service: Service, carrier: str, vendor: str, options: dict[str, Any]) -> str:
    recipient = service.ask(
        "/recipients", {"recipient": {"name": AIRLINES[carrier], "id_in_provider_system": carrier}}
    )["recipient"]
    return service.ask("/destinations", {"destination": {
        "name": AIRLINES[carrier], "vendor": vendor, "recipient_id": recipient["id"],
        vendor: options}})["destination"]["id"]  # fmt: skip


def _postgres(url: str, *, schema: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "host": parts.hostname, "port": parts.port, "database": parts.path.lstrip("/"),
        "schema": schema, "disable_ssl": True,
        "password_auth": {"username": parts.username, "password": parts.password},
    }  # fmt: skip


def _s3(bucket: Bucket) -> dict[str, Any]:
    return {
        "host": f"{bucket.host}:{bucket.port}", "bucket_name": bucket.name, "disable_ssl": True,
        "access_keys": {"access_id": bucket.access_id, "secret_key": bucket.secret_key},
    }  # fmt: skip


def _job(service: Service, destination: str) -> dict[str, Any]:
    job = service.ask(f"/destinations/{destination}/data-integrity", {})["job"]
    return service.wait(f"/destinations/{destination}/data-integrity/{job['id']}", "job")


def _check(service: Service, destination: str) -> dict[str, Any]:
    return _job(service, destination)["data_integrity_results"][0]


def _show(service: Service, destination: str, job: str) -> dict[str, int]:
    """Print the rows that are not right, and count them by class."""
    rows = service.ask(f"/destinations/{destination}/data-integrity/{job}/rows")["rows"]
    table = Table("class", "id", "what differs", "source", "destination", box=box.SIMPLE)
    for row in rows:
        changed = row["changed_columns"]
        shown = changed[0] if changed else "flight"
        sides = ["—" if s is None else str(s[shown]) for s in (row["source"], row["destination"])]
        what = ", ".join(changed) if changed else "whole row (flight)"
        table.add_row(row["class"], str(row["key"]["id"]), what, *sides)
    Console().print(table)
    return dict(Counter(row["class"] for row in rows))
