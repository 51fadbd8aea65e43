"""What a user is told when a server refuses, breaks off or fails: the same for every vendor."""

from __future__ import annotations

from dataclasses import dataclass, field

from weighbridge.connectors.sql import scrub
from weighbridge.errors import (
    AuthFailed,
    BadQuery,
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    NoSuchDatabase,
    QueryFailed,
    WeighbridgeError,
)


@dataclass(frozen=True)
class ServerFaults:
    """Makes the errors of one side. `own_sql`: the user wrote a query or filter for it.

    `secrets` are taken out of what the driver says; `client` is the program to try SQL in;
    `permission` and `time_limit` say in the vendor's words where to look.
    """

    label: str
    user: str | None
    secrets: tuple[str | None, ...] = field(repr=False)
    own_sql: bool
    client: str
    permission: str
    time_limit: str

    def text(self, error: object) -> str:
        """Give the first line of a driver's message, without secrets."""
        return scrub(error, *self.secrets)

    def refused(self, error: object) -> WeighbridgeError:
        """Tell that the user was not let in."""
        return AuthFailed(
            f"{self.label} refused the user {self.user!r}: {self.text(error)}.",
            next_step=f"Check {self.permission}.",
        )

    def unreachable(self, error: object, *, no_database: bool) -> WeighbridgeError:
        """Tell that nobody answered, or that the server has no such database."""
        message = f"Cannot connect to {self.label}: {self.text(error)}."
        if no_database:
            return NoSuchDatabase(
                message, next_step="Check the name of the database after the host."
            )
        return ConnectionFailed(
            message,
            next_step="Check the host and the port, and that the server accepts TCP connections.",
        )

    def cancelled(self) -> WeighbridgeError:
        """Tell that someone ended a query."""
        return Cancelled(
            f"A query on {self.label} was cancelled.", next_step="Run it again when you like."
        )

    def timed_out(self, error: object) -> WeighbridgeError:
        """Tell that the server ended a query because it took too long."""
        return QueryFailed(
            f"{self.label} stopped a query: {self.text(error)}.",
            next_step=f"Raise {self.time_limit}, or narrow the diff with --where.",
        )

    def lost(self, error: object) -> WeighbridgeError:
        """Tell that the connection broke."""
        return ConnectionLost(
            f"The connection to {self.label} was lost: {self.text(error)}.",
            next_step="Check the server and the network, then run the diff again.",
        )

    def failed(self, error: object) -> WeighbridgeError:
        """Tell that a query failed, with the blame where it belongs."""
        if self.own_sql:
            return BadQuery(
                f"{self.label} does not accept the query or filter: {self.text(error)}.",
                next_step=f"Try the same SQL in {self.client} and correct it.",
            )
        return QueryFailed(
            f"A query on {self.label} failed: {self.text(error)}.",
            next_step="Check that the user may read the table.",
        )
