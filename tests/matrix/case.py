"""A case: two values as each engine writes them, and the verdict that every pair must give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from weighbridge.compare.request import Tolerance

# (declared type, literal) per engine; the literal None is NULL. An engine that is not named
# cannot hold the value. Parquet holds what DuckDB holds unless it says otherwise.
Cell = tuple[str, str | None]
Values = Mapping[str, Cell | None]

SAME, RULE, DIFFERENT, LISTED = "=", "≈", "≠", "E"


@dataclass(frozen=True)
class Case:
    """`want` is the verdict; `unless` gives another one where an engine takes part.

    `rule` is a word that the rule of the result must hold. `nulls_meet`: the rule reads some
    value as NULL, so the rows that set a value against NULL prove nothing.
    """

    id: str
    about: str
    a: Values
    b: Values
    want: str
    rules: tuple[str, ...] = ()
    tolerance: Tolerance | None = None
    rule: str = ""
    unless: Mapping[str, str] = field(default_factory=dict[str, str])
    nulls_meet: bool = False

    @property
    def column(self) -> str:
        """Name the case's column, the same on every engine."""
        return "c_" + re.sub(r"[^a-z0-9]+", "_", self.id.lower()).strip("_")

    def wanted(self, engines: tuple[str, str]) -> str:
        """Give the verdict for a pair of engines."""
        return next((self.unless[e] for e in engines if e in self.unless), self.want)


def holds(values: Values, engine: str) -> Cell | None:
    """Give the value as an engine writes it, None if it cannot hold it."""
    if engine == "parquet" and "parquet" not in values:
        return values.get("duckdb")
    return values.get(engine)


def literal(text: str) -> str:
    """Write text as standard SQL."""
    return "'" + text.replace("'", "''") + "'"


def integer(number: int) -> Values:
    """Write a 64-bit integer."""
    n = str(number)
    return {
        "postgresql": ("bigint", n),
        "mariadb": ("bigint", n),
        "duckdb": ("BIGINT", n),
        "sqlite": ("INTEGER", n),
        "csv": ("text", n),
    }


def decimal(precision: int, scale: int, text: str | None) -> Values:
    """Write a decimal; SQLite has none, it would hold a double."""
    kind = f"({precision},{scale})"
    return {
        "postgresql": (f"numeric{kind}", text),
        "mariadb": (f"decimal{kind}", text),
        "duckdb": (f"DECIMAL{kind}", text),
        "csv": ("text", text),
    }


def double(text: str) -> Values:
    """Write a double: finite for all, NaN and the infinities where they can be held."""
    finite = {
        "postgresql": ("float8", f"'{text}'"),
        "duckdb": ("DOUBLE", f"'{text}'"),
        "csv": ("text", text),
    }
    if text == "NaN":
        return finite
    if text.endswith("Infinity"):
        return {**finite, "sqlite": ("REAL", text.replace("Infinity", "9e999"))}
    number = text if "e" in text else f"{text}e0"
    return {**finite, "mariadb": ("double", number), "sqlite": ("REAL", number)}


def boolean(value: bool) -> Values:
    """Write a boolean; MariaDB's is tinyint(1), SQLite has none."""
    word = str(value).lower()
    return {
        "postgresql": ("boolean", word),
        "mariadb": ("tinyint(1)", str(int(value))),
        "duckdb": ("BOOLEAN", word),
        "csv": ("text", word),
    }


def text(value: str | None) -> Values:
    """Write text of any length; MariaDB's in hex, whose backslashes are not escapes."""
    plain = None if value is None else literal(value)
    coded = "NULL" if value is None else f"_utf8mb4 x'{value.encode().hex()}'"
    return {
        "postgresql": ("text", plain),
        "mariadb": ("varchar(60)", None if value is None else coded),
        "duckdb": ("VARCHAR", plain),
        "sqlite": ("TEXT", plain),
        "csv": ("text", value),
    }


def moment(value: str, scale: int = 6) -> Values:
    """Write a moment without a time zone; SQLite's would be text."""
    duck = {0: "TIMESTAMP_S", 3: "TIMESTAMP_MS", 6: "TIMESTAMP"}[scale]
    found: dict[str, Cell | None] = {
        "postgresql": (f"timestamp({scale})", literal(value)),
        "mariadb": (f"datetime({scale})", literal(value)),
        "duckdb": (duck, literal(value)),
        "csv": ("text", value),
    }
    if scale != 6:
        found["parquet"] = None  # Parquet's timestamps have six digits or nine
    return found


def instant(utc: str) -> Values:
    """Write a moment with a time zone, given in UTC."""
    return {
        "postgresql": ("timestamptz", literal(f"{utc}+00")),
        "mariadb": ("timestamp(6) null", literal(utc)),
        "duckdb": ("TIMESTAMPTZ", literal(f"{utc}+00")),
        "csv": ("text", f"{utc}+00"),
    }


def date(value: str) -> Values:
    """Write a date."""
    return {
        "postgresql": ("date", literal(value)),
        "mariadb": ("date", literal(value)),
        "duckdb": ("DATE", literal(value)),
        "csv": ("text", value),
    }


def binary(value: bytes) -> Values:
    """Write bytes; a CSV has none, only text that stands for them."""
    code = value.hex()
    duck = "".join(f"\\x{b:02X}" for b in value)
    return {
        "postgresql": ("bytea", f"'\\x{code}'"),
        "mariadb": ("varbinary(40)", f"x'{code}'"),
        "duckdb": ("BLOB", f"'{duck}'"),
        "sqlite": ("BLOB", f"x'{code}'"),
    }


def json(value: str) -> Values:
    """Write JSON in a column that is declared as JSON; SQLite's and a CSV's is text."""
    return {
        "postgresql": ("json", literal(value)),
        "mariadb": ("json", literal(value)),
        "duckdb": ("JSON", literal(value)),
        "parquet": None,
        "sqlite": ("TEXT", literal(value)),
        "csv": ("text", value),
    }


def only(values: Values, *engines: str) -> Values:
    """Keep some engines' values."""
    return {e: values[e] for e in engines if e in values}


def without(values: Values, *engines: str) -> Values:
    """Leave some engines out."""
    return {
        **{e: v for e, v in values.items() if e not in engines},
        **({"parquet": None} if "parquet" in engines else {}),
    }
