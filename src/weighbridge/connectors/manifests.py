"""What says which delivered files count: a manifest for each load, written last.

    <folder>/<model>/dt=2026-01-31/<transfer>_<token>_<n>.parquet
    <folder>/_manifests/<model>/<token>_<transfer>.json
    <folder>/_transfer_status/<model>/<token>_<transfer>     who has begun, see `file_loader`

The order of loads is that of their tokens, so that one which comes late changes nothing of what is
newer. Manifests lie where a customer may write: each is checked when it is read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weighbridge.connectors import loading
from weighbridge.connectors.loading import Load, Loaded
from weighbridge.errors import NotComparable, Unreadable
from weighbridge.types.columns import ColumnType

FOLDER = "_manifests"
# Files of 128 MB: 16 MB of manifest stand for more than any load has.
MOST_BYTES = 16 * 2**20
_NAME = re.compile(r"([0-9]{20})_([A-Za-z0-9-]{1,64})(\.json)?")
Kind = Literal[
    "bool", "int", "float", "decimal", "text", "date", "timestamp", "timestamptz", "json", "uuid",
    "bytes",
]  # fmt: skip


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class FileEntry(_Written):
    """A file: its name below the destination's folder, and how it is known again."""

    name: str = Field(max_length=1000)
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ColumnEntry(_Written):
    """A column: the model's word for its type, and what the values are."""

    name: str = Field(min_length=1, max_length=1000)
    data_type: str = Field(max_length=100)
    type: Kind
    precision: int | None = None
    scale: int | None = None
    bits: int | None = None

    @classmethod
    def of(cls, field: loading.Field) -> ColumnEntry:
        """Write a delivered column down."""
        kind = field.type
        return cls.model_validate(
            {
                "name": field.name, "data_type": kind.declared, "type": kind.family,
                "precision": kind.precision, "scale": kind.scale, "bits": kind.bits,
            }
        )  # fmt: skip

    def field(self) -> loading.Field:
        """Give the delivered column again."""
        kind = ColumnType(
            self.type, self.data_type, precision=self.precision, scale=self.scale, bits=self.bits
        )
        return loading.Field(self.name, kind)


class Window(_Written):
    """Which rows of the source were read: [since, until)."""

    since: datetime | None = None
    until: datetime | None = None


class Manifest(_Written):
    """One load. `columns` are those of its files, `table_columns` all that the table has had."""

    version: Literal[1] = 1
    status: Literal["published", "abandoned"] = "published"
    model: str
    transfer: str
    token: int = Field(ge=0)
    is_full_refresh: bool = False
    window: Window = Window()
    watermark: datetime | None = None
    began: datetime | None = None
    file_format: Literal["parquet", "csv"] = "parquet"
    csv_delimiter: str | None = Field(None, min_length=1, max_length=1)
    key: tuple[str, ...] = ()
    last_modified: str = ""
    rows: int = Field(0, ge=0)
    bytes: int = Field(0, ge=0)
    columns: tuple[ColumnEntry, ...] = ()
    table_columns: tuple[ColumnEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()

    @property
    def counts(self) -> bool:
        """Tell whether it is of a load that was published."""
        return self.status == "published"

    def body(self) -> bytes:
        """Write it as it is stored."""
        return self.model_dump_json(indent=1).encode()

    def loaded(self) -> Loaded:
        """Give what the load brought."""
        return Loaded(self.rows, self.bytes, self.watermark)


def parse(body: bytes, name: str) -> Manifest:
    """Read a manifest back. Raises Unreadable for what is none of ours."""
    try:
        found = Manifest.model_validate_json(body)
    except ValidationError:
        found = None
    named = number_of(name)
    if found is None or named is None or named != (found.token, found.transfer):
        raise Unreadable(
            f"The manifest {name} is not what was delivered.",
            next_step="Put it back as it was, or run a full refresh.",
        )
    outside = [f.name for f in found.files if not f.name.startswith(f"{found.model}/dt=")]
    if outside or any(".." in f.name.split("/") for f in found.files):
        raise Unreadable(
            f"The manifest {name} names a file outside its model's folder.",
            next_step="Put it back as it was, or run a full refresh.",
        )
    return found


def file_name(token: int, transfer: str) -> str:
    """Name a load's attempt so that names sort as tokens do."""
    return f"{token:020d}_{transfer}"


def number_of(name: str) -> tuple[int, str] | None:
    """Read token and transfer in the name of a manifest or a mark; None where it is neither."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    return (int(found[1]), found[2]) if found else None


def abandoned(load_token: int, transfer: str, model: str) -> Manifest:
    """Make what stands where a dead attempt would have published: it names no file."""
    said = {"status": "abandoned", "model": model, "transfer": transfer, "token": load_token}
    return Manifest.model_validate(said)


def live(newest_first: Iterable[Manifest]) -> list[Manifest]:
    """Keep what counts: from the last full refresh on, oldest first."""
    found: list[Manifest] = []
    for manifest in newest_first:
        if not manifest.counts:
            continue
        found.append(manifest)
        if manifest.is_full_refresh:
            break
    return found[::-1]


def evolved(
    load: Load, before: Sequence[ColumnEntry], *, file_format: str
) -> tuple[ColumnEntry, ...]:
    """Give a table's columns after a load: its own, then those that it has no more.

    Raises NotComparable for a column whose type changed, unless nothing earlier counts any more.
    """
    own = tuple(ColumnEntry.of(field) for field in load.fields)
    if load.full:
        return own
    earlier = {column.name: column for column in before}
    for column in own:
        was = earlier.pop(column.name, None)
        if was is not None and _holds(was) != _holds(column):
            raise NotComparable(
                f"The column {column.name} of {load.table} was delivered as {was.data_type}"
                f" and is {column.data_type} now; {file_format} files cannot be changed.",
                next_step="Run a full refresh, or take the model's data_type back.",
            )
    return (*own, *earlier.values())


def _holds(column: ColumnEntry) -> tuple[object, ...]:
    return column.type, column.precision, column.scale, column.bits
