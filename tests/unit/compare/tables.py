"""Random pairs of tables: many types of keys and values, and the edits that set them apart."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.unit.compare.oracle import Row

Maker = Callable[[random.Random], Any]
LOW, HIGH = -(2**63), 2**63 - 1
TEXTS = (
    "", " ", "a", "a ", "A", "NULL", "null", "\\N", "None", "<null>", "a|b", "a,b", '"', "'", "''",
    "x\ty", "line\nbreak", "cr\r\nlf", "\\", "é", "e\u0301", "😀", "ẞ", "\u00a0", "\u200b", "中文字",
    "0", "00", "1.0", "-0", "nan", "true", "%s", "{x}", "$$", ";--", "eight ch", "twelve chars",
    "1234567a1234567b", "1234567b1234567a", "1234567c1234567d", "a long text of thirty one chars",
    "6ccd780c-baba-1026-9564-5b8c656024db",
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.1, 0.1 + 2**-56, 1e-20, 2e-20, 5e-324, 2.2250738585072014e-308, 1e300,
    1.7976931348623157e308, 123456.789, 0.36640625, 1 / 3, 16777217.0, 9007199254740992.0,
)  # fmt: skip
ODD_FLOATS = (float("nan"), float("inf"), float("-inf"))
BYTES = (
    b"", b"\x00", b"\x00\x00", b"\xde\xad", b"\xff" * 8, b"a" * 12, b"\x00" * 16,
    b"1234567\xff1234567\x00zz", b"1234567\x7f1234567\x80zz", b"'\"\\\n",
)  # fmt: skip
DAYS = (date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), date(1582, 10, 10), date(2024, 2, 29))
MOMENTS = (
    datetime(1970, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(9999, 12, 31),
    datetime(2024, 1, 1, 0, 0, 0, 1), datetime(2243, 1, 1, 0, 0, 0, 123457), datetime(1, 1, 1),
)  # fmt: skip


def _some(pool: tuple[Any, ...], other: Maker, share: float = 0.4) -> Maker:
    return lambda r: r.choice(pool) if r.random() < share else other(r)


def _decimal(precision: int, scale: int) -> Maker:
    top = int(("98" * precision)[:precision])

    # A Decimal made of a tuple keeps all 38 digits: the context would round.
    def make(r: random.Random) -> Decimal:
        whole = r.choice((0, 1, -1, top, -top, r.randint(-top, top), r.randint(-500, 500)))
        digits = tuple(int(d) for d in str(abs(whole)))
        return Decimal((int(whole < 0), digits, -scale))

    return make


def _text(r: random.Random) -> str:
    letters = "abcXYZ019 .-|,é中😀"
    return "".join(r.choice(letters) for _ in range(r.randrange(30)))


# kind -> (type in DuckDB and PostgreSQL alike, how a value is made)
KINDS: dict[str, tuple[str, Maker]] = {
    "int": ("INTEGER", lambda r: r.randint(-50, 50)),
    "bigint": ("BIGINT", _some((LOW, HIGH, 0, -1, 1, 2**53, 2**53 + 1), lambda r: r.randint(LOW, HIGH))),
    "decimal": ("DECIMAL(10,2)", _decimal(10, 2)),
    "decimal18": ("DECIMAL(18,4)", _decimal(18, 4)),
    "decimal37": ("DECIMAL(37,10)", _decimal(37, 10)),
    "double": ("DOUBLE PRECISION", _some(FLOATS, lambda r: r.uniform(-1e6, 1e6))),
    "oddfloat": ("DOUBLE PRECISION", _some(ODD_FLOATS, lambda r: r.choice(FLOATS))),
    "text": ("TEXT", _some(TEXTS, _text, 0.7)),
    "bool": ("BOOLEAN", lambda r: r.random() < 0.5),
    "date": ("DATE", _some(DAYS, lambda r: date(2000, 1, 1) + timedelta(r.randrange(9000)))),
    "timestamp": (
        "TIMESTAMP",
        _some(MOMENTS, lambda r: datetime(2020, 1, 1) + timedelta(microseconds=r.randrange(10**14))),
    ),
    "bytes": ("BLOB", _some(BYTES, lambda r: r.randbytes(r.randrange(20)))),
    "uuid": ("UUID", lambda r: uuid.UUID(int=r.choice((0, 1, 1 << 127, r.getrandbits(128))))),
}  # fmt: skip
ALL_KINDS = tuple(KINDS)

# What names a row -> kinds of its columns, and how the n-th key is made.
KeyMaker = Callable[[random.Random, int], Row]
KEYS: dict[str, tuple[tuple[str, ...], KeyMaker]] = {
    "dense": (("bigint",), lambda _, n: (n - 20,)),
    "small": (("int",), lambda _, n: (n * 3,)),
    "sparse": (("bigint",), lambda r, _: (r.choice((LOW, LOW + 1, HIGH, HIGH - 1, 0, r.randint(LOW, HIGH), r.randint(LOW, HIGH))),)),
    "top": (("bigint",), lambda _, n: (HIGH - n,)),
    "bottom": (("bigint",), lambda _, n: (LOW + n,)),
    "text": (("text",), lambda r, n: (r.choice((*TEXTS, f"key {n}", f"1234567{n % 10}1234567{n % 7}")),)),
    "composite": (
        ("int", "text", "date"),
        lambda r, n: (n // 7, TEXTS[n % 7], date(2024, 1, 1) + timedelta(r.randrange(3))),
    ),
    "uuid": (("uuid",), lambda r, n: (uuid.UUID(int=(n << 64) + n * 7),)),
    "decimal": (("decimal",), lambda r, n: (Decimal(n - 5) / 4 * 100 / 100,)),
    "pair": (("bigint", "bigint"), lambda _, n: (n % 5, n // 5)),
    "none": ((), lambda *_: ()),
}  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """Two tables with the same columns id0… and v0…, the key first."""

    kinds: tuple[str, ...]
    keys: int
    left: list[Row] = field(repr=False)
    right: list[Row] = field(repr=False)
    made_of: str = ""

    @property
    def names(self) -> list[str]:
        """List the columns."""
        return [f"id{i}" if i < self.keys else f"v{i - self.keys}" for i in range(len(self.kinds))]

    @property
    def key(self) -> list[str] | None:
        """Name the key's columns."""
        return self.names[: self.keys] or None

    @property
    def texts(self) -> Tables:
        """Give the tables as a file of text holds them."""

        def written(rows: list[Row]) -> list[Row]:
            return [tuple(None if v is None else str(v) for v in row) for row in rows]

        kinds = ("text",) * len(self.kinds)
        return replace(self, kinds=kinds, left=written(self.left), right=written(self.right))

    @property
    def swapped(self) -> Tables:
        """Set the right before the left."""
        return replace(self, left=self.right, right=self.left)


