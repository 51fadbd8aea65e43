"""The parts of docs/reference that are made from the code, so that they cannot lie.

`python scripts/docs.py` brings them up to date, `--check` only says whether they are.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import weighbridge.errors as tree
from weighbridge.api import reference as server
from weighbridge.cli import reference
from weighbridge.cli.faults import TURN, Internal
from weighbridge.compare.explain import SliceName
from weighbridge.compare.explain_columns import TRANSFORMS
from weighbridge.compare.explain_transforms import TransformName
from weighbridge.compare.pairings import Pairing, find_pairing
from weighbridge.compare.result import Report
from weighbridge.compare.rules import PAIRINGS, RULES, find_rule
from weighbridge.connectors.base import Traits
from weighbridge.connectors.destinations import shapes
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.destinations.registry import VENDORS as DESTINATIONS
from weighbridge.connectors.destinations.registry import Vendor
from weighbridge.connectors.registry import VENDORS
from weighbridge.types.columns import ColumnType, Family

PAGES = Path(__file__).resolve().parent.parent / "docs/reference"
_BLOCK = re.compile(r"(<!-- made by scripts/docs\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(text: str) -> str:
    """Give a page with its made parts made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{MAKERS[found[2]]()}\n{found[3]}", text)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return (
        "\n".join("| " + " | ".join(_cell(part) for part in line) + " |" for line in lines) + "\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# Rules -----------------------------------------------------------------------------------

ASKED = {
    "epoch-s": "a number of seconds since 1970 beside a date or timestamp",
    "epoch-ms": "the same in milliseconds",
    "epoch-us": "the same in microseconds",
    "uuid-swapped": "a uuid beside 16 bytes as MySQL's `UUID_TO_BIN(x, 1)` writes them",
    "number": "text on one or both sides, read as double-precision numbers",
    "text": "both sides as the text that they are shown as",
}


def rules() -> str:
    listed = [*RULES.values(), find_rule("round:2"), find_rule("truncate:2")]
    return table(
        ("rule", "fits", "two values are equal when this is the same for both", "loses"),
        (
            (
                f"`{rule.name}`",
                rule.domain,
                f"`{rule.expression.replace('{x}', 'x')}`",
                rule.loses,
            )
            for rule in listed
        ),
    )


def pairing_rules() -> str:
    return table(
        ("rule", "brings together"), ((f"`{name}`", ASKED[name]) for name in sorted(PAIRINGS))
    )


# Pairs of types --------------------------------------------------------------------------

# One type of each family, and the DuckDB type that its values arrive in.
_TYPES: dict[Family, tuple[ColumnType, str]] = {
    "bool": (ColumnType("bool", "boolean"), "BOOLEAN"),
    "int": (ColumnType("int", "bigint", bits=64), "BIGINT"),
    "decimal": (ColumnType("decimal", "numeric(10,2)", precision=10, scale=2), "DECIMAL(10,2)"),
    "float": (ColumnType("float", "double", bits=64), "DOUBLE"),
    "text": (ColumnType("text", "text"), "VARCHAR"),
    "bytes": (ColumnType("bytes", "bytea"), "BLOB"),
    "date": (ColumnType("date", "date"), "DATE"),
    "time": (ColumnType("time", "time", scale=6), "VARCHAR"),
    "timetz": (ColumnType("timetz", "timetz", scale=6), "VARCHAR"),
    "timestamp": (ColumnType("timestamp", "timestamp", scale=6), "TIMESTAMP"),
    "timestamptz": (ColumnType("timestamptz", "timestamptz", scale=6), "TIMESTAMP"),
    "interval": (ColumnType("interval", "interval"), "VARCHAR"),
    "uuid": (ColumnType("uuid", "uuid"), "UUID"),
    "json": (ColumnType("json", "json"), "VARCHAR"),
    "array": (ColumnType("array", "array"), "VARCHAR"),
    "xml": (ColumnType("xml", "xml"), "VARCHAR"),
    "inet": (ColumnType("inet", "inet"), "VARCHAR"),
    "bit": (ColumnType("bit", "bit"), "VARCHAR"),
    "geometry": (ColumnType("geometry", "geometry"), "VARCHAR"),
    "other": (ColumnType("other", "other"), "VARCHAR"),
}
_SPECIAL: tuple[tuple[str, str, tuple[ColumnType, str], tuple[ColumnType, str]], ...] = (
    (
        "float of 32 bits", "float of 64 bits",
        (ColumnType("float", "real", bits=32), "DOUBLE"), _TYPES["float"],
    ),
    (
        "CHAR(n)", "text",
        (ColumnType("text", "char(5)", padded=True), "VARCHAR"), _TYPES["text"],
    ),
    (
        "timestamp(3)", "timestamp(6)",
        (ColumnType("timestamp", "timestamp(3)", scale=3), "TIMESTAMP"), _TYPES["timestamp"],
    ),
    (
        "tinyint(1)", "bool",
        (ColumnType("int", "tinyint(1)", bits=8), "BIGINT"), _TYPES["bool"],
    ),
    *(
        ("text of a CSV", family, (ColumnType("text", "CSV text", loose=True), "VARCHAR"), _TYPES[family])
        for family in ("int", "decimal", "float", "bool", "timestamp", "uuid", "bytes")
    ),
)  # fmt: skip


