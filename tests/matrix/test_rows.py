"""Keys and rows: the K cases, by every strategy that fits, between and within engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.matrix.case import holds, integer, literal, text
from tests.matrix.engines import REFERENCE, VENDORS, Engines
from tests.matrix.vendor import Rows
from weighbridge.compare.result import Report
from weighbridge.library import compare

Row = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Situation:
    """Rows of both sides under columns k… (the key) and v…; the counts that must come out.

    `counts`: matched, only_left, only_right, changed. `keys`: nulls and dupes of both sides.
    """

    id: str
    columns: tuple[str, ...]
    left: tuple[Row, ...]
    right: tuple[Row, ...]
    counts: tuple[int, int, int, int]
    nulls: tuple[int, int] = (0, 0)
    dupes: tuple[int, int] = (0, 0)
    without: tuple[str, ...] = ()
    order: tuple[int, ...] | None = field(default=None)

    @property
    def verdict(self) -> str:
        """Give the verdict that the counts stand for."""
        return "different" if any(self.counts[1:]) else "identical"

    @property
    def key(self) -> list[str]:
        """List the key's columns."""
        return [name for name in self.columns if name.startswith("k")]


ODD = ("a.b", "a|b", "a'b", 'a"b', "\U0001f600", "", " ", "a\\b", "é")
MANY = tuple((n, "x") for n in range(600))
SITUATIONS = (
    Situation("K1", ("k", "v"), (("a", 1), ("A", 2)), (("a", 1),), (1, 1, 0, 0)),
    Situation("K1 values", ("k", "v"), (("a", 1), ("A", 2)), (("a", 2), ("A", 1)), (0, 0, 0, 2)),
    Situation("K2", ("k", "v"), tuple((k, 1) for k in ODD), tuple((k, 1) for k in reversed(ODD)), (9, 0, 0, 0)),
    Situation("K3 left", ("k", "v"), ((1, 1), (None, 2)), ((1, 1),), (1, 1, 0, 0), nulls=(1, 0)),
    Situation("K3 both", ("k", "v"), ((1, 1), (None, 2)), ((1, 1), (None, 2)), (2, 0, 0, 0), nulls=(1, 1)),
    Situation("K3 other", ("k", "v"), ((1, 1), (None, 2)), ((1, 1), (None, 3)), (1, 1, 1, 0), nulls=(1, 1)),
    Situation("K3 text", ("k", "v"), (("a", 1), (None, 2), (None, 2)), ((None, 2), ("a", 1)), (2, 1, 0, 0), nulls=(2, 1)),
    Situation("K3 part", ("k1", "k2", "v"), ((1, None, 1), (1, 2, 3)), ((1, None, 1), (1, 2, 3)), (2, 0, 0, 0), nulls=(1, 1)),
    Situation("K4", ("k", "v"), ((1, 1), (1, 1), (2, 2)), ((1, 1), (1, 1), (2, 2)), (3, 0, 0, 0), dupes=(2, 2)),
    Situation("K5", ("k", "v"), ((1, 1), (1, 1)), ((1, 1), (1, 1), (1, 1)), (2, 0, 1, 0), dupes=(2, 3)),
    Situation("K5 order", ("k", "v"), ((1, 1), (1, 2)), ((1, 2), (1, 1)), (2, 0, 0, 0), dupes=(2, 2)),
    Situation("K5 values", ("k", "v"), ((1, 1), (1, 2)), ((1, 1), (1, 3)), (1, 0, 0, 1), dupes=(2, 2)),
    Situation("K6", ("k1", "k2", "v"), tuple((n, f"c{n * 7919 % 100}", n) for n in range(200)), tuple((n, f"c{n * 7919 % 100}", n + (n == 150)) for n in range(200)), (199, 0, 0, 1)),
    Situation("K6 edge", ("k1", "k2", "v"), (("a|b", "c", 1), ("a", "b|c", 2)), (("a", "b|c", 1), ("a|b", "c", 2)), (0, 0, 0, 2)),
    Situation("K10", ("k", "v"), MANY, tuple((n, "y") for n, _ in MANY), (0, 0, 0, 600)),
    Situation("K10 keys", ("k", "v"), MANY, tuple((n + 10_000, x) for n, x in MANY), (0, 600, 600, 0)),
    Situation("K10 far", ("k", "v"), ((-9223372036854775807, 1), (9223372036854775807, 2)), ((-9223372036854775807, 1), (9223372036854775807, 3)), (1, 0, 0, 1)),
    Situation("K11 empty", ("k", "v"), (), (), (0, 0, 0, 0), without=("csv",)),
    Situation("K11 left", ("k", "v"), (), ((1, 1),), (0, 0, 1, 0)),
    Situation("K11 right", ("k", "v"), ((1, 1), (2, 2)), (), (0, 2, 0, 0)),
    Situation("K15 below", ("k", "v"), tuple((n, n) for n in range(255)), tuple((n, n) for n in range(255)), (255, 0, 0, 0)),
    Situation("K15 above", ("k", "v"), tuple((n, n) for n in range(700)), tuple((n, n + (n == 699)) for n in range(699, -1, -1)), (699, 0, 0, 1)),
    Situation("K16", ("k", "Select", "dvt-identifier$_#", "ü" * 20), ((1, 1, 2, 3),), ((1, 1, 2, 3),), (1, 0, 0, 0), order=(2, 0, 3, 1)),
    Situation("K16 long", ("k", "x" * 63), ((1, 1),), ((1, 2),), (0, 0, 0, 1)),
    Situation("S8", ("k", "v1", "v2"), ((1, "a|b", "c"),), ((1, "a", "b|c"),), (0, 0, 0, 1)),
    Situation("S9", ("k", "v1", "v2"), ((1, "ab", "c"),), ((1, "a", "bc"),), (0, 0, 0, 1)),
    Situation("S22", ("k", "v"), (("a", 1), ("a ", 2)), (("a", 1), ("a ", 2)), (2, 0, 0, 0)),
    Situation("S22 one", ("k", "v"), (("a", 1), ("a ", 2)), (("a", 1),), (1, 1, 0, 0)),
)  # fmt: skip


