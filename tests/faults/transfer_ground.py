"""A server of ours whose workers are real processes, with transfers as slow as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from tests.api.transfer_ground import COLUMNS, Deliveries, columns
from tests.faults.ground import Ground, until
from tests.house import House, a_house
from weighbridge.deliver import store
from weighbridge.store.database import EVERYTHING, seen_by

# Each row of the view takes `pace` seconds.
SLOW = (
    "create table pace (seconds float)",
    "insert into pace values (0)",
    (
        "create function wait(n float) returns text language plpgsql volatile cost 1000000"
        " as $$ begin perform pg_sleep(n); return ''; end $$"
    ),
    "create view slow as select id, org, v || wait((select seconds from pace)) as v, updated_at from orders",
)  # fmt: skip


class TransferGround(Deliveries):
    """Two models: one whose rows travel as they lie, one whose rows travel as Arrow."""

    worker = Ground.worker
    ask = Ground.ask
    has_no_job = Ground.has_no_job

    def __init__(
        self, house: House, source: str, destination: str, *, ring: Path, stack: ExitStack
    ) -> None:
        super().__init__(house, source, destination)
        self._ring, self._stack = ring, stack
        self.run_sql("source", *SLOW)
        self.client.patch(f"/models/{self.model}", json={"model": {"source_table": "slow"}})
        self.add_model(
            "shown", source_table="slow", columns=columns([("id", "text"), *COLUMNS[1:]])
        )

    def pace(self, seconds: float) -> None:
        """Say how long the view takes for each row from now on."""
        self.run_sql("source", f"update pace set seconds = {seconds}")

    def one(self, number: str) -> store.Transfer:
        """Give a transfer, also one whose destination is gone."""
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, UUID(number))

    def wait(self, number: str, status: str, seconds: float) -> None:
        """Wait until a transfer is there; fail if it takes longer."""
        until(lambda: self.one(number).status == status, seconds, lambda: str(self.one(number)))

    def is_whole(self) -> None:
        """Hold that every row is there once, each load once in the ledger, and nothing beside."""
        self.is_exact()
        shown = [(int(row[0]), *row[1:]) for row in self.there("shown")]
        assert sorted(shown) == self.wanted()
        twice = self.run_sql(
            "destination",
            "select model_name, transfer_id from out._transfer_status where status = 'SUCCESS'"
            " group by 1, 2 having count(*) > 1",
        )
        assert not twice
        left = self.run_sql(
            "destination",
            "select relname from pg_class where relkind = 'r' and relnamespace = 'out'::regnamespace"
            " and relname not in ('orders', 'shown', '_transfer_status')",
        )
        assert not left

    def ask_none(self, statement: str) -> None:
        """Change our own database, as no verb of ours does."""
        with seen_by(self.house.database, EVERYTHING) as connection:
            connection.execute(text(statement))

    def watermarks(self) -> list[tuple[Any, ...]]:
        """Give how far each model has come."""
        return self.ask(
            "select model_id, latest, transfer_id from weighbridge.watermarks order by 1"
        )


@contextmanager
def a_transfer_ground(
    postgres: str, source: str, destination: str, folder: Path
) -> Iterator[TransferGround]:
    """Open a server of ours with a source and a destination."""
    with ExitStack() as stack, a_house(postgres, folder) as house:
        try:
            yield TransferGround(house, source, destination, ring=folder / "keys.json", stack=stack)
        finally:
            stack.close()  # the workers go before their database
