"""A throw-away SeaweedFS: a real server that speaks S3, with one bucket and one pair of keys."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

from tests.servers.processes import free_port, running, server_folder

BUCKET = "weigh"
ACCESS_ID = "AKIAWEIGH"
# Like no other word, so that it shows wherever it is not masked.
SECRET_KEY = "not-a-secret-5317"
_GRANTED = ["Admin", "Read", "Write", "List", "Tagging"]
# Each of its parts listens twice.
_PARTS = ("master", "volume", "filer")


@dataclass(frozen=True)
class Bucket:
    """Where the bucket is and who may write to it."""

    port: int
    host: str = "127.0.0.1"
    name: str = BUCKET
    access_id: str = ACCESS_ID
    secret_key: str = SECRET_KEY


@contextmanager
def seaweed_server() -> Generator[Bucket]:
    """Yield the bucket of a new server."""
    # A console script of a wheel lies beside the interpreter.
    weed = Path(sys.executable).with_name("weed")
    with server_folder() as folder:
        keys = {"accessKey": ACCESS_ID, "secretKey": SECRET_KEY}
        grants = {"identities": [{"name": "w", "credentials": [keys], "actions": _GRANTED}]}
        granted = folder / "grants.json"
        granted.write_text(json.dumps(grants))
        granted.chmod(0o644)
        ports = [f"-{part}.port{kind}={free_port()}" for part in _PARTS for kind in ("", ".grpc")]
        with running(
            lambda port: [
                *(str(weed), "-logtostderr", "mini", f"-dir={folder}", "-ip=127.0.0.1"),
                *("-ip.bind=127.0.0.1", "-master.telemetry=false", "-admin.ui=false"),
                *(
                    "-webdav=false",
                    "-s3.autoCreateBucket=false",
                    f"-s3.config={granted}",
                    f"-bucket={BUCKET}",
                ),
                *(f"-s3.port={port}", f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", *ports),
            ],
            answers,
            folder=folder,
            end_with=signal.SIGKILL,
        ) as port:
            yield Bucket(port)


def answers(port: int) -> bool:
    """Say whether the server speaks S3 and has its bucket, which comes a little later."""
    store = S3Store(
        BUCKET,
        endpoint=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key_id=ACCESS_ID,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    try:
        obstore.put(store, "ready", b"yes")
        obstore.delete(store, "ready")
    except Exception:  # noqa: BLE001 whatever it says, it is not ready
        return False
    return True
