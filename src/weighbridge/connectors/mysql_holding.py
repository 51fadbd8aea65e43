"""How MariaDB and MySQL hold what is delivered: types of columns, and values as text of INSERTs.

Text is compared byte by byte, spaces at its end too, so that no two keys are one. JSON is held as the
text that it is: a server's own JSON would be written anew. Instants are datetime(6) in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.errors import NotComparable, Unreadable

if TYPE_CHECKING:
    import duckdb

    from weighbridge.connectors.loading import Field, Load
    from weighbridge.types.columns import ColumnType

# Bytes of a key in InnoDB, of a character in utf8mb4, and the most characters that we ask for.
_KEY_BYTES, _CHARACTER, _MOST = 3072, 4, 255
_INTS = {16: "smallint", 32: "int", 64: "bigint"}
_PLAIN = {
    "bool": "tinyint(1)", "float": "double", "date": "date", "timestamp": "datetime(6)",
    "timestamptz": "datetime(6)", "bytes": "longblob",
}  # fmt: skip
# Where servers differ, the lower of their limits: https://mariadb.com/kb/en/decimal/
_MOST_DIGITS, _MOST_SCALE = 65, 30
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Held:
    """A delivered column: its type there, what of it cannot be held, and how the rest is written.

    `declared` has no collation. `bad`: DuckDB SQL over `{x}`, true for what cannot be held, `why` in
    words. `text`: DuckDB SQL over `{x}` of the SQL that the server reads.
    """

    name: str
    declared: str
    text: str
    bad: str | None = None
    why: str = ""
    is_key: bool = False
    is_text: bool = False


def holding(load: Load, *, pads: bool) -> tuple[Held, ...]:
    """Say how a load's columns are held. `pads`: the server's collations ignore spaces at the end."""
    longest = _longest_key(load)
    return tuple(_held(field, load, longest, pads) for field in load.fields)


def _longest_key(load: Load) -> int:
    """Give how many characters a text of the key may have, so that InnoDB takes the key."""
    keys = [f.type for f in load.fields if f.name in load.key]
    texts = sum(_is_text(kind) or kind.family == "bytes" for kind in keys)
    room = _KEY_BYTES - 64 * (len(keys) - texts)
    longest = min(_MOST, room // _CHARACTER // texts) if texts else 0
    if texts and longest < 36:
        raise NotComparable(
            f"The key of {load.table} has {len(keys)} columns: too many for one of this server.",
            next_step="Choose fewer columns as is_primary_key.",
        )
    return longest


def _is_text(kind: ColumnType) -> bool:
    return kind.family in {"text", "json", "other"} or (
        kind.family == "decimal" and not _is_number(kind)
    )


def _is_number(kind: ColumnType) -> bool:
    p, s = kind.precision, kind.scale or 0
    return p is not None and 0 <= s <= p <= _MOST_DIGITS and s <= _MOST_SCALE


def _held(field: Field, load: Load, longest: int, pads: bool) -> Held:
    kind, is_key = field.type, field.name in load.key
    is_text = _is_text(kind)
    declared, text, bad, why = _of_family(kind)
    if is_key and is_text:
        declared, bad, why = f"varchar({longest})", f"length({{x}}) > {longest}", _too_long(longest)
        if pads:
            bad = f"{bad} OR {{x}} LIKE '% '"
            why = f"{why}, or one that ends with a space"
    elif is_key and kind.family == "bytes":
        declared = f"varbinary({longest})"
        bad, why = f"octet_length({{x}}) > {longest}", _too_long(longest)
    if is_key:
        bad = f"{{x}} IS NULL OR {bad}" if bad else "{x} IS NULL"
        why = f"null{f', or {why}' if why else ''}, in the key"
    return Held(field.name, declared, text, bad, why, is_key, is_text)


def _too_long(longest: int) -> str:
    return f"one longer than {longest} characters"


def _of_family(kind: ColumnType) -> tuple[str, str, str | None, str]:
    """Give (declared, text, bad, why) of a column outside of the key."""
    match kind.family:
        case "bool":
            return "tinyint(1)", "CAST(CAST({x} AS TINYINT) AS VARCHAR)", None, ""
        case "int":
            return _INTS[kind.bits or 64], "CAST({x} AS VARCHAR)", None, ""
        case "float":
            # Without an exponent it would be a decimal, which is rounded twice.
            number = "CAST({x} AS VARCHAR)"
            text = f"{number} || CASE WHEN contains({number}, 'e') THEN '' ELSE 'e0' END"
            return "double", text, "NOT isfinite({x})", "NaN or infinity"
        case "date":
            bad = "{x} NOT BETWEEN DATE '1000-01-01' AND DATE '9999-12-31'"
            return "date", "'''' || CAST({x} AS VARCHAR) || ''''", bad, _YEARS
        case "timestamp" | "timestamptz":
            bad = (
                "{x} NOT BETWEEN TIMESTAMP '1000-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
            )
            text = "'''' || strftime({x}, '%Y-%m-%d %H:%M:%S.%f') || ''''"
            return "datetime(6)", text, bad, _YEARS
        case "bytes":
            return "longblob", "'X''' || hex({x}) || ''''", None, ""
        case "uuid":
            bad = f"NOT regexp_full_match(lower({{x}}), '{_UUID}')"
            return "char(36)", "'''' || lower({x}) || ''''", bad, "what is no uuid"
        case "decimal" if _is_number(kind):
            p, s = kind.precision or 0, kind.scale or 0
            bad = None
            if p > 38:  # it travels as text, and the server would round it without a word
                bad = (
                    f"NOT regexp_full_match({{x}}, '-?0*[0-9]{{0,{p - s}}}([.][0-9]{{0,{s}}}0*)?')"
                )
            return (
                f"decimal({p},{s})",
                "CAST({x} AS VARCHAR)",
                bad,
                f"no number of ({p},{s}) digits",
            )
        case _:
            return "longtext", "'_utf8mb4 X''' || hex(encode({x})) || ''''", None, ""


_YEARS = "a moment outside of the years 1000 to 9999"


def create(held: Held, collation: str) -> str:
    """Write the type as a table is made with it."""
    words = held.declared
    if held.is_text:
        words += f" CHARACTER SET utf8mb4 COLLATE {collation}"
    if held.declared == "char(36)":
        words += " CHARACTER SET ascii COLLATE ascii_bin"
    return words + (" NOT NULL" if held.is_key else " NULL")


def same(found: str, wanted: str) -> bool:
    """Tell whether a declared type is the one that is expected, as servers of all ages write it."""
    return _plain(found) == _plain(wanted)


def _plain(declared: str) -> str:
    # MariaDB gives whole numbers a width of display, and a key may have been cut differently.
    words = re.sub(r"^((?:small|big)?int)\(\d+\)", r"\1", declared.lower())
    return re.sub(r"^(varchar|varbinary)\(\d+\)", r"\1", words)


def check(
    local: duckdb.DuckDBPyConnection, columns: Sequence[Held], table: str, label: str
) -> None:
    """Look whether a batch, registered as `arriving`, can be held. Raises Unreadable."""
    checked = [c for c in columns if c.bad is not None]
    if not checked:
        return
    counts = ", ".join(
        f"count(*) FILTER (WHERE {(c.bad or '').replace('{x}', f'c{columns.index(c)}')})"
        for c in checked
    )
    row = local.execute(f"SELECT {counts} FROM arriving").fetchone() or ()
    for column, count in zip(checked, row, strict=True):
        if count:
            raise Unreadable(
                f"{label} cannot hold a value of the column {column.name} of {table}:"
                f" {column.why}.",
                next_step="Correct the value in the source, or change the column's data_type:"
                " text takes every value outside of the key.",
            )


def rendered(columns: Sequence[Held]) -> str:
    """Write the DuckDB SQL of one row of an INSERT, over the columns c0, c1 and so on."""
    cells = [f"coalesce({c.text.replace('{x}', f'c{n}')}, 'NULL')" for n, c in enumerate(columns)]
    return "'(' || " + " || ',' || ".join(cells) + " || ')'"
