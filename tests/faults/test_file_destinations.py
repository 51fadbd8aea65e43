"""What breaks on the way to files: after each fault the rows listed are the rows read, none twice."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest

from tests.faults.proxy import proxied
from tests.faults.s3_faults import Rule, faulty
from tests.file_ground import (
    a_load,
    at,
    bucket_store,
    data_files,
    deliver,
    loader_of,
    manifests_of,
    reader,
    rows_seen,
    sftp_store,
)
from tests.servers.sftp import sftp_server
from weighbridge.connectors.loading import Loaded
from weighbridge.errors import Cancelled, ConnectionFailed, WeighbridgeError

if TYPE_CHECKING:
    from tests.servers.seaweed import Bucket
    from tests.servers.sftp import SftpServer

ROWS = [(n, f"{n * 7919 % 100_003}" * 40, at(n % 1000)) for n in range(60_000)]


def retried(bucket: Bucket, folder: str, port: int) -> list[str]:
    """Deliver through a faulty way until it works, as a transfer does; list the errors."""
    errors: list[str] = []
    for token in range(1, 6):
        try:
            deliver(loader_of(bucket_store(bucket, folder, port=port)), a_load("t1", token), ROWS)
        except WeighbridgeError as error:
            errors.append(error.code if error.retry else f"final: {error}")
        else:
            assert not [one for one in errors if one.startswith("final")]
            return errors
    raise AssertionError(errors)


def assert_once(bucket: Bucket, folder: str) -> None:
    assert rows_seen(bucket_store(bucket, folder)) == ROWS
    store = bucket_store(bucket, folder)
    published = [m for m in manifests_of(store) if m["status"] == "published"]
    assert len(published) == 1
    assert sum(f["rows"] for f in published[0]["files"]) == len(ROWS)
    assert {f["name"] for f in published[0]["files"]} <= data_files(store)
    store.close()


RULES: dict[str, Rule] = {
    "503 at first": lambda method, path, n: "slow down" if n < 2 else None,
    "503 on parts": lambda method, path, n: "slow down" if method == "PUT" and n in {3, 4} else None,
    "cut in a part": lambda method, path, n: "cut" if "partNumber" in path and n < 6 else None,
    "lost part": lambda method, path, n: "lost" if "partNumber=1" in path and n < 4 else None,
    "lost end of an upload": (
        lambda method, path, n: "lost" if method == "POST" and "uploadId" in path and n < 3 else None
    ),
    "lost manifest": lambda method, path, n: "lost" if "_manifests" in path and method == "PUT" else None,
    "lost mark": (
        lambda method, path, n: "lost" if "_transfer_status" in path and method == "PUT" and n < 1 else None
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_storage_that_fails_now_and_then(bucket: Bucket, tmp_path: Path, rule: str) -> None:
    folder = f"faults/{tmp_path.name}"
    with faulty(bucket.port, RULES[rule]) as way:
        retried(bucket, folder, way.port)
        assert way.fired, "the fault did not happen"
    assert_once(bucket, folder)


@pytest.mark.parametrize("after", [0, 900, 2_000, 3_500])
def test_the_line_is_cut_for_good(bucket: Bucket, tmp_path: Path, after: int) -> None:
    folder = f"cut/{tmp_path.name}"
    with proxied(f"http://x@127.0.0.1:{bucket.port}", after=after or 1, how="reset") as proxy:
        with pytest.raises(ConnectionFailed):
            deliver(loader_of(bucket_store(bucket, folder, port=proxy.port)), a_load("t1", 1), ROWS)
        assert proxy.fired, "the fault did not happen"
    deliver(loader_of(bucket_store(bucket, folder)), a_load("t1", 2), ROWS)
    assert_once(bucket, folder)


def test_every_answer_to_the_manifest_is_lost(bucket: Bucket, tmp_path: Path) -> None:
    """It is there; nobody can say so. The next attempt finds it and sends nothing."""
    folder = f"lost/{tmp_path.name}"

    def rule(method: str, path: str, n: int) -> Any:
        return "lost" if "_manifests" in path and state["on"] else None

    state = {"on": False}
    with faulty(bucket.port, rule) as way:
        loader, load = loader_of(bucket_store(bucket, folder, port=way.port)), a_load("t1", 1)
        loader.claim(load)
        loader.add(reader(load, ROWS))
        loader._published = lambda load: None  # pyright: ignore[reportAttributeAccessIssue]
        state["on"] = True
        with pytest.raises(ConnectionFailed):
            loader.publish(Loaded(len(ROWS)))
        loader.close()
        assert way.fired, "the fault did not happen"
    assert deliver(loader_of(bucket_store(bucket, folder)), a_load("t1", 2), []).rows == len(ROWS)
    assert_once(bucket, folder)


def test_the_sftp_line_is_cut(sftp: SftpServer) -> None:
    fired = 0
    for after in (3_000, 6_000, 9_000):
        with proxied(f"ssh://x@127.0.0.1:{sftp.port}", after=after) as proxy:
            try:
                deliver(loader_of(sftp_store(sftp, port=proxy.port)), a_load("t1", after), ROWS)
            except ConnectionFailed:
                fired += proxy.fired
    assert fired, "the fault did not happen"
    deliver(loader_of(sftp_store(sftp)), a_load("t1", 10_000), ROWS)
    assert rows_seen(sftp_store(sftp)) == ROWS
    store = sftp_store(sftp)
    published = [m for m in manifests_of(store) if m["status"] == "published"]
    store.close()
    assert len(published) == 1


def test_a_full_sftp_server(tmp_path: Path) -> None:
    """It takes half of a file and then no more."""
    state = {"full": True, "refused": 0}

    class Full(asyncssh.SFTPServer):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            if state["full"] and offset > 200_000:
                state["refused"] += 1
                raise asyncssh.SFTPFailure("quota")
            return super().write(file_obj, offset, data)  # pyright: ignore[reportReturnType]

    with sftp_server(tmp_path / "full", served=Full) as server:
        with pytest.raises(ConnectionFailed, match="quota is full"):
            deliver(loader_of(sftp_store(server), file_format="csv"), a_load("t1", 1), ROWS)
        assert state["refused"], "the fault did not happen"
        state["full"] = False
        deliver(loader_of(sftp_store(server), file_format="csv"), a_load("t1", 2), ROWS)
        assert rows_seen(sftp_store(server)) == ROWS
        left = [p.name for p in server.folder.rglob("*") if p.name.endswith(".part")]
        assert left == []


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.file_ground import *
from tests.faults.test_file_destinations import ROWS
from weighbridge.connectors.file_writer import FileWriter
from weighbridge.errors import SpillFull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sent = []
writer = FileWriter(a_load("t1", 1), sys.argv[2], ",", send=lambda name, path: sent.append(name))
try:
    writer.add(reader(a_load("t1", 1), ROWS * 4))
    writer.finish()
    print("no fault", sent)
except SpillFull as error:
    print("full", sent, error.retry)
writer.close()
assert not writer.folder.exists()
"""


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_spool_has_no_room(kind: str) -> None:
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, "300000", kind],
        capture_output=True, text=True, check=False, timeout=120,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == "full [] True", done.stdout + done.stderr


def test_a_cancelled_load_stops_and_leaves_nothing_that_counts(
    bucket: Bucket, tmp_path: Path
) -> None:
    folder = f"cancelled/{tmp_path.name}"
    loader, load = loader_of(bucket_store(bucket, folder), file_bytes=1), a_load("t1", 1)
    loader.claim(load)
    loader.cancel()
    with pytest.raises(Cancelled):
        loader.add(reader(load, ROWS))
    with pytest.raises(Cancelled):
        loader.publish(Loaded(0))
    loader.close()
    deliver(loader_of(bucket_store(bucket, folder)), a_load("t2", 2), ROWS)
    assert_once_of(bucket, folder)


def assert_once_of(bucket: Bucket, folder: str) -> None:
    assert rows_seen(bucket_store(bucket, folder)) == ROWS
