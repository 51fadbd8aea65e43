"""A row's 64-bit hash in PostgreSQL's own functions, typed, without making text of values.

Each value is hashed with the state so far as the seed, so that no two rows can trade values
unseen, as they can under a sum of per-column hashes. The server's own hashes forget some
things, which are given back through the seed or the value: hashint8 and timestamp_hash fold
64 bits into 32, hash_numeric drops the sign, and zero, NaN and infinities come out as the bare
seed. A value that is not hashed is marked instead: its mark, a random number of this run
and this column, is XORed into the state.

Sources: src/backend/access/hash/hashfunc.c and src/backend/utils/adt/*.c of PostgreSQL.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

# date_bin cuts an instant at 2^32 microseconds for a third of what date_part costs.
HAS_DATE_BIN = 14
# Known values, one of each form that can be hashed.
_PROBES = {
    "bool": "true",
    "int": "(-5)::int8",
    "numeric": "(-1.50)::numeric",
    "float": "0.1::float8",
    "date": "'2024-02-29'::date",
    "timestamp": "'2024-02-29 12:00:00.000001'::timestamp",
    "uuid": "'6ccd780c-baba-1026-9564-5b8c656024db'::uuid",
    "bytes": "'\\xdead'::bytea",
    "text": "'Grüße'::text",
}
# What only marks the state comes first, so that a hash follows it.
_MARKING = ("bool", "numeric", "unbounded")


def row_hash(values: Sequence[tuple[str, str]], salt: int, *, major: int) -> str:
    """Write the hash of a row's (form, expression) values; `major` is the oldest server's version.

    The order of values is the same on both sides, and so are the marks drawn for them.
    """
    state = str(salt)
    ranked = sorted(enumerate(values), key=lambda one: _rank(one[1][0]))
    for position, (form, x) in ranked:
        state = _chain(form, x, state, _Marks(salt, position, major))
    last = ranked[-1][1][0] if ranked else "bool"
    # Marks alone could cancel each other out over several rows.
    return f"hashint8extended(0, {state})" if last in _MARKING else state


def probe_sql(major: int) -> str:
    """Write the SELECT of what two servers must agree on before their hashes are compared."""
    hashed = row_hash(list(_PROBES.items()), 12345, major=major)
    return f"SELECT {hashed}, current_setting('server_encoding')"


def _rank(form: str) -> int:
    return _MARKING.index(form) if form in _MARKING else len(_MARKING)


class _Marks:
    """Random numbers of one run and one column; `odd` is no value that anyone can aim at."""

    def __init__(self, salt: int, position: int, major: int) -> None:
        self.major = major
        self._draw = random.Random(f"{salt}/{position}")  # noqa: S311 both sides draw the same
        self.odd = salt | 1

    def next(self) -> int:
        return self._draw.getrandbits(61) | 2**61


def _chain(form: str, x: str, state: str, marks: _Marks) -> str:
    """Write the state after value `x`, given the state before it."""
    odd = marks.odd
    match form:
        case "bool":
            true, false, null = marks.next(), marks.next(), marks.next()
            return f"({state} # CASE {x} WHEN true THEN {true} WHEN false THEN {false} ELSE {null} END)"
        case "int":
            value = f"coalesce({x}::int8, {odd})"
            return f"hashint8extended({value}, {state} # {value})"
        case "numeric" | "unbounded":
            return f"hash_numeric_extended(coalesce({x}::numeric, 1), {state} # {_sign(form, x, marks)})"
        case "float":
            # Zero is hashed to the bare seed.
            value = (
                f"CASE WHEN {x} = 0 THEN {odd}.25e-40 ELSE coalesce({x}::float8, {odd}.5e-40) END"
            )
            return f"hashfloat8extended({value}, {state})"
        case "date" | "time":
            seconds = f"coalesce(date_part('epoch', {x}) + 0.5, {odd}.25)"
            return f"hashfloat8extended({seconds}, {state})"
        case "timestamp" | "timestamptz":
            return _instant(form, x, state, marks)
        case "uuid":
            null = f"'00000000-0000-4000-8000-{odd % 2**48:012x}'"
            return f"uuid_hash_extended(coalesce({x}, {null}::uuid), {state})"
        case "bytes":
            return f"hash_array_extended(ARRAY[coalesce({x}, '\\x{odd:032x}'::bytea)], {state})"
        case _:
            text = f"coalesce({x}::text, 'null:{odd:032x}')"
            return f'hashtextextended({text} COLLATE "C", {state})'


def _sign(form: str, x: str, marks: _Marks) -> str:
    """Tell apart what hash_numeric does not; NaN is greater than every number."""
    more, less, zero, null, endless = (marks.next() for _ in range(5))
    first = f"WHEN {x} = 'Infinity' THEN {endless} " if form == "unbounded" else ""
    return (
        f"CASE {first}WHEN {x} > 0 THEN {more} WHEN {x} < 0 THEN {less}"
        f" WHEN {x} = 0 THEN {zero} ELSE {null} END"
    )


def _instant(form: str, x: str, state: str, marks: _Marks) -> str:
    """Hash an instant with its upper half, which timestamp_hash folds into the lower."""
    # timestamptz has a function of its own since version 18 only; the session is in UTC.
    x = f"{x}::timestamp" if form == "timestamptz" else x
    if marks.major >= HAS_DATE_BIN:
        upper = f"coalesce(date_bin('4294.967296 s', {x}, {_origin(x)}), '1900-01-01')"
        state = f"timestamp_hash_extended({upper}, {state})"
    else:
        # The double tells instants apart to the microsecond until 2242, the folded hash after.
        state = f"hashfloat8extended(coalesce(date_part('epoch', {x}), {marks.odd}.5), {state})"
    return f"timestamp_hash_extended(coalesce({x}, '2000-01-01'), {state})"


def _origin(x: str) -> str:
    """Choose where bins begin: early versions put an exact multiple before it a bin too low.

    Both are multiples of 2^32 microseconds away from 2000. The hour of 4714 BC before the second
    one has no bin and needs none: within one bin the folded half tells all apart.
    """
    early = "'4714-11-24 00:53:22.37568 BC'::timestamp"
    return (
        f"CASE WHEN {x} >= '2000-01-01' THEN '2000-01-01'::timestamp"
        f" WHEN {x} >= {early} OR {x} = '-infinity' THEN {early} END"
    )