def kinds(situation: Situation, engine: str) -> list[str]:
    """Choose each column's type by the values of both sides."""
    listed: list[str] = []
    for place in range(len(situation.columns)):
        values = [row[place] for row in (*situation.left, *situation.right)]
        sample = text("") if any(isinstance(v, str) for v in values) else integer(0)
        cell = holds(sample, engine)
        listed.append(cell[0] if cell else "")
    return listed


def written(engine: str, value: int | str | None) -> str | None:
    """Write one value as an engine's literal."""
    if value is None:
        return None
    cell = holds(text(value) if isinstance(value, str) else integer(value), engine)
    return cell[1] if cell else literal(str(value))


def make(engines: Engines, engine: str, situation: Situation, side: int, name: str) -> str:
    """Make one side's table; the right's columns stand in the order that the situation says."""
    order: Sequence[int] = range(len(situation.columns))
    if side == 1 and situation.order:
        order = situation.order
    types = kinds(situation, engine)
    columns = [(situation.columns[i], types[i]) for i in order]
    rows: Rows = [
        [written(engine, row[i]) for i in order] for row in (situation.left, situation.right)[side]
    ]
    return engines.make(engine, name, columns, rows, side)


def check(situation: Situation, report: Report) -> None:
    """Hold a report against the situation."""
    rows = report.rows
    assert report.verdict == situation.verdict
    found = (rows.matched, rows.only_left, rows.only_right, rows.changed)
    assert found == situation.counts
    assert (rows.left, rows.right) == (len(situation.left), len(situation.right))
    assert report.keys.nulls == situation.nulls
    assert report.keys.dupes == situation.dupes
    assert report.not_compared == ()


PAIRS = [
    *((REFERENCE, e) for e in VENDORS),
    *((e, e) for e in VENDORS if e not in {REFERENCE, "csv", "parquet"}),
]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.id)
def test_situation(engines: Engines, pair: tuple[str, str], situation: Situation) -> None:
    if set(pair) & set(situation.without):
        pytest.skip("an empty CSV has a header only, which says no types")
    number = SITUATIONS.index(situation)
    sides = [
        make(engines, engine, situation, side, f"rows_{number}_{side}_{'_'.join(pair)}")
        for side, engine in enumerate(pair)
    ]
    # Between engines there is one way; within one, `auto` is one of the others.
    strategies = VENDORS[pair[0]].strategies[1:] if pair[0] == pair[1] else ("auto",)
    for strategy in strategies:
        with compare(*sides, key=situation.key, strategy=strategy) as found:  # pyright: ignore[reportArgumentType]
            check(situation, found.report)
    if pair == (REFERENCE, REFERENCE):
        with compare(*sides, key=situation.key, paranoid=True) as found:
            check(situation, found.report)


def test_keys_that_a_collation_calls_equal_are_counted(engines: Engines) -> None:
    """K1: MariaDB's collation holds one of a and A; the other is missing, and named a collision."""
    left = engines.make(
        REFERENCE, "ci_l", [("k", "text"), ("v", "int")], [["'a'", "1"], ["'A'", "2"]]
    )
    right = engines.make(
        "mariadb", "ci_r", [("k", "varchar(9) primary key"), ("v", "int")], [["'a'", "1"]]
    )
    with compare(left, right, key="k") as found:
        assert found.report.rows.matched == 1
        assert found.report.rows.only_left == 1
        assert found.report.keys.collisions == 1


