"""Who takes part in a scenario: weighbridge, the limit, and the peers with their best settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import envs
import tables
from measure import Run
from server import Server

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Scenario:
    """Two places, and the peers that can compare what is in them."""

    name: str
    title: str
    left: str
    right: str
    peers: tuple[str, ...]


_DATABASE_PEERS = ("data-diff", "collate-data-diff", "reladiff")
_POSTGRES_PEERS = (*_DATABASE_PEERS, "rowproof", "datadiffer")
SCENARIOS = {
    s.name: s
    for s in (
        Scenario("pg-one", "PostgreSQL ↔ PostgreSQL, one server", "pg1", "pg1", _POSTGRES_PEERS),
        Scenario("pg-two", "PostgreSQL ↔ PostgreSQL, two servers", "pg1", "pg2", _POSTGRES_PEERS),
        Scenario("pg-mariadb", "PostgreSQL ↔ MariaDB", "pg1", "mariadb", _DATABASE_PEERS),
        Scenario("parquet", "Parquet ↔ Parquet", "parquet", "parquet", ("datadiffer", "datacompy")),
        Scenario("csv-parquet", "CSV ↔ Parquet", "csv", "parquet", ("datadiffer", "datacompy")),
    )
}


@dataclass(frozen=True)
class Answer:
    """What a contestant said; None where it does not say."""

    changed: int | None = None
    only_left: int | None = None
    only_right: int | None = None
    rows_fetched: int | None = None
    extra: dict[str, object] = field(default_factory=dict[str, object])

    def is_right(self, truth: tables.Truth) -> bool:
        return (self.changed, self.only_left, self.only_right) == (
            truth.changed,
            truth.only_left,
            truth.only_right,
        )


@dataclass(frozen=True)
class Contestant:
    """One way to do the work. `codes` are the exit codes of a run that ended well."""

    name: str
    group: str  # ours | limit | peer
    commands: list[list[str]]
    parse: Callable[[Run], Answer] | None
    codes: tuple[int, ...] = (0,)
    env: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Work:
    """The two sides of one cell, as each kind of contestant names them."""

    scenario: Scenario
    shape: str
    rows: int
    left: str
    right: str
    servers: dict[str, Server]

    def is_file(self) -> bool:
        return self.scenario.left not in self.servers

    def url(self, place: str) -> str:
        return self.servers[place].url

    def side(self, place: str, name: str) -> str:
        if place not in self.servers:
            return name
        schema = "public." if self.servers[place].kind == "postgresql" else ""
        return f"{self.url(place)}#{schema}{name}"


def _last_json(run: Run) -> dict[str, object]:
    """The answer is the JSON object at the end: warnings may stand before it."""
    text = run.stdout[run.stdout.index("{") :]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return json.loads(run.stdout[run.stdout.rindex("\n{") :])


def _int(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _plain(run: Run) -> Answer:
    """What the scripts of `bench/peers` print."""
    said = _last_json(run)
    return Answer(
        *(_int(said.get(k)) for k in ("changed", "only_left", "only_right", "rows_fetched"))
    )


def _ours(run: Run) -> Answer:
    said = _last_json(run)
    rows, stats = _dict(said.get("rows")), _dict(said.get("stats"))
    fetched = stats.get("rows_fetched")
    total = sum(n for n in fetched if isinstance(n, int)) if isinstance(fetched, list) else None
    plan = _dict(said.get("plan"))
    extra = {"strategy": plan.get("strategy")} | {
        k: stats.get(k) for k in ("seconds", "rows_read", "bytes", "peak_memory")
    }
    counts = (_int(rows.get(k)) for k in ("changed", "only_left", "only_right"))
    return Answer(*counts, rows_fetched=total, extra=extra)


def _reladiff(run: Run) -> Answer:
    said = _last_json(run)
    counts = (_int(said.get(k)) for k in ("updated", "exclusive_A", "exclusive_B"))
    return Answer(*counts, rows_fetched=_int(_dict(said.get("stats")).get("rows_downloaded")))


def _rowproof(run: Run) -> Answer:
    said = _last_json(run)
    said = _dict(said.get("counts")) or said
    return Answer(*(_int(said.get(k)) for k in ("changed", "missing_in_target", "extra_in_target")))


def _datadiffer(run: Run) -> Answer:
    rows = _dict(_last_json(run).get("rows"))
    return Answer(*(_int(rows.get(k)) for k in ("modified", "removed", "added")))


def ours(command: Path, work: Work) -> Contestant:
    left = work.side(work.scenario.left, work.left)
    right = work.side(work.scenario.right, work.right)
    line = [str(command), "diff", left, right, "--key", "id", "--output", "json", "--quiet"]
    return Contestant("weighbridge", "ours", [line], _ours, (0, 1))


def limits(work: Work, duckdb_python: Callable[[], Path]) -> list[Contestant]:
    """What no comparison can be much faster than: see README.md."""
    if work.is_file():
        types = json.dumps(tables.duckdb_types(work.shape))
        script = str(HERE / "peers" / "duck_join.py")
        line = [str(duckdb_python()), script, work.left, work.right, types]
        return [Contestant("DuckDB full outer join", "limit", [line], _plain)]
    first, second = (work.servers[p] for p in (work.scenario.left, work.scenario.right))
    reading = [_read_out(first, work.left), _read_out(second, work.right)]
    env = second.environment()
    found = [Contestant("read both sides out", "limit", reading, None, env=env)]
    if second.kind == "postgresql":
        sql = "select count(*), bit_xor(hash_record_extended(t, 0)) from {} as t"
        hashing = [first.command(sql.format(work.left)), second.command(sql.format(work.right))]
        found.append(Contestant("hash both sides", "limit", hashing, None))
    return found


def _read_out(server: Server, table: str) -> list[str]:
    if server.kind == "postgresql":
        return server.command(rf"\copy {table} to '/dev/null' (format binary)")
    # The client has no way to throw its rows away but the shell's.
    return ["sh", "-c", 'exec "$@" > /dev/null', "sh", *server.command(f"select * from {table}")]


def peer(name: str, work: Work, python: Path, cache: Path) -> Contestant:
    """The best settings found for each peer; the reasons are in README.md."""
    scripts, programs = HERE / "peers", python.parent
    columns = ",".join(c.name for c in tables.columns_of(work.shape))
    one = work.scenario.left == work.scenario.right
    algorithm = "joindiff" if one else "hashdiff"
    urls = (
        [work.url(p) for p in (work.scenario.left, work.scenario.right)]
        if (not work.is_file())
        else []
    )
    # One level of segments, small enough that those that differ are downloaded at once.
    factor = max(32, min(4096, work.rows // 2500))
    threshold = max(16384, factor * 4)
    parse, codes = _plain, (0,)
    if name in ("data-diff", "collate-data-diff"):
        urls = [_with_password(url) for url in urls]
        line = [
            str(python),
            str(scripts / "data_diff_run.py"),
            urls[0],
            work.left,
            urls[1],
            work.right,
            "--columns",
            columns,
            "--algorithm",
            algorithm,
            "--factor",
            str(factor),
            "--threshold",
            str(threshold),
            "--threads",
            "4",
        ]
    elif name == "reladiff":
        sides = (
            [urls[0], work.left, work.right] if one else [urls[0], work.left, urls[1], work.right]
        )
        line = [
            str(programs / "reladiff"),
            *sides,
            "-k",
            "id",
            "-c",
            "%",
            "-a",
            algorithm,
            "--bisection-factor",
            str(factor),
            "--bisection-threshold",
            str(threshold),
            "-j",
            "4",
            "--stats",
            "--json",
            "--skip-sort-results",
        ]
        parse = _reladiff
    elif name == "rowproof":
        sides = [f"{u}/public.{t}" for u, t in zip(urls, (work.left, work.right), strict=True)]
        line = [
            str(programs / "rowproof"),
            "diff",
            *sides,
            "--key",
            "id",
            "--output",
            "json",
            "--max-diff-rows",
            "10",
        ]
        parse, codes = _rowproof, (0, 1)
    elif name == "datadiffer":
        where = ["--source", urls[0], "--target", urls[1]] if urls else []
        line = [
            str(programs / "datadiffer"),
            "diff",
            work.left,
            work.right,
            *where,
            "--key",
            "id",
            "--format",
            "json",
            "--no-attribution",
        ]
        parse, codes = _datadiffer, (0, 1)
    else:
        line = [str(python), str(scripts / "datacompy_run.py"), work.left, work.right]
    return Contestant(name, "peer", [line], parse, codes, envs.home(cache))


def _with_password(url: str) -> str:
    """data-diff dies of a PostgreSQL URL without a password, even where none is asked for."""
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or parts.password is not None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:none@{host}"))
