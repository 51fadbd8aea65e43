"""Buckets that speak S3, through obstore, held to the one address that was checked."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.file_store import Stored, cancelled
from weighbridge.connectors.sql import missing_extra
from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    ConnectionLost,
    NoSuchDatabase,
    SpillFull,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.net.forward import Forward
from weighbridge.net.hosts import Address, HostPolicy, resolve
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    from obstore.store import S3Store

# S3 takes parts from 5 MiB on, and 10,000 of them: files of ours are far smaller.
_PART = 8 * 2**20
_PARTS_AT_ONCE = 3
_REACH_SECONDS = 10.0
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")


@dataclass(frozen=True)
class BucketPlace:
    """A bucket and who may write to it. `secret_key` is in no label and no message."""

    label: str
    host: str
    port: int
    bucket: str
    region: str
    access_id: str
    secret_key: str = field(repr=False)
    tls: bool = True

    @property
    def endpoint(self) -> str:
        """Give the address that the bucket's name is appended to."""
        usual = 443 if self.tls else 80
        port = "" if self.port == usual else f":{self.port}"
        return f"{'https' if self.tls else 'http'}://{self.host}{port}"


def amazon_host(region: str) -> str:
    """Name Amazon's host for a region. Raises BadArgument for what is no region."""
    if not _REGION.fullmatch(region):
        raise BadArgument(
            "bucket_region is no region of Amazon.", next_step="Write it as eu-central-1."
        )
    return f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def checked_address(place: BucketPlace, policy: HostPolicy) -> Address:
    """Check where a bucket is, and that somebody answers. Raises HostRefused, ConnectionFailed."""
    address = resolve(place.host, place.port, policy)
    reach(address, _REACH_SECONDS).close()
    return address


class BucketStore:
    """The files below one folder of a bucket."""

    def __init__(self, place: BucketPlace, folder: str, policy: HostPolicy) -> None:
        self._place = place
        self._folder = f"{folder}/" if folder else ""
        self._stop = threading.Event()
        self._forward = Forward(checked_address(place, policy))
        try:
            self._store = _opened(place, self._forward.url)
        except BaseException:
            self._forward.close()
            raise

    def put(self, name: str, path: Path) -> None:
        """Send a local file in parts."""
        import obstore  # noqa: PLC0415 an extra

        with self._said(name):
            obstore.put(
                self._store, self._folder + name, self._chunks(path),
                chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE,
            )  # fmt: skip

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                if self._stop.is_set():
                    raise cancelled()
                yield chunk

    def create(self, name: str, body: bytes) -> bool:
        """Send a small file with `If-None-Match: *`."""
        import obstore  # noqa: PLC0415 an extra
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415

        with self._said(name):
            try:
                obstore.put(self._store, self._folder + name, body, mode="create")
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def read(self, name: str, most: int) -> bytes | None:
        """Give a small file."""
        import obstore  # noqa: PLC0415 an extra

        with self._said(name):
            try:
                answer = obstore.get(self._store, self._folder + name)
                if answer.meta["size"] > most:
                    raise Unreadable(
                        f"The file {name} is larger than it can be.",
                        next_step="Put back what was delivered, or run a full refresh.",
                    )
                return bytes(answer.bytes())
            except FileNotFoundError:
                return None

    def fetch(self, name: str, path: Path) -> bool:
        """Receive a file in chunks."""
        import obstore  # noqa: PLC0415 an extra

        with self._said(name):
            try:
                answer = obstore.get(self._store, self._folder + name)
            except FileNotFoundError:
                return False
            with path.open("wb") as file:
                for chunk in answer.stream(min_chunk_size=2**20):
                    self._go_on()
                    _write(file, chunk)
        return True

    def listed(self, folder: str) -> Iterator[Stored]:
        """List the files below a folder."""
        import obstore  # noqa: PLC0415 an extra

        with self._said(folder):
            for page in obstore.list(self._store, prefix=f"{self._folder}{folder}/"):
                self._go_on()
                for one in page:
                    yield Stored(one["path"].removeprefix(self._folder), one["size"])

    def delete(self, name: str) -> None:
        """Delete a file."""
        import obstore  # noqa: PLC0415 an extra

        with self._said(name):
            try:
                obstore.delete(self._store, self._folder + name)
            except FileNotFoundError:
                return

    def cancel(self) -> None:
        """Break the connections; what runs fails soon."""
        self._stop.set()
        self._forward.close()

    def close(self) -> None:
        """Let go."""
        self._forward.close()

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise cancelled()

    @contextmanager
    def _said(self, name: str) -> Generator[None]:
        try:
            yield
        except WeighbridgeError:
            raise
        except Exception as error:  # noqa: BLE001 translated, whatever it is
            if self._stop.is_set():
                raise cancelled() from None
            raise bucket_error(error, self._place, name) from None


def _opened(place: BucketPlace, proxy: str) -> S3Store:
    try:
        from obstore.store import S3Store  # noqa: PLC0415 an extra
    except ImportError:
        raise missing_extra("buckets", "s3") from None
    # A given provider keeps the machine's own keys out: obstore reads AWS_… where nothing is said.
    keys: Any = {
        "access_key_id": place.access_id, "secret_access_key": place.secret_key, "token": None,
        "expires_at": None,
    }  # fmt: skip
    return S3Store(
        place.bucket,
        endpoint=place.endpoint,
        aws_endpoint_url_s3=place.endpoint,
        region=place.region or "us-east-1",
        virtual_hosted_style_request=False,
        skip_signature=False,
        credential_provider=lambda: keys,
        client_options={
            "proxy_url": proxy,
            "allow_http": not place.tls,
            "allow_invalid_certificates": False,
            "connect_timeout": timedelta(seconds=10),
            "timeout": timedelta(seconds=120),
            "read_timeout": timedelta(seconds=30),
        },
        retry_config={
            "max_retries": 6,
            "retry_timeout": timedelta(seconds=60),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    )


def _write(file: Any, chunk: Any) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise SpillFull(
            f"There is no room for a file that is read back: {error.strerror}.",
            next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
        ) from None


def bucket_error(error: Exception, place: BucketPlace, name: str) -> WeighbridgeError:
    """Translate what obstore or deltalake says; its own text holds addresses and is not repeated."""
    text = str(error)
    code = found[1] if (found := _CODE.search(text)) else ""
    status = found[1] if (found := _STATUS.search(text)) else ""
    if code == "NoSuchBucket" or "NoSuchBucket" in text:
        return NoSuchDatabase(
            f"{place.label} has no bucket {place.bucket}.",
            next_step="Check bucket_name and bucket_region.",
        )
    if code in {"PermanentRedirect", "AuthorizationHeaderMalformed"} or status == "301":
        return NoSuchDatabase(
            f"The bucket {place.bucket} of {place.label} is in another region.",
            next_step="Correct bucket_region.",
        )
    if code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"} or status == "401":
        return AuthFailed(
            f"{place.label} refuses the access key{f' ({code})' if code else ''}.",
            next_step="Check access_id and secret_key.",
        )
    refused = type(error).__name__ in {"PermissionDeniedError", "UnauthenticatedError"}
    if refused or status == "403":
        return AuthFailed(
            f"{place.label} does not let this key do what is needed to {name or 'the folder'}.",
            next_step="The key needs to list, read, write and delete below the folder.",
        )
    said = f"status {status}{f', {code}' if code else ''}" if status else "no whole answer"
    return ConnectionLost(
        f"{place.label} gave {said} for {name or 'the folder'}, several times.",
        next_step="Try again; if it stays so, ask who runs the storage.",
    )