def _counted(pairing: Pairing) -> str:
    if pairing.assumed:
        return "every equal pair but NULLs"
    return "pairs that are equal only thanks to it" if pairing.loose else "nothing to count"


def _pair(left: tuple[ColumnType, str], right: tuple[ColumnType, str]) -> Pairing | str:
    return find_pairing((left[0], right[0]), (left[1], right[1]), None)


def _family_pairs() -> Iterator[tuple[str, str, Pairing | str]]:
    names = [name for name in get_args(Family) if name != "unreadable"]
    for at, left in enumerate(names):
        for right in names[at:]:
            yield left, right, _pair(_TYPES[left], _TYPES[right])


def type_pairs() -> str:
    rows = [
        (left, right, found.rule, found.loses or "nothing", _counted(found))
        for left, right, found in _family_pairs()
        if isinstance(found, Pairing)
    ]
    return table(("one side", "the other", "rule", "loses", "counted under the rule"), rows)


def special_pairs() -> str:
    rows: list[tuple[str, ...]] = []
    for left, right, one, other in _SPECIAL:
        found = _pair(one, other)
        if isinstance(found, Pairing):
            rows.append((left, right, found.rule, found.loses or "nothing", _counted(found)))
    return table(("one side", "the other", "rule", "loses", "counted under the rule"), rows)


def unpaired() -> str:
    partners: dict[str, list[str]] = {}
    for left, right, found in _family_pairs():
        if not isinstance(found, Pairing):
            partners.setdefault(left, []).append(right)
    return table(
        ("one side", "has no common form with"),
        ((left, ", ".join(rights)) for left, rights in partners.items()),
    )


# Errors ----------------------------------------------------------------------------------

