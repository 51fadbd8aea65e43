"""Delta tables: where one lies, how it is opened, and what its log says of our loads."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.bucket import BucketPlace, bucket_error, checked_address
from weighbridge.connectors.file_store import cancelled
from weighbridge.connectors.sql import missing_extra
from weighbridge.errors import ConnectionLost, Overtaken, SpillFull, WeighbridgeError
from weighbridge.net.forward_process import ForwardProcess
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable

# The writer by which Delta's own rule (one transaction id, growing versions) keeps us apart.
APPLICATION = "weighbridge"
_OURS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
TRANSFER, TOKEN, ROWS, LATEST = (
    f"weighbridge.{w}" for w in ("transfer", "token", "rows", "latest")
)


@dataclass(frozen=True)
class DeltaPlace:
    """The folder of all tables: of a bucket, or of this machine where there is none.

    `properties` are of each table. `secrets` is in no message.
    """

    label: str
    folder: str
    bucket: BucketPlace | None = None
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    # Files that no state in this time needs may be deleted.
    retention_hours: int = 7 * 24


class DeltaLog:
    """The tables of one place."""

    def __init__(self, place: DeltaPlace, policy: HostPolicy) -> None:
        if find_spec("deltalake") is None:
            raise missing_extra("Delta Lake", "delta")
        # deltalake adds what it finds of our own machine's login to keys that were given to it.
        for name in _OURS:
            os.environ.pop(name, None)
        self.place = place
        self._stop = threading.Event()
        self._forward = (
            ForwardProcess(checked_address(place.bucket, policy)) if place.bucket else None
        )
        self._options = _storage(place.bucket, self._forward.url if self._forward else "")

    def table(self, name: str) -> DeltaTable | None:
        """Open a table as it is now; None where there is none."""
        from deltalake import DeltaTable  # noqa: PLC0415 an extra
        from deltalake.exceptions import TableNotFoundError  # noqa: PLC0415 an extra

        with self.said(name):
            try:
                return DeltaTable(self._at(name), storage_options=self._options)
            except TableNotFoundError:
                return None

    def make(self, name: str, schema: pa.Schema) -> DeltaTable:
        """Open a table, made if there is none."""
        from deltalake import DeltaTable  # noqa: PLC0415 an extra

        found = self.table(name)
        if found is not None:
            return found
        with self.said(name):
            if self.place.bucket is None:
                Path(self._at(name)).mkdir(parents=True, exist_ok=True)
            return DeltaTable.create(
                self._at(name), schema, mode="ignore", storage_options=self._options,
                configuration=dict(self.place.properties),
            )  # fmt: skip

    def published(self, name: str, transfer: str) -> Mapping[str, Any] | None:
        """Find the commit that published a transfer; None where there is none."""
        table = self.table(name)
        if table is None:
            return None
        with self.said(name):
            for commit in table.history():
                if str(commit.get(TRANSFER)) == transfer:
                    return commit
        return None

    @contextmanager
    def said(self, name: str) -> Generator[None]:
        """Translate what deltalake says."""
        try:
            yield
        except WeighbridgeError:
            raise
        except Exception as error:  # noqa: BLE001 translated, whatever it is
            if self._stop.is_set():
                raise cancelled() from None
            raise self._error(error, name) from None

    def _error(self, error: Exception, name: str) -> WeighbridgeError:
        text = str(error)
        if type(error).__name__ == "CommitFailedError" and "oncurrent transaction" in text:
            return self.overtaken()
        if "No space left" in text or "ResourcesExhausted" in text:
            return SpillFull(
                "There is no room for rows that are on their way.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            )
        if type(error).__name__ == "CommitFailedError":
            return ConnectionLost(
                f"Others changed the table {name} of {self.place.label} at the same time.",
                next_step="Try again.",
            )
        if self.place.bucket is not None:
            return bucket_error(error, self.place.bucket, name)
        return ConnectionLost(
            f"The table {name} of {self.place.label} failed ({type(error).__name__}).",
            next_step="Try again; look whether the disk is full and who may write there.",
        )

    def overtaken(self) -> Overtaken:
        """Say that a later attempt has begun."""
        return Overtaken(
            f"A later attempt has begun to deliver to {self.place.label}.",
            next_step="Nothing need be done: the later one delivers.",
        )

    def cancel(self) -> None:
        """Break the connections."""
        self._stop.set()
        if self._forward is not None:
            self._forward.close()

    def close(self) -> None:
        """Let go."""
        if self._forward is not None:
            self._forward.close()

    def _at(self, name: str) -> str:
        place = self.place
        if place.bucket is None:
            return f"{place.folder}/{name}"
        folder = f"{place.folder}/" if place.folder else ""
        return f"s3://{place.bucket.bucket}/{folder}{name}"


def commit_properties(token: int, **said: Any) -> CommitProperties:
    """Write the token into a commit: a commit that was prepared before a later token's fails."""
    from deltalake import CommitProperties, Transaction  # noqa: PLC0415 an extra

    return CommitProperties(
        custom_metadata=said or None, app_transactions=[Transaction(APPLICATION, token)]
    )


def _storage(place: BucketPlace | None, proxy: str) -> dict[str, str] | None:
    if place is None:
        return None
    return {
        "aws_endpoint": place.endpoint,
        "aws_endpoint_url_s3": place.endpoint,
        "aws_region": place.region or "us-east-1",
        "aws_access_key_id": place.access_id,
        "aws_secret_access_key": place.secret_key,
        "aws_virtual_hosted_style_request": "false",
        "aws_conditional_put": "etag",
        "aws_skip_signature": "false",
        "allow_http": "false" if place.tls else "true",
        "allow_invalid_certificates": "false",
        "proxy_url": proxy,
        "connect_timeout": "10 seconds",
        # Some calls hold Python's lock meanwhile: no heart would beat for longer.
        "timeout": "30 seconds",
        "max_retries": "4",
        "retry_timeout": "20 seconds",
    }
