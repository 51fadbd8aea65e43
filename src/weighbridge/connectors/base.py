"""What the engine may ask of a place where data lives.

A `Source` is one relation (table, view, query, file) on one open connection, inside one
snapshot where the vendor has them. Rows leave it as Arrow batches only. What a vendor can
do is said by its `Traits`, as data; the engine asks "can you?", never "who are you?".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.errors import WeighbridgeError
    from weighbridge.types.columns import Column, Shape


@dataclass(frozen=True)
class Traits:
    """What a vendor can do.

    `dialect`: the SQL that it speaks, as sqlglot names it. `fingerprints`: the name of the
    family of hash functions that it can compute by itself, None if none that is good enough;
    sides with the same name can be compared inside the servers. `local`: DuckDB in this
    process reads it, so that any expression can run at the source. `cheap_rescan`: reading a
    second time costs no parsing. `joins`: it can join itself with another side in the same place.
    `look_back`: by how many seconds a row may become visible later than the moment of change that
    it carries.
    """

    vendor: str
    dialect: str
    fingerprints: str | None = None
    local: bool = False
    cheap_rescan: bool = True
    joins: bool = False
    look_back: int = 300


@dataclass(frozen=True)
class Position:
    """The moment that a source's rows are read at; `level` as in the verdict."""

    snapshot: bool
    position: str | None
    reason: str | None


@dataclass(frozen=True)
class Estimate:
    """What the catalog believes, without reading rows. None: it does not know."""

    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Output:
    """One column of a reading: `expression` is DuckDB SQL over the native value `{x}`."""

    name: str
    column: Column
    expression: str = "{x}"


@dataclass(frozen=True)
class Reading:
    """Which rows and columns to read out.

    `ranges` are half-open ranges of the integer column `key`; None reads all.
    `key_nulls`: None reads all rows, True those with a null in `keys`, False the others.
    `buckets` keeps the rows whose `Checksums` bucket is listed, `key_values` those whose
    `keys` have one of these values, each written as text.
    """

    outputs: tuple[Output, ...]
    key: Column | None = None
    keys: tuple[Column, ...] = ()
    ranges: tuple[tuple[int, int], ...] | None = None
    key_nulls: bool | None = None
    ordered: bool = False
    buckets: tuple[Grouping, tuple[int, ...]] | None = None
    key_values: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class Hashed:
    """A column and the form in which its value is hashed, so that both sides agree."""

    column: Column
    form: str


@dataclass(frozen=True)
class Grouping:
    """How rows fall into buckets: an integer key shifted right, or a hash of the key.

    `shift` is set for the first; `count` (a power of two) for the second.
    """

    keys: tuple[Hashed, ...]
    shift: int | None = None
    count: int = 0
    bitmap: bool = False


@dataclass(frozen=True)
class ChecksumQuery:
    """One fingerprint for each bucket over keys and values, salted by `salt` for this run."""

    grouping: Grouping
    values: tuple[Hashed, ...]
    salt: int
    ranges: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class Joined:
    """One column of a join, as each side is read, and the form that both can be compared in."""

    left: Output
    right: Output
    form: str

    @property
    def columns(self) -> tuple[Column, Column]:
        """Give both sides' columns."""
        return (self.left.column, self.right.column)


class Source(Protocol):
    """One relation on one connection. Not shared between threads, except `cancel`.

    `relation` stands in a FROM of the source's SQL; `version` is the server's.
    """

    @property
    def traits(self) -> Traits: ...
    @property
    def label(self) -> str: ...
    @property
    def relation(self) -> str: ...
    @property
    def query(self) -> str | None: ...
    @property
    def where(self) -> str | None: ...
    @property
    def version(self) -> str | None: ...

    def shape(self) -> Shape:
        """Give columns and keys. Raises NoSuchTable with near names."""
        ...

    def estimate(self) -> Estimate:
        """Give the catalog's belief about rows and bytes; reads no rows."""
        ...

    def span(self, column: Column) -> tuple[int, int] | None:
        """Give the lowest and highest value of an integer column, or None if that is dear."""
        ...

    def is_unique(self, columns: Sequence[Column]) -> bool:
        """Tell whether no two rows share these values and none is null; scans the relation."""
        ...

    def in_order(self, column: Column) -> bool:
        """Tell whether reading in the order of an integer column costs little more than reading.

        A good guess is enough: an ordered reading is in order whatever this says.
        """
        ...

    def read(self, reading: Reading) -> pa.RecordBatchReader:
        """Stream rows as Arrow batches in bounded memory."""
        ...

    def native(self, column: Column) -> str:
        """Name the DuckDB type in which a column's values arrive."""
        ...

    def position(self) -> Position:
        """Tell which moment the rows are of."""
        ...

    def sql(self, reading: Reading) -> str:
        """Give the SQL that `read` runs at the source."""
        ...

    def cancel(self) -> None:
        """End what is running at the source, from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go of the connection and the snapshot."""
        ...


class Checksums(Protocol):
    """A source that hashes its own rows."""

    def checksums(self, query: ChecksumQuery) -> pa.Table:
        """Give bucket (int64), n (int64), s (string), m (int64 bitmap or null) for each bucket."""
        ...

    def checksum_sql(self, query: ChecksumQuery) -> str:
        """Give the SQL that `checksums` runs."""
        ...

    def probe(self) -> str:
        """Give a text that is equal on two servers only if their hashes agree."""
        ...

    def duplicates(self, keys: Sequence[Column]) -> Iterator[pa.RecordBatch]:
        """Give each key that several rows have: its columns k0…, and n."""
        ...


class Joins(Source, Protocol):
    """A source that can be joined with another one in the same place, by the server."""

    @property
    def place(self) -> str:
        """Name the server, database and user; two sides of one place can be joined."""
        ...

    def join_sql(self, other: Source, columns: Sequence[Joined]) -> str:
        """Give the SQL that `joined` runs."""
        ...

    def joined(self, other: Source, columns: Sequence[Joined]) -> pa.RecordBatchReader:
        """Stream the rows that differ or are alone, as l_here, l_…, r_here, r_…, in one snapshot.

        Key columns are those named k…, the values that decide those named c….
        """
        ...

    def counts(self, other: Source) -> tuple[int, int]:
        """Count the rows of both sides in the same snapshot."""
        ...


class Local(Protocol):
    """A source that DuckDB in this process reads: `expression` can stand in its FROM."""

    def attach(self, connection: object) -> str:
        """Make the source readable on a DuckDB connection and give its FROM expression."""
        ...

    def owns(self, error: Exception) -> bool:
        """Tell whether an error of such a connection is this source's fault."""
        ...

    def error(self, error: Exception) -> WeighbridgeError:
        """Translate such an error."""
        ...