# What usually helps. The error itself names the very thing.
NEXT = {
    "error": "Read the sentence after `next:`.",
    "bad_request": "Correct the command as the message says.",
    "bad_argument": "Correct the option or the side; `weighbridge diff --help` shows the forms.",
    "no_such_table": "Take one of the near names in the message; name the schema.",
    "no_such_column": "Take one of the near names, or pair the columns with `--map left=right`.",
    "no_such_connection": "Ask the API for the list of data sources that the key may use.",
    "no_such_diff": "Ask the API for the list of diffs that the key may see.",
    "no_such_object": "Ask the API for the list of what the key or token may see.",
    "no_such_errand": "Ask for the test or the columns again; answers are kept for seven days.",
    "not_now": "Wait for the state that the message names, or end what stands in the way.",
    "too_many": "Wait until some of what the key asked for has ended, then ask again.",
    "no_key": "Give `--key`.",
    "not_comparable": "Pair columns with `--map`, or choose another key.",
    "bad_query": "Give one `SELECT` that only reads; a filter is one condition.",
    "login_too_powerful": "Store the connection with a user that can only read, or accept that it is not one.",
    "host_refused": "Give the host's name or address in full, without lists, paths or zones.",
    "missing_extra": "Install the extra in the message, such as `weighbridge[postgres]`.",
    "connection_failed": "Check host, port and network; `weighbridge connections test NAME` helps.",
    "auth_failed": "Check user, password, database and grants.",
    "host_key_changed": "Ask who runs the server; if its key was replaced on purpose, empty the stored one and test again.",
    "no_such_database": "Check the name of the database.",
    "connection_lost": "Check the server and the network, then run it again.",
    "run_failed": "Run it again with `--debug` and report what it prints.",
    "unreadable": "Check that the file is whole and that its ending tells its format.",
    "query_failed": "Check the grants; `--explain` shows the SQL, to try in the server's client.",
    "busy": "Nothing at first: it is tried again. If it stays so, look who holds the lock.",
    "spill_full": "Free space, point `WEIGHBRIDGE_TMPDIR` to a larger disk, or read fewer columns.",
    "overtaken": "Nothing is to be done: the later attempt counts.",
    "tenant_mixed": "Report it with the transfer's id.",
    "store_failed": "Look at the server's database, data folder and log; then ask again.",
    "stopped": "Run it again when you like.",
    "over_budget": "Raise `--max-rows`, `--max-bytes` or `--timeout`, or narrow with `--where`.",
    "cancelled": "Run it again when you like.",
    "internal": "Run it again with `--debug` and report what it prints.",
}


def error_classes() -> list[type[tree.WeighbridgeError]]:
    kinds = [getattr(tree, name) for name in tree.__all__]
    return [k for k in kinds if isinstance(k, type) and issubclass(k, tree.WeighbridgeError)]


def error_table() -> str:
    kinds = [k for k in error_classes() if k is not tree.WeighbridgeError]
    kinds.sort(key=lambda k: (k.exit_code, k.code))
    rows = [
        (
            f"`{k.code}`",
            f"`{k.__name__}`" if k is not Internal else "not in the library",
            str(k.exit_code),
            TURN[k.blame],
            "yes" if k.retry else "no",
            (k.__doc__ or "").split("\n")[0],
            NEXT[k.code],
        )
        for k in [*kinds, Internal]
    ]
    return table(
        ("code", "class", "exit code", "whose turn", "retry", "meaning", "what to do next"), rows
    )


def error_tree() -> str:
    drawn = (tree.__doc__ or "").partition("\n\n")[2].rstrip()
    return f"```text\n{drawn}\n```\n"


# Vendors ---------------------------------------------------------------------------------

# scheme: (extra, tried on, limits). An entry is written by hand; a missing one fails the test.
TRIED: dict[str, tuple[str, str, str]] = {
    "postgresql": (
        "`postgres`",
        "PostgreSQL 18 and 15, on Linux",
        "a cut `numeric` of more than 37 digits, and one without declared digits, are compared as text",
    ),
    "postgres": ("`postgres`", "another spelling of `postgresql`", "the same"),
    "mariadb": (
        "`mysql`",
        "MariaDB 10.11",
        "MyISAM and Aria have no snapshots: best effort; rows are read by a process of 100 MB",
    ),
    "mysql": (
        "`mysql`",
        "**untried**: MariaDB 10.11 was tried in its place",
        "as for `mariadb`; logging in to MySQL 8 (`caching_sha2_password`) is untried",
    ),
    "duckdb": (
        "none",
        "database files of DuckDB 1.5.5",
        "files of DuckDB 1.5 and older; a file that another process writes cannot be opened",
    ),
    "motherduck": (
        "`motherduck`",
        "**untried**: a database file of DuckDB 1.5.5 was tried in its place",
        "as a stored source or destination; `database` names one of MotherDuck, or a file below `WEIGHBRIDGE_DUCKDB_FOLDER`",
    ),
    "sqlite": (
        "`sqlite`",
        "SQLite through its Arrow driver",
        "types are measured from the rows, which costs one scan; declared dates are text",
    ),
    "csv": (
        "none",
        "CSV and TSV files, plain and gzip",
        "every column is text; an empty field without quotes is NULL; header and separator are guessed",
    ),
    "parquet": ("none", "Parquet files and globs", "files of one glob must have the same columns"),
    "json": (
        "none",
        "JSON arrays and NDJSON",
        "types are guessed from the values; one object is at most 16 MiB",
    ),
}  # fmt: skip