@dataclass(frozen=True)
class Recipe:
    """How a pair of tables is made; small enough for Hypothesis to shrink and to print."""

    key: str
    values: tuple[str, ...]
    size: int
    seed: int
    null_values: float = 0.1
    null_keys: float = 0.0
    doubles: float = 0.0
    edits: tuple[str, ...] = ()
    shuffled: bool = False


EDITS = ("change", "swap", "delete", "insert", "double", "nullify", "rekey", "empty", "all")


def recipes(
    *,
    keys: tuple[str, ...] = tuple(KEYS),
    kinds: tuple[str, ...] = ALL_KINDS,
    most: int = 300,
) -> st.SearchStrategy[Recipe]:
    """Draw recipes; the last of `keys` and `kinds` are no rarer than the first."""
    return st.builds(
        Recipe,
        key=st.sampled_from(keys),
        values=st.lists(st.sampled_from(kinds), min_size=1, max_size=5).map(tuple),
        size=st.one_of(st.integers(0, 8), st.integers(0, most)),
        seed=st.integers(0, 2**32),
        null_values=st.sampled_from((0.0, 0.1, 0.6)),
        null_keys=st.sampled_from((0.0, 0.0, 0.05, 0.5)),
        doubles=st.sampled_from((0.0, 0.0, 0.02, 0.3)),
        edits=st.lists(st.sampled_from(EDITS), max_size=5).map(tuple),
        shuffled=st.booleans(),
    )


