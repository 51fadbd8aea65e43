"""A database server as the bench sees it: its URL, and its own client to talk to it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


class ServerError(Exception):
    """A server is missing or did not start; the message says what to do."""


@dataclass(frozen=True)
class Server:
    """Where a database is, and the client program that reaches it."""

    kind: str  # postgresql | mysql
    url: str
    client: str

    def _parts(self) -> tuple[str, str, str, str]:
        parts = urlsplit(self.url)
        port = parts.port or (5432 if self.kind == "postgresql" else 3306)
        user = unquote(parts.username or "root")
        return user, parts.hostname or "127.0.0.1", str(port), parts.path.lstrip("/")

    def command(self, sql: str) -> list[str]:
        """The argument list that runs SQL with the server's own client."""
        if self.kind == "postgresql":
            return [
                self.client,
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                self.url,
                "-c",
                sql,
            ]
        user, host, port, database = self._parts()
        return [
            self.client,
            "--no-defaults",
            "--protocol=tcp",
            "-h",
            host,
            "-P",
            port,
            "-u",
            user,
            "--local-infile=1",
            "--quick",
            "-N",
            "-B",
            "-e",
            sql,
            database,
        ]

    def environment(self) -> dict[str, str]:
        """The password of a MariaDB URL goes by the environment, never on a command line."""
        password = urlsplit(self.url).password
        return {"MYSQL_PWD": unquote(password)} if password and self.kind == "mysql" else {}

    def sql(self, statement: str) -> str:
        """Run a statement, return what it prints."""
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(
            self.command(statement), capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            raise ServerError(f"{self.kind}: {done.stderr.strip()}\n  in: {statement[:300]}")
        return done.stdout.strip()

    def has_table(self, table: str) -> bool:
        schema = "current_schema()" if self.kind == "postgresql" else "database()"
        found = self.sql(
            "select count(*) from information_schema.tables "
            f"where table_schema = {schema} and table_name = '{table}'"
        )
        return found == "1"

    def version(self) -> str:
        return self.sql("show server_version" if self.kind == "postgresql" else "select version()")

    def mark(self) -> str:
        """A point in time that `end_since` takes: sessions opened later belong to a contestant."""
        if self.kind == "postgresql":
            return self.sql("select clock_timestamp()")
        return self.sql("select connection_id()")

    def end_since(self, mark: str) -> None:
        """End what a killed contestant left running: a server notices a lost client only late."""
        if self.kind == "postgresql":
            self.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where "
                "datname = current_database() and usename = current_user "
                f"and pid <> pg_backend_pid() and backend_start > '{mark}'"
            )
            return
        threads = self.sql(
            "select id from information_schema.processlist where user = "
            f"substring_index(current_user(), '@', 1) and id > {mark} and id <> connection_id()"
        )
        for thread in threads.split():
            # The thread may have ended between the two statements.
            subprocess.run(self.command(f"kill {thread}"), capture_output=True, check=False)