# Files have no index; their rows may lie in the order of the key.
KEY_ORDER = dict.fromkeys(VENDORS, "yes") | {
    "duckdb": "no", "motherduck": "no", "json": "no", "csv": "if written so", "parquet": "if written so"
}  # fmt: skip


def vendors() -> str:
    rows: list[tuple[str, ...]] = []
    for scheme, (module, name, networked, dialect) in VENDORS.items():
        kind = getattr(import_module(f"weighbridge.connectors.{module}"), name)
        traits = cast("Traits", kind.traits)
        extra, tried, limits = TRIED[scheme]
        rows.append(
            (
                f"`{scheme}`",
                extra,
                tried,
                "network" if networked else "file",
                dialect,
                "in this process" if traits.local else "in the server" if traits.fingerprints else "no",
                KEY_ORDER[scheme],
                limits,
            )
        )  # fmt: skip
    head = ("scheme", "extra", "tried on", "reached by", "SQL of filters and queries",
            "hashes its rows", "read in key order", "known limits")  # fmt: skip
    return table(head, rows)


def destination_vendors() -> str:
    def support(vendor: Vendor) -> tuple[str, str]:
        later = "not yet: transfers are not built"
        if vendor.side is None and vendor.attempt is None:
            return f"not yet: {vendor.not_yet}", f"not yet: {vendor.not_yet}"
        tested = f"yes; {vendor.limits}" if vendor.limits else "yes"
        return tested, "yes" if vendor.delivers else later

    return table(
        ("vendor", "what it is", "checked and stored", "connection test", "transfers", "source"),
        (
            (f"`{v.key}`", v.display, "yes", *support(v), "yes" if v.source else "no")
            for v in sorted(DESTINATIONS.values(), key=lambda v: v.key)
        ),
    )