def make_tables(recipe: Recipe) -> Tables:
    """Make the two tables of a recipe, the same ones each time."""
    r = random.Random(recipe.seed)
    key_kinds, key_maker = KEYS[recipe.key]
    kinds = (*key_kinds, *recipe.values)
    maker = _Maker(r, recipe, key_maker)
    left = maker.first()
    right = maker.edited(list(left))
    if recipe.shuffled:
        r.shuffle(right)
    return Tables(kinds, len(key_kinds), left, right, repr(recipe))


class _Maker:
    def __init__(self, r: random.Random, recipe: Recipe, key_maker: KeyMaker) -> None:
        self.r = r
        self.recipe = recipe
        self.key_maker = key_maker
        self.width = len(KEYS[recipe.key][0])
        self.next = 0
        self.used: set[Row] = set()

    def key(self) -> Row:
        for _ in range(20):
            made = self.key_maker(self.r, self.next)
            self.next += 1
            if made not in self.used:
                self.used.add(made)
                break
        else:
            return ()
        if made and self.r.random() < self.recipe.null_keys:
            place = self.r.randrange(len(made))
            return (*made[:place], None, *made[place + 1 :])
        return made

    def value(self, place: int) -> Any:
        if self.r.random() < self.recipe.null_values:
            return None
        return KINDS[self.recipe.values[place]][1](self.r)

    def row(self, key: Row) -> Row:
        return (*key, *(self.value(i) for i in range(len(self.recipe.values))))

    def first(self) -> list[Row]:
        rows: list[Row] = []
        for _ in range(self.recipe.size):
            key = self.key()
            if self.width and not key:
                break
            rows.append(self.row(key))
            while self.r.random() < self.recipe.doubles:
                rows.append(rows[-1] if self.r.random() < 0.4 else self.row(key))
        return rows

    def edited(self, rows: list[Row]) -> list[Row]:
        for edit in self.recipe.edits:
            rows = getattr(self, f"_{edit}")(rows)
        return rows

    def _place(self, rows: list[Row]) -> int:
        return self.r.randrange(len(rows))

    def _with(self, row: Row, column: int, value: Any) -> Row:
        return (*row[:column], value, *row[column + 1 :])

    def _change(self, rows: list[Row]) -> list[Row]:
        for _ in range(self.r.choice((1, 1, 3, len(rows) // 10)) if rows else 0):
            at, column = self._place(rows), self.r.randrange(len(self.recipe.values))
            rows[at] = self._with(rows[at], self.width + column, self.value(column))
        return rows

    def _all(self, rows: list[Row]) -> list[Row]:
        return [self._with(row, self.width, self.value(0)) for row in rows]

    def _swap(self, rows: list[Row]) -> list[Row]:
        if rows:
            a, b, c = self._place(rows), self._place(rows), self.r.randrange(len(rows[0]))
            first, second = rows[a], rows[b]
            rows[a] = self._with(first, c, second[c])
            rows[b] = self._with(second, c, first[c])
        return rows

    def _delete(self, rows: list[Row]) -> list[Row]:
        if not rows:
            return rows
        at, count = self._place(rows), self.r.choice((1, 2, len(rows) // 4))
        return rows[:at] + rows[at + count :]

    def _insert(self, rows: list[Row]) -> list[Row]:
        for _ in range(self.r.choice((1, 3, 30))):
            key = self.key()
            if key or not self.width:
                rows.insert(self.r.randint(0, len(rows)), self.row(key))
        return rows

    def _double(self, rows: list[Row]) -> list[Row]:
        for _ in range(self.r.choice((1, 2, 10)) if rows else 0):
            row = rows[self._place(rows)]
            again = row if self.r.random() < 0.5 else self.row(row[: self.width])
            rows.insert(self.r.randint(0, len(rows)), again)
        return rows

    def _nullify(self, rows: list[Row]) -> list[Row]:
        if rows and self.width:
            at = self._place(rows)
            rows[at] = self._with(rows[at], self.r.randrange(self.width), None)
        return rows

    def _rekey(self, rows: list[Row]) -> list[Row]:
        key = self.key()
        if rows and key:
            at = self._place(rows)
            rows[at] = (*key, *rows[at][self.width :])
        return rows

    def _empty(self, rows: list[Row]) -> list[Row]:
        return [] if self.r.random() < 0.5 else rows
