"""What a comparison of two lists of rows must say, in plain Python: slow, and obviously right.

A row is a tuple. `keys` are the places of the key's columns in it; none means that whole rows
are compared. Rows pair by key. A key that is null in any part is null: its rows are equal to
a row of the other side or they are alone. Rows of one key pair as multisets: equal rows first;
what is left over are pairs that changed, and the surplus is alone.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from weighbridge.compare.result import Keys, Rows

Row = tuple[Any, ...]
KeyValue = tuple[Any, ...]


@dataclass
class Truth:
    """What must be found.

    `differences` counts per value column; None where rows of a duplicated key changed, for
    there it depends on which of them are set beside each other. `diffs` are the rows that differ
    as (kind, key, left values, right values, places of changed values), with None for the
    same reason as above in place of the last three. `unique_differences` counts where the key is
    unique on both sides.
    """

    rows: Rows = field(default_factory=Rows)
    keys: Keys = field(default_factory=Keys)
    differences: list[int] | None = None
    unique_differences: list[int] = field(default_factory=list[int])
    diffs: Counter[Row] = field(default_factory=Counter[Row])

    @property
    def same(self) -> bool:
        """Tell whether nothing differs."""
        return not (self.rows.changed or self.rows.only_left or self.rows.only_right)


def plain(value: Any) -> Any:
    """Give a value that Python finds equal where the tables' values are."""
    if isinstance(value, float | Decimal) and math.isnan(value):
        return "not a number"
    return str(value) if isinstance(value, bool | uuid.UUID) else value


def weigh(left: Sequence[Row], right: Sequence[Row], keys: Sequence[int]) -> Truth:
    """Compare two lists of rows."""
    tables = [[tuple(map(plain, row)) for row in side] for side in (left, right)]
    if not keys:
        return _weigh_lone(Truth(Rows(len(left), len(right))), tables, ())
    nulls = [[r for r in side if any(r[k] is None for k in keys)] for side in tables]
    held = [[r for r in side if all(r[k] is not None for k in keys)] for side in tables]
    counts = [Counter(tuple(r[k] for k in keys) for r in side) for side in held]
    truth = _weigh_keyed(held, counts, keys)
    truth.rows = _plus(truth.rows, Rows(len(nulls[0]), len(nulls[1])))
    truth.keys = Keys(
        nulls=(len(nulls[0]), len(nulls[1])),
        dupes=_both(sum(n for n in c.values() if n > 1) for c in counts),
        distincts=_both(len(c) for c in counts),
        exclusives=(
            len(counts[0].keys() - counts[1].keys()),
            len(counts[1].keys() - counts[0].keys()),
        ),
    )
    compared = truth.rows.compared
    truth = _weigh_lone(truth, nulls, keys)
    truth.rows = _plus(truth.rows, Rows(compared=compared - truth.rows.compared))
    return truth


def _both(values: Any) -> tuple[int, int]:
    left, right = values
    return left, right


def _plus(a: Rows, b: Rows) -> Rows:
    return Rows(*(x + y for x, y in zip(vars(a).values(), vars(b).values(), strict=True)))


def _weigh_lone(truth: Truth, tables: list[list[Row]], keys: Sequence[int]) -> Truth:
    """Compare rows that have no key: each is equal to one of the other side, or alone."""
    left, right = (Counter(side) for side in tables)
    matched = (left & right).total()
    only_left, only_right = left - right, right - left
    for row, count in only_left.items():
        truth.diffs["only_left", _key(row, keys), _rest(row, keys), None, ()] += count
    for row, count in only_right.items():
        truth.diffs["only_right", _key(row, keys), None, _rest(row, keys), ()] += count
    truth.rows = _plus(
        truth.rows,
        Rows(
            matched=matched,
            only_left=only_left.total(),
            only_right=only_right.total(),
            compared=matched,
        ),
    )
    return truth


def _key(row: Row, keys: Sequence[int]) -> Row:
    return tuple(row[k] for k in keys)


def _rest(row: Row, keys: Sequence[int]) -> Row:
    return tuple(v for i, v in enumerate(row) if i not in keys)


def _weigh_keyed(held: list[list[Row]], counts: list[Counter[Row]], keys: Sequence[int]) -> Truth:
    found = Truth(Rows(len(held[0]), len(held[1])))
    by_key: list[dict[Row, list[Row]]] = [{}, {}]
    for side in (0, 1):
        for row in held[side]:
            by_key[side].setdefault(_key(row, keys), []).append(_rest(row, keys))
    width = next((len(row) - len(keys) for side in held for row in side), 0)
    found.differences, found.unique_differences = [0] * width, [0] * width
    for key in {**by_key[0], **by_key[1]}:
        unique = counts[0][key] == counts[1][key] == 1
        _weigh_key(found, key, (by_key[0].get(key, []), by_key[1].get(key, [])), unique=unique)
    return found


def _weigh_key(
    found: Truth, key: KeyValue, sides: tuple[list[Row], list[Row]], *, unique: bool
) -> None:
    left, right = (Counter(side) for side in sides)
    matched = (left & right).total()
    ours, theirs = list((left - right).elements()), list((right - left).elements())
    changed = min(len(ours), len(theirs))
    found.rows = _plus(
        found.rows,
        Rows(
            matched=matched,
            only_left=len(ours) - changed,
            only_right=len(theirs) - changed,
            changed=changed,
            compared=matched + changed if unique else 0,
            unique_changed=changed if unique else 0,
        ),
    )
    if changed and not unique:
        found.differences = None
        found.diffs["changed", key, None, None, None] += changed
    elif changed:
        places = tuple(i for i, (a, b) in enumerate(zip(ours[0], theirs[0], strict=True)) if a != b)
        found.diffs["changed", key, ours[0], theirs[0], places] += 1
        for i in places:
            found.unique_differences[i] += 1
            if found.differences is not None:
                found.differences[i] += 1
    # Which rows are the surplus depends on the order when some of them changed.
    for kind, rest in (("only_left", ours), ("only_right", theirs)):
        surplus = len(rest) - changed
        if changed and surplus:
            found.diffs[kind, key, None, None, None] += surplus
        elif surplus:
            for row in rest:
                sides_of = (row, None) if kind == "only_left" else (None, row)
                found.diffs[(kind, key, *sides_of, ())] += 1