def _listed(kind: type[Options], at: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in shapes.fields(kind):
        asked = shapes.inner(field)
        within = shapes.nested(asked)
        needed = "needed" if field.is_required() else ""
        if within is not None:
            yield from _listed(within, f"{at}{name}.")
            continue
        words = (
            " or ".join(f"`{v}`" for v in get_args(asked)) if get_origin(asked) is Literal else ""
        )
        kinds = {bool: "true or false", int: "whole number", str: "text"}
        said = "secret" if shapes.is_secret(asked) else words or kinds[asked]
        default = (
            ""
            if field.default in {None, ""} or field.is_required()
            else f"`{json.dumps(field.default)}`"
        )
        yield f"`{at}{name}`", said, needed or default, field.description or ""


def destination_options() -> str:
    parts: list[str] = []
    for vendor in sorted(DESTINATIONS.values(), key=lambda v: v.key):
        parts.append(f"### `{vendor.key}`\n\n{(vendor.options.__doc__ or '').strip()}\n")
        head = ("field", "takes", "without it", "")
        parts.append(table(head, _listed(vendor.options, "")))
    return "\n".join(parts)


# Explanations ----------------------------------------------------------------------------

# Those of several columns have no row in the table of transforms.
_SEVERAL = {
    "swapped_columns": "two columns traded their values",
    "shifted_columns": "values moved one column to the side",
    "copied_column": "right has the value of another column",
}
SLICES = {
    "values": "the rows share the value of one column, or of two",
    "range": "the rows lie in a range of one column",
    "key_run": "the keys follow each other: a lost page, a batch",
}


def transforms() -> str:
    words: dict[str, str] = {}
    for transform in TRANSFORMS:
        words.setdefault(transform.name, re.sub(r"\{p\d?\}", "…", transform.words))
    words |= _SEVERAL
    return table(
        ("`detail.transform`", "said as"),
        ((f"`{name}`", words[name]) for name in get_args(TransformName)),
    )


def slices() -> str:
    return table(
        ("`detail.slice`", "meaning"), ((f"`{n}`", SLICES[n]) for n in get_args(SliceName))
    )


# The verdict -----------------------------------------------------------------------------

MEANINGS = {
    "verdict": "the answer, see below",
    "left": "the left side, as asked for",
    "right": "the right side",
    "left.label": "how the side was named, without its secret",
    "left.vendor": "the kind of system",
    "left.relation": "what was read, in the side's own SQL",
    "left.query": "the user's query, if there was one",
    "left.where": "the filter, if there was one",
    "left.version": "the system's version",
    "key": "the columns that name a row",
    "key.left": "their names on the left",
    "key.right": "their names on the right",
    "key.source": "who said so: `given`, `primary_key`, `unique_index`, `inferred`, or"
    " `whole_row` where there is no key",
    "rows": "row counts",
    "rows.left": "rows of the left side, after filters",
    "rows.right": "rows of the right side",
    "rows.matched": "pairs of rows that are equal",
    "rows.only_left": "rows of the left without a partner",
    "rows.only_right": "rows of the right without a partner",
    "rows.changed": "pairs of rows with the same key and other values",
    "rows.equal_under_rule": "those of `matched` that are equal only thanks to a rule",
    "rows.compared": "pairs whose key is not null and unique on both sides",
    "rows.unique_changed": "those of `compared` that differ",
    "keys": "key counts, each `[left, right]`; zero where whole rows are compared",
    "keys.nulls": "rows whose key is null in any part",
    "keys.dupes": "rows whose key another row of the side has, too; all of them, not the surplus",
    "keys.distincts": "distinct keys, those with a null part left out",
    "keys.exclusives": "distinct keys that only this side has",
    "keys.collisions": "keys of one side only that differ from another key by case or end spaces",
    "columns": "one entry for each pair of columns, the key's first",
    "columns.name": "the column's name on the left",
    "columns.right_name": "its name on the right",
    "columns.left_type": "its declared type on the left",
    "columns.right_type": "its declared type on the right",
    "columns.rule": "how the two were compared",
    "columns.loses": "what the rule overlooks; null: nothing",
    "columns.compared": "pairs of rows that were looked at",
    "columns.differences": "pairs whose values differ",
    "columns.match": "percentage of pairs that are equal, 0 to 100; never rounded up to 100",
    "columns.depends_on_rule": "pairs that are equal only thanks to the rule",
    "columns.unique_differences": "those of `differences` whose key is unique on both sides",
    "not_compared": "columns that were left out",
    "not_compared.column": "the column",
    "not_compared.side": "where it is: `left`, `right` or `both`",
    "not_compared.reason": "why",
    "schema": "how the lists of columns differ",
    "schema.added": "columns that only the right has",
    "schema.removed": "columns that only the left has",
    "schema.type_changed": "columns whose declared type differs",
    "schema.type_changed.column": "the column",
    "schema.type_changed.left_type": "its type on the left",
    "schema.type_changed.right_type": "its type on the right",
    "schema.reordered": "columns that stand in another place",
    "sample": "some of the rows that differ, of every kind, at most `--limit`",
    "sample.kind": "`changed`, `only_left` or `only_right`",
    "sample.key": "the key's values by name",
    "sample.left": "the left row's values by name; null where there is none",
    "sample.right": "the right row's values, by the left's names",
    "sample.changed": "the names of the columns that differ",
    "explanations": "what the differences have in common, see [explanations.md](explanations.md)",
    "explanations.kind": "`transform` or `slice`",
    "explanations.text": "the sentence",
    "explanations.rows": "which rows it is about",
    "explanations.columns": "which columns",
    "explanations.support": "rows that show it, counted exactly",
    "explanations.of": "out of how many",
    "explanations.lift": "slices: how much more common it is among these rows than among all",
    "explanations.detail": "the parameters, by name",
    "plan": "how it was done",
    "plan.strategy": "`checksum`, `stream` or `join`",
    "plan.reasons": "why, in sentences",
    "plan.sql": "the SQL that each side ran, `[left, right]`, at most ten statements a side",
    "consistency": "what moment the rows are of, `left` and `right`",
    "consistency.level": "`snapshot`, `watermark` or `best_effort`",
    "consistency.position": "the snapshot's name, or the file's time of change",
    "consistency.reason": "why it is no better",
    "stats": "what it cost",
    "stats.seconds": "wall time",
    "stats.rows_read": "rows that were looked at once, `[left, right]`",
    "stats.rows_fetched": "rows that were read again because their bucket differs",
    "stats.bytes": "bytes that arrived in this process, as Arrow",
    "stats.peak_memory": "the most memory of this process, in bytes",
    "sampling": "null unless `--sample` was used",
    "sampling.rate": "share of the keys that was looked at, 0 to 1",
    "sampling.rows": "rows that were looked at",
    "sampling.tolerance": "share of differing rows that should not be missed",
    "sampling.confidence": "how sure that is",
    "warnings": "sentences that a reader should see",
    "version": "the version of this form",
}


def verdict_fields() -> str:
    rows = [(f"`{path}`", kind, MEANINGS[path]) for path, kind in walk(Report, "")]
    return table(("field", "type", "meaning"), rows)


def walk(kind: type, prefix: str) -> Iterator[tuple[str, str]]:
    """Give each field's path and type; the right side is as the left."""
    hints = get_type_hints(kind)
    for field in fields(cast("Any", kind)):
        path = f"{prefix}{field.name}"
        hint = hints[field.name]
        yield path, _json_type(hint)
        inner = next((k for k in (hint, *get_args(hint)) if is_dataclass(k)), None)
        if inner is not None and path != "right":
            yield from walk(cast("type", inner), f"{path}.")


def _json_type(hint: Any) -> str:
    arguments = get_args(hint)
    if is_dataclass(hint):
        return "object"
    if type(None) in arguments:
        return " or ".join([*(_json_type(a) for a in arguments if a is not type(None)), "null"])
    name = str(getattr(hint, "__origin__", hint))
    if "tuple" in name:
        same = Ellipsis in arguments
        part = _json_type(arguments[0])
        if not same and is_dataclass(arguments[0]):
            return "object of `left` and `right`"
        return f"list of {part}" if same else f"[{part}, {part}]"
    if "dict" in name:
        return "object"
    if "Literal" in name:
        return "word"
    plain = str(hint.__name__)
    return {"int": "integer", "float": "number", "str": "text"}.get(plain, plain)


# The server ------------------------------------------------------------------------------


def endpoints() -> str:
    return table(("operation", "scope", "what it does", "may also answer"), server.endpoints())


def statuses() -> str:
    return table(("status", "title", "codes"), server.statuses(error_classes()))


def bounds() -> str:
    return table(("of what", "at most", "beyond it"), server.bounds())


def figures() -> str:
    return table(("figure", "labels", "what it is"), server.figures())


MAKERS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "pairing_rules": pairing_rules,
    "type_pairs": type_pairs,
    "special_pairs": special_pairs,
    "unpaired": unpaired,
    "errors": error_table,
    "error_tree": error_tree,
    "vendors": vendors,
    "destination_vendors": destination_vendors,
    "destination_options": destination_options,
    "transforms": transforms,
    "slices": slices,
    "verdict_fields": verdict_fields,
    "endpoints": endpoints,
    "statuses": statuses,
    "bounds": bounds,
    "figures": figures,
}


def main(*, write: bool) -> int:
    """Bring every page up to date, or say which is not. Gives the exit code."""
    stale = 0
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        fresh = reference.refresh(refresh(text))
        if fresh == text:
            continue
        stale += 1
        if write:
            page.write_text(fresh, encoding="utf-8")
        print(f"{'made anew' if write else 'out of date'}: {page.relative_to(PAGES.parents[1])}")
    return stale if not write else 0


if __name__ == "__main__":
    sys.exit(min(main(write="--check" not in sys.argv[1:]), 1))
