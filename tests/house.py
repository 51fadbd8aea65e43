"""A server of ours in one process: its database, its keys, its application, its jobs."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from starlette.testclient import TestClient

from tests import servers
from tests.servers.postgres import PASSWORD
from weighbridge.api.app import make_app
from weighbridge.catalog.api_keys import SCOPES, make_key
from weighbridge.catalog.data_sources import policy_of
from weighbridge.datadiffs import run
from weighbridge.deliver import run as deliver
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.migrations import migrate
from weighbridge.store.sealed import KeyRing, make_ring


@dataclass(frozen=True)
class House:
    """What a test needs of a server."""

    database: Database
    ring: KeyRing

    def client(
        self, *scopes: str, environment: str = "production", token: str | None = None
    ) -> TestClient:
        """Give a client with a new key of these scopes (all, if none is named)."""
        said = token or self.key(scopes or SCOPES, environment)
        app = make_app(self.database, self.ring)
        return TestClient(
            app,
            base_url="http://testserver/datafold/api/v1",
            headers={"Authorization": f"Key {said}"},
            raise_server_exceptions=False,
        )

    def prequel(
        self,
        *scopes: str,
        environment: str = "production",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestClient:
        """Give a client of the other facade with a new key, or with headers of one's own."""
        said = headers
        if said is None:
            said = {"X-API-KEY": key or self.key(scopes or SCOPES, environment)}
        return TestClient(
            make_app(self.database, self.ring),
            base_url="http://testserver/prequel",
            headers=dict(said),
            raise_server_exceptions=False,
        )

    def key(self, scopes: Iterable[str] = SCOPES, environment: str = "production") -> str:
        """Make a key; give its token."""
        with seen_by(self.database, EVERYTHING) as connection:
            return make_key(connection, name="test", environment=environment, scopes=scopes).token

    def run_diff(self, number: int) -> None:
        """Do the work of a diff's job here and now, with as many tries as it wants."""
        policy = policy_of(self.database)
        for _ in range(2 * ATTEMPTS):
            with suppress(Again):
                return run.run(self.database, self.ring, number, policy=policy)
        raise AssertionError(f"{number} is tried again for ever")

    def run_transfer(self, number: str) -> None:
        """Do the work of a transfer's job here and now, with as many tries as it wants."""
        policy = policy_of(self.database)
        for _ in range(2 * ATTEMPTS):
            with suppress(Again):
                return deliver.run(self.database, self.ring, number, policy=policy)
        raise AssertionError(f"{number} is tried again for ever")


@contextmanager
def a_house(postgres: str, folder: Path) -> Generator[House]:
    """Open a server on a database of its own, as a role that row-level security holds for."""
    with servers.fresh_postgres(postgres) as url:
        name = urlsplit(url).path.lstrip("/")
        role = f"role_{name}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("create role {} login password {}").format(
                    sql.Identifier(role), sql.Literal(PASSWORD)
                )
            )
            connection.execute(
                sql.SQL("alter database {} owner to {}").format(
                    sql.Identifier(name), sql.Identifier(role)
                )
            )
        parts = urlsplit(url)
        netloc = f"{role}:{PASSWORD}@{parts.hostname}:{parts.port}"
        database = Database(parts._replace(netloc=netloc).geturl())
        try:
            migrate(database.engine())
            yield House(database, make_ring(folder / "keys.json"))
        finally:
            database.close()
