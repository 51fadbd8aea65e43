"""Rows of one side against rows of the other, value by value: where a difference is decided.

Both sets hold the same keys' rows: a window, a few buckets, or everything. Columns are
k0… (strict key values), c0… (strict values) and n0… (native values, in place of c where the
two differ; see `carried`). Rows pair by key; rows of a duplicated key pair as a multiset:
equal rows first, then what is left over in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.compare.normalise import ColumnPair, needs_native
from weighbridge.connectors.base import Output

if TYPE_CHECKING:
    from weighbridge.compare.workspace import Workspace


def outputs(
    keys: tuple[ColumnPair, ...], values: tuple[ColumnPair, ...], side: int, *, native: bool = True
) -> tuple[Output, ...]:
    """List what a side must be read as: k…, c… and, where it is another value, n… and m…."""
    listed: list[Output] = []
    for i, pair in enumerate(keys):
        column = (pair.left, pair.right)[side]
        listed.append(Output(f"k{i}", column, pair.strict[side]))
    for i, pair in enumerate(values):
        column = (pair.left, pair.right)[side]
        listed.append(Output(f"c{i}", column, pair.strict[side]))
    if native:
        for i, pair in enumerate(keys):
            if needs_native(pair):
                listed.append(Output(f"m{i}", (pair.left, pair.right)[side]))
        for i, pair in enumerate(values):
            if needs_native(pair):
                listed.append(Output(f"n{i}", (pair.left, pair.right)[side]))
    return tuple(listed)


@dataclass
class Tally:
    """Exact counts, added up over every call of `match`.

    `doubled_…`: what pairs of rows add whose key several rows of a side have.
    """

    matched: int = 0
    only_left: int = 0
    only_right: int = 0
    changed: int = 0
    equal_under_rule: int = 0
    null_keys: list[int] = field(default_factory=lambda: [0, 0])
    exclusives: list[int] = field(default_factory=lambda: [0, 0])
    exclusive_dupes: int = 0
    null_pairs: int = 0
    doubled_changed: int = 0
    collisions: int = 0
    differences: list[int] = field(default_factory=list[int])
    depends: list[int] = field(default_factory=list[int])
    equal_nulls: list[int] = field(default_factory=list[int])
    doubled_differences: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, width: int) -> Tally:
        """Make an empty tally of `width` value columns."""
        return cls(
            differences=[0] * width, depends=[0] * width, equal_nulls=[0] * width,
            doubled_differences=[0] * width,
        )  # fmt: skip


class Matcher:
    """Compares two sets of rows and adds what differs to the workspace and the tally."""

    def __init__(self, workspace: Workspace, tally: Tally) -> None:
        self.workspace = workspace
        self.tally = tally
        self._keys = range(len(workspace.keys))
        self._values = range(len(workspace.values))

    def match(self, left: str, right: str, *, unique: bool, null_keys: bool = False) -> None:
        """Compare the tables `left` and `right`.

        `unique`: no key stands twice on either side. `null_keys`: all keys hold a null, so
        that rows are equal or they are alone.
        """
        run = self.workspace.connection.execute
        if unique:
            run(f"CREATE OR REPLACE TEMP TABLE paired AS {self._pair_unique(left, right)}")
        else:
            run(f"CREATE OR REPLACE TEMP TABLE paired AS {self._pair_any(left, right, null_keys)}")
        self._count(left, right, unique=unique, null_keys=null_keys)
        self._keep(null_keys=null_keys, unique=unique, sides=(left, right))
        run("DROP TABLE paired")

    def match_aligned(self, left: str, right: str) -> None:
        """Compare the n-th row of `left` with the n-th of `right`: keys are unique, none is null.

        Both have a column `here`, which is null, like all the others, where a side has no row.
        """
        run = self.workspace.connection.execute
        source = f"{left} l POSITIONAL JOIN {right} r"
        run(f"CREATE OR REPLACE TEMP VIEW paired AS {self._paired(source, 'true')}")
        present = f"(SELECT * FROM {left} WHERE here)"
        self._count(present, right, unique=True, null_keys=False)
        self._keep(null_keys=False, unique=True, sides=(left, right))
        run("DROP VIEW paired")

    # Pairing -------------------------------------------------------------------------------

    def _columns(self) -> list[str]:
        keys, values = self.workspace.keys, self.workspace.values
        names = [f"k{i}" for i in self._keys] + [f"c{i}" for i in self._values]
        names += [f"m{i}" for i in self._keys if needs_native(keys[i])]
        return names + [f"n{i}" for i in self._values if needs_native(values[i])]

    def _paired(self, source: str, where: str) -> str:
        sides = [f"{s}.{name} AS {s}_{name}" for s in ("l", "r") for name in self._columns()]
        listed = ", ".join([*sides, "l.here AS in_left", "r.here AS in_right", *self._verdicts()])
        return f"SELECT {listed} FROM {source} WHERE {where}"

    def _verdicts(self) -> list[str]:
        parts: list[str] = []
        for i in self._values:
            strict = f"l.c{i} IS DISTINCT FROM r.c{i}"
            near = self._near(i)
            if near is None:
                parts += [f"({strict}) AS d{i}", f"false AS e{i}"]
            else:
                parts += [
                    f"({strict}) AND NOT ({near}) AS d{i}",
                    f"({strict}) AND ({near}) AS e{i}",
                ]
        return parts

    def _near(self, index: int) -> str | None:
        pair = self.workspace.values[index]
        left, right = f"l.c{index}", f"r.c{index}"
        parts: list[str] = []
        if pair.loose is not None:
            sides = [pair.loose.replace("{x}", x) for x in (left, right)]
            parts.append(f"{sides[0]} IS NOT DISTINCT FROM {sides[1]}")
        if pair.near is not None:
            near = pair.near.replace("{l}", left).replace("{r}", right)
            parts.append(f"coalesce({near}, false)")
        return " OR ".join(parts) or None

    def _pair_unique(self, left: str, right: str) -> str:
        on = " AND ".join(f"l.k{i} = r.k{i}" for i in self._keys)
        source = (
            f"(SELECT *, true AS here FROM {left}) l"
            f" FULL JOIN (SELECT *, true AS here FROM {right}) r ON {on}"
        )
        differs = " OR ".join(f"l.c{i} IS DISTINCT FROM r.c{i}" for i in self._values)
        where = "l.here IS NULL OR r.here IS NULL" + (f" OR {differs}" if differs else "")
        return self._paired(source, where)

    def _pair_any(self, left: str, right: str, null_keys: bool) -> str:
        # Equal rows leave first, as many as both sides have; the rest pairs by key and order.
        keys = ", ".join(f"k{i}" for i in self._keys)
        strict = ", ".join([f"k{i}" for i in self._keys] + [f"c{i}" for i in self._values])
        same = " AND ".join(
            f"a.{n} IS NOT DISTINCT FROM b.{n}" for n in [*strict.split(", "), "copy"]
        )
        copies = f"row_number() OVER (PARTITION BY {strict}) AS copy"
        order = f"row_number() OVER (PARTITION BY {keys} ORDER BY {strict}) AS turn"

        def rest(here: str, there: str) -> str:
            return (
                f"(SELECT *, true AS here, {order} FROM (SELECT *, {copies} FROM {here}) a"
                f" WHERE NOT EXISTS (SELECT 1 FROM (SELECT *, {copies} FROM {there}) b WHERE {same}))"
            )

        on = " AND ".join([*(f"l.k{i} = r.k{i}" for i in self._keys), "l.turn = r.turn"])
        if null_keys:
            on = "false"
        return self._paired(
            f"{rest(left, right)} l FULL JOIN {rest(right, left)} r ON {on}", "true"
        )

    # Counting ------------------------------------------------------------------------------

    def _count(self, left: str, right: str, *, unique: bool, null_keys: bool) -> None:
        any_differs = " OR ".join(f"d{i}" for i in self._values) or "false"
        any_leans = " OR ".join(f"e{i}" for i in self._values) or "false"
        both = "in_left AND in_right"
        parts = [
            "count(*) FILTER (in_right IS NULL)",
            "count(*) FILTER (in_left IS NULL)",
            f"count(*) FILTER ({both} AND ({any_differs}))",
            f"count(*) FILTER ({both} AND NOT ({any_differs}) AND ({any_leans}))",
        ]
        parts += [f"count(*) FILTER ({both} AND d{i})" for i in self._values]
        parts += [f"count(*) FILTER ({both} AND e{i})" for i in self._values]
        run = self.workspace.connection.execute
        row = [int(v) for v in run(f"SELECT {', '.join(parts)} FROM paired").fetchone() or ()]
        width = len(self._values)
        total = self.workspace.scalar(f"SELECT count(*) FROM {left}")
        tally = self.tally
        tally.only_left += row[0]
        tally.only_right += row[1]
        tally.changed += row[2]
        tally.equal_under_rule += row[3]
        tally.matched += total - row[0] - row[2]
        for i in self._values:
            tally.differences[i] += row[4 + i]
            tally.depends[i] += row[4 + width + i]
        self._count_equal_nulls(left)
        if null_keys:
            tally.null_pairs += total - row[0]
        elif unique:
            tally.exclusives[0] += row[0]
            tally.exclusives[1] += row[1]
        else:
            for side, (here, there) in enumerate(((left, right), (right, left))):
                keys, dupes = self._exclusive(here, there)
                tally.exclusives[side] += keys
                tally.exclusive_dupes += dupes
            self._count_doubled(left, right, any_differs)

    def _count_equal_nulls(self, left: str) -> None:
        # A pair of nulls leans on no rule; only columns that lean on one are asked.
        assumed = [i for i in self._values if self.workspace.values[i].assumed]
        if not assumed:
            return
        run = self.workspace.connection.execute
        nulls = ", ".join(f"count(*) - count(c{i})" for i in assumed)
        lone = ", ".join(
            f"count(*) FILTER (in_left AND l_c{i} IS NULL AND (in_right IS NULL OR d{i} OR e{i}))"
            for i in assumed
        )
        here = run(f"SELECT {nulls} FROM {left}").fetchone() or ()
        gone = run(f"SELECT {lone} FROM paired").fetchone() or ()
        for i, all_nulls, differing in zip(assumed, here, gone, strict=True):
            self.tally.equal_nulls[i] += int(all_nulls) - int(differing)

    def _count_doubled(self, left: str, right: str, any_differs: str) -> None:
        """Count the differing pairs of duplicated keys: all rows of a key are here together."""
        names = [f"k{i}" for i in self._keys]
        renamed = ", ".join(f"{name} AS l_{name}" for name in names)
        doubled = " UNION ".join(
            f"SELECT {renamed} FROM {side} GROUP BY {', '.join(names)} HAVING count(*) > 1"
            for side in (left, right)
        )
        parts = [f"count(*) FILTER ({d})" for d in (any_differs, *(f"d{i}" for i in self._values))]
        row = self.workspace.connection.execute(
            f"SELECT {', '.join(parts)} FROM paired"
            f" SEMI JOIN ({doubled}) USING ({', '.join(f'l_{name}' for name in names)})"
            " WHERE in_left AND in_right"
        ).fetchone() or (0,)
        self.tally.doubled_changed += int(row[0])
        for i, differing in enumerate(row[1:]):
            self.tally.doubled_differences[i] += int(differing)

    def _exclusive(self, here: str, there: str) -> tuple[int, int]:
        """Count the keys that are here alone, and those of them that several rows have."""
        keys = ", ".join(f"k{i}" for i in self._keys)
        row = self.workspace.connection.execute(
            "SELECT count(*), count(*) FILTER (n > 1)"
            f" FROM (SELECT {keys}, count(*) AS n FROM {here} GROUP BY ALL) a"
            f" ANTI JOIN {there} b USING ({keys})"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    # Keeping -------------------------------------------------------------------------------

    def _keep(self, *, null_keys: bool, unique: bool, sides: tuple[str, str]) -> None:
        keys, values = self.workspace.keys, self.workspace.values
        key_of = ["m" if needs_native(p) else "k" for p in keys]
        value_of = ["n" if needs_native(p) else "c" for p in values]
        # The left's own key names a row; the right's stands in where the left has none.
        listed = [
            f"CASE WHEN in_left THEN CAST(l_{key_of[i]}{i} AS {self.workspace.key_types[i]})"
            f" ELSE CAST(r_{key_of[i]}{i} AS {self.workspace.key_types[i]}) END"
            for i in self._keys
        ]
        listed += [f"l_{value_of[i]}{i}" for i in self._values]
        listed += [f"r_{value_of[i]}{i}" for i in self._values]
        any_differs = " OR ".join(f"d{i}" for i in self._values) or "false"
        flags = ", ".join(
            f"CASE WHEN in_left AND in_right AND d{i} THEN {i}::USMALLINT END" for i in self._values
        )
        changed = f"list_filter([{flags}], x -> x IS NOT NULL)" if flags else "[]"
        kind = (
            "CASE WHEN in_right IS NULL THEN 'only_left' WHEN in_left IS NULL THEN 'only_right'"
            " ELSE 'changed' END"
        )
        lone = "(in_left IS NULL OR in_right IS NULL)"
        exclusive = "false" if null_keys else lone if unique else self._lone_key(sides)
        self.workspace.connection.execute(
            f"INSERT INTO diffs SELECT {kind}, {exclusive}, {changed}, {', '.join(listed)}"
            f" FROM paired WHERE {lone} OR {any_differs}"
        )

    def _lone_key(self, sides: tuple[str, str]) -> str:
        def absent(there: str, prefix: str) -> str:
            same = " AND ".join(f"t.k{i} = {prefix}_k{i}" for i in self._keys)
            return f"NOT EXISTS (SELECT 1 FROM {there} t WHERE {same})"

        return (
            f"CASE WHEN in_right IS NULL THEN {absent(sides[1], 'l')}"
            f" WHEN in_left IS NULL THEN {absent(sides[0], 'r')} ELSE false END"
        )