def test_integers_meet_their_text_as_keys(engines: Engines) -> None:
    """K7: 7 is '7' by agreement, and never '007'."""
    left = engines.make(
        REFERENCE, "int_key", [("k", "bigint"), ("v", "int")], [["7", "1"], ["8", "2"]]
    )
    right = engines.make(
        REFERENCE, "text_key", [("k", "text"), ("v", "int")], [["'7'", "1"], ["'008'", "2"]]
    )
    with compare(left, right, key="k") as found:
        rows = found.report.rows
        assert (rows.matched, rows.only_left, rows.only_right) == (1, 1, 1)
        assert found.report.columns[0].depends_on_rule == 1


def test_columns_of_one_side_are_listed(engines: Engines) -> None:
    """K16: what has no partner is named, and the rest is compared."""
    left = engines.make(
        REFERENCE, "extra_l", [("k", "int"), ("v", "int"), ("gone", "int")], [["1", "1", "1"]]
    )
    right = engines.make(
        "duckdb",
        "extra_r",
        [("k", "INTEGER"), ("new", "INTEGER"), ("v", "INTEGER")],
        [["1", "1", "1"]],
    )
    with compare(left, right, key="k") as found:
        report = found.report
        assert report.verdict == "identical"
        assert {(n.column, n.side) for n in report.not_compared} == {
            ("gone", "left"),
            ("new", "right"),
        }
        assert (report.schema.removed, report.schema.added) == (("gone",), ("new",))


def test_a_row_on_the_edge_of_two_windows_is_in_one(engines: Engines) -> None:
    """T25: windows are half-open, so that a row at their edge is counted once."""
    columns = [("k", "int"), ("t", "timestamp")]
    rows = [
        ["1", "'2024-01-01 00:00:00'"],
        ["2", "'2024-01-02 00:00:00'"],
        ["3", "'2024-01-03 00:00:00'"],
    ]
    left, right = (engines.make(REFERENCE, f"window_{n}", columns, rows, n) for n in (0, 1))
    seen = 0
    for since, until in ((None, "2024-01-02"), ("2024-01-02", "2024-01-03"), ("2024-01-03", None)):
        with compare(left, right, key="k", updated_column="t", since=since, until=until) as found:
            assert found.report.verdict == "identical"
            seen += found.report.rows.left
    assert seen == len(rows)


def test_a_generated_column_is_compared(engines: Engines) -> None:
    """G4: what the server computes is a value like any other."""
    made = [("k", "int"), ("v", "int generated always as (k * 2) stored")]
    with_rows = engines.make(REFERENCE, "generated", [*made], [])
    fill(engines, "generated", "insert into generated values (1), (2)")
    plain = engines.make("mariadb", "plain", [("k", "int"), ("v", "int")], [["1", "2"], ["2", "4"]])
    with compare(with_rows, plain, key="k") as found:
        assert found.report.verdict == "identical"
        assert found.report.rows.matched == 2


def test_large_values_are_compared(engines: Engines) -> None:
    """B6: two megabytes are no reason to give up."""
    kinds_of = {REFERENCE: "bytea", "duckdb": "BLOB"}
    left = engines.make(
        REFERENCE,
        "large",
        [("k", "int"), ("v", "bytea")],
        [["1", "convert_to(repeat('ab', 1048576), 'UTF8')"]],
    )
    right = [
        engines.make(
            "duckdb",
            name,
            [("k", "INTEGER"), ("v", kinds_of["duckdb"])],
            [["1", f"(repeat('ab', 1048575) || '{end}')::BLOB"]],
        )
        for name, end in (("large_same", "ab"), ("large_other", "ac"))
    ]
    for side, verdict in zip(right, ("identical", "different"), strict=True):
        with compare(left, side, key="k") as found:
            assert found.report.verdict == verdict


def test_bytes_among_texts_are_not_their_digits(engines: Engines) -> None:
    """SQLite's columns hold any type: x'6162' is not '6162', nor 2^53 + 1 the double 2^53."""
    columns = [("k", "INTEGER PRIMARY KEY"), ("v", ""), ("n", "")]
    rows = [["1", "x'6162'", "9007199254740993"], ["2", "'x'", "0.5"]]
    others = [["1", "'6162'", "9007199254740992"], ["2", "'x'", "0.5"]]
    left, right = (
        engines.make("sqlite", name, columns, given)
        for name, given in (("mixed_l", rows), ("mixed_r", others))
    )
    with compare(left, right, key="k") as found:
        assert [(c.name, c.differences) for c in found.report.columns] == [
            ("k", 0),
            ("v", 1),
            ("n", 1),
        ]


def fill(engines: Engines, table: str, statement: str) -> None:
    """Run a statement on the reference engine."""
    import psycopg  # noqa: PLC0415 only here

    with psycopg.connect(engines.place(REFERENCE), autocommit=True) as connection:
        connection.execute(statement.encode())
    assert table
