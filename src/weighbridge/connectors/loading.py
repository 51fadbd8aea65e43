"""What is asked of a place to which a model is delivered.

One `Load` is one model of one transfer. A loader claims it, takes its rows as Arrow batches, and
publishes them in one step: all rows and the line in the ledger are there, or none.

    find → (not there yet) → claim → add → publish

The ledger lies in the destination, in the table (or the manifests) named LEDGER: the same load is
published once, however often it is tried. `token` grows with every attempt at any load of the same
destination: a claim with a greater token makes every earlier attempt worthless, which learns it by
the error Overtaken when it publishes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.types.columns import ColumnType

LEDGER = "_transfer_status"


@dataclass(frozen=True)
class Field:
    """A delivered column: its name at the destination and what it holds (`types.delivered`)."""

    name: str
    type: ColumnType


@dataclass(frozen=True)
class Load:
    """One model of one transfer on its way to one destination.

    `full`: the rows replace all that is there; else they are merged by `key`. `transfer` and
    `table` name the load in the ledger. `since` and `until` are the window of the source's rows.
    """

    table: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    last_modified: str
    full: bool
    transfer: str
    token: int
    began: datetime
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Loaded:
    """What a load brought: rows, bytes as they travelled, the latest moment of change.

    `changed` counts the rows that were new or replaced others, where the place can tell.
    """

    rows: int
    bytes: int = 0
    latest: datetime | None = None
    changed: int | None = None


class Loader(Protocol):
    """A connection that loads into one destination. Not shared between threads, except `cancel`."""

    def find(self, load: Load) -> Loaded | None:
        """Look the load up in the ledger: None if it was not published yet."""
        ...

    def claim(self, load: Load) -> None:
        """Fence out earlier attempts, and make ready what takes the rows.

        A table that is missing is made, with a primary key; new columns are added to one that is
        there, columns that the model has no more stay and hold null. Raises NotComparable for a
        column whose type changed, Overtaken.
        """
        ...

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Take rows: the load's fields in order, of `types.delivered.arrow_type`. In bounded memory."""
        ...

    def publish(self, loaded: Loaded) -> Loaded:
        """Make the rows visible and write the ledger, in one step. Raises Overtaken.

        A row is merged only if it is not older than the one that is there.
        """
        ...

    def cancel(self) -> None:
        """End what is running, from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go; what was not published leaves no trace that a reader of the tables could see."""
        ...


class TakesCopies(Protocol):
    """A loader that takes rows as another server gives them, without anyone between looking at them.

    `copies` names the form; a source gives the same one if its traits say the same name.
    """

    @property
    def copies(self) -> str: ...

    def add_copied(self, chunks: Iterable[bytes | bytearray], tenant: str) -> Loaded:
        """Take rows in place of `add`: the load's fields, and then whose the row is, as text.

        Give how many came, and the latest moment of change. Raises TenantMixed if a row is not
        `tenant`'s: then nothing can be published.
        """
        ...
