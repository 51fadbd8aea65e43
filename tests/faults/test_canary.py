"""The canary run (T15, T18): planted secrets are found nowhere in what a server says and writes.

They stand wherever a server takes one and where people put them by mistake; then things fail.
"""

from __future__ import annotations

import base64
import json
import os
import secrets as random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests import servers
from tests.faults.command import end_sessions, run_sql, wait_until_busy
from tests.faults.ground import SLOW, until
from tests.faults.test_stop import _children
from tests.journeys.test_serve import COMMAND, Server, serving
from tests.servers.processes import free_port

API = "/datafold/api/v1"


@dataclass
class Run:
    """One server's life: what was planted, what it said, what others could see of it."""

    server: Server
    data: Path
    pg: str
    my: str
    planted: dict[str, str] = field(default_factory=dict[str, str])
    # Where a secret may be by its nature is left out by name: (secret, place).
    said: dict[str, bytes] = field(default_factory=dict[str, bytes])
    heard: set[bytes] = field(default_factory=set[bytes])

    def plant(self, name: str) -> str:
        """Make a secret that escapes in every way there is, and is known by its middle."""
        self.planted[name] = f"k'%/\"{random.token_hex(10)}\\ü{name}"
        return self.planted[name]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask, keep what was answered, give it."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(  # noqa: S310 ours
            self.server.address + path, method=method,
            data=None if body is None else sent,
        )  # fmt: skip
        given = {"Content-Type": "application/json", "Authorization": f"Key {self.server.key}"}
        for name, value in {**given, **headers}.items():
            request.add_header(name, value)
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 ours
                status, text, more = answer.status, answer.read(), bytes(answer.headers)
        except HTTPError as error:
            status, text, more = error.code, error.read(), bytes(error.headers)
        self.said[f"{len(self.said)} {method} {path}: {status}"] = more + b"\n\n" + text
        assert status < 500, text
        with suppress(ValueError):
            return json.loads(text)
        return text

    def source(self, url: str, name: str, kind: str, **change: Any) -> int:
        parts = urlsplit(url)
        options = {
            "host": parts.hostname, "port": parts.port, "user": "kana",
            "dbname": parts.path.lstrip("/"), **change,
        }  # fmt: skip
        # Its login may do anything, and queries are to fail on the server, not before it.
        body = {"name": name, "type": kind, "options": options, "allow_powerful_login": True}
        return int(self.ask("POST", f"{API}/data_sources", body, **{"Idempotency-Key": name})["id"])

    def diff(self, left: int, right: int, **change: Any) -> int:
        body = {
            "data_source1_id": left, "data_source2_id": right, "pk_columns": ["id"],
            "table1": ["public", "a"], "table2": ["b"], **change,
        }  # fmt: skip
        body = {name: value for name, value in body.items() if value is not None}
        return int(self.ask("POST", f"{API}/datadiffs", body)["id"])

    def status(self, number: int) -> str:
        return str(self.ask("GET", f"{API}/datadiffs/{number}")["status"])

    def ends(self, number: int, status: str, seconds: float = 60) -> None:
        until(lambda: self.status(number) == status, seconds,
              lambda: str(self.ask("GET", f"{API}/datadiffs/{number}/summary")))  # fmt: skip


def _listen(run: Run, tmpdir: Path, ended: threading.Event) -> None:
    """Note the arguments of every process, and what lies in the folder for temporary files."""
    while not ended.wait(0.1):
        for file in (*Path("/proc").glob("[0-9]*/cmdline"), *tmpdir.rglob("*")):
            with suppress(OSError):
                run.heard.add(file.read_bytes()[: 2**20])


@pytest.fixture(scope="module")
def run(postgres: str, mariadb: str) -> Iterator[Run]:
    """Tell the whole story once; the tests look at what is left of it."""
    with (
        tempfile.TemporaryDirectory(prefix="weighbridge-test-") as folder,
        servers.fresh_postgres(postgres) as pg,
        servers.fresh_mariadb(mariadb) as my,
    ):
        data, tmpdir = Path(folder), Path(folder, "tmp")
        data.chmod(0o755)
        tmpdir.mkdir()
        tmpdir.chmod(0o777)
        more = {"TMPDIR": str(tmpdir), "WEIGHBRIDGE_TMPDIR": str(tmpdir)}
        with serving(data, free_port(), **more) as server:
            run, ended = Run(server, data, pg, my), threading.Event()
            listener = threading.Thread(target=_listen, args=(run, tmpdir, ended))
            listener.start()
            try:
                _story(run)
                _look(run)
                yield run
            finally:
                ended.set()
                listener.join()
                end_sessions(my)


def _story(run: Run) -> None:
    _plant(run)
    pg = run.source(run.pg, "pg", "pg", password=run.planted["pg"])
    my = run.source(run.my, "my", "mysql", password=run.planted["my"])
    wrong = {kind: run.plant(f"wrong {kind}") for kind in ("pg", "mysql", "nowhere", "nobody")}
    odd = [
        run.source(run.pg, "wrong pg", "pg", password=wrong["pg"]),
        run.source(run.my, "wrong my", "mysql", password=wrong["mysql"]),
        run.source(run.pg, "nowhere", "pg", password=wrong["nowhere"], port=1),
        run.source(run.pg, "nobody", "pg", password=wrong["nobody"], user="nobody'%"),
    ]
    good = run.diff(pg, my)
    run.ends(good, "done")
    assert run.ask("GET", f"{API}/datadiffs/{good}/results")["count"] == 10
    for form in ("csv", "ndjson", "parquet"):
        run.ask("GET", f"{API}/datadiffs/{good}/results?format={form}")
    bad = [run.diff(pg, source) for source in odd]
    literal = run.plant("query")
    quoted = literal.replace("'", "''")
    queries = (
        f"select 1 as id, nosuch from a where v = '{quoted}'",
        f"select id, cast('{quoted}' as int) as v from a",
    )
    bad += [run.diff(pg, my, table1=None, query1=query) for query in queries]
    _mistakes(run)
    run_sql(run.pg, "update pace set seconds = 30")
    cancelled = run.diff(pg, my, table1=["public", "slow"])
    wait_until_busy(run.pg, "slow")
    run.ask("POST", f"{API}/datadiffs/{cancelled}/cancel")
    run.ends(cancelled, "cancelled")
    killed = run.diff(pg, my, table1=["public", "slow"])
    wait_until_busy(run.pg, "slow")
    _kill_worker(run)
    run_sql(run.pg, "update pace set seconds = 0")
    run.ends(killed, "done", 50)
    for number in bad:
        run.ends(number, "failed", 70)
    for path in ("", f"/{good}", f"/{good}/summary", f"/{good}/summary_results", f"/{bad[0]}"):
        run.ask("GET", f"{API}/datadiffs{path}")
    run.ask("GET", f"{API}/data_sources")
    run.ask("GET", f"{API}/data_sources/types")
    _deliver(run)
    run.ask("PATCH", f"{API}/datadiffs/{good}", {"purged": True})


def _plant(run: Run) -> None:
    for name, url in (("pg", run.pg), ("my", run.my)):
        secret = run.plant(name).replace("'", "''")
        if name == "my":
            secret = secret.replace("\\", "\\\\")
            run_sql(url, f"create or replace user kana@'127.0.0.1' identified by '{secret}'",
                    "grant all on *.* to kana@'127.0.0.1'",
                    "create table b (id int primary key, v varchar(200))",
                    "insert into b select seq, if(seq % 4, concat('v', seq), 'w')"
                    " from seq_1_to_40")  # fmt: skip
        else:
            run_sql(url, *SLOW, "drop role if exists kana",
                    f"create role kana login superuser password '{secret}'")  # fmt: skip
    # A row's value is the reader's to see, and nothing for a log.
    row = run.plant("row").replace("'", "''")
    run_sql(run.pg, f"update a set v = '{row}' where id = 4")
    run.planted["database"] = (run.data / "postgres" / "password").read_text()
    run.planted["key ring"] = next(iter(json.loads((run.data / "keys.json").read_text()).values()))
    run.planted["admin key"] = run.server.key.split("_")[3]


def _mistakes(run: Run) -> None:
    """Secrets at places where none is expected, as people put them there."""
    wrong = run.plant("mistake")
    parts = urlsplit(run.pg)
    options = {"host": parts.hostname, "user": "u", "dbname": "d"}
    for body in (
        {"name": "x", "type": "pg", "options": {**options, "passwrod": wrong}},
        {"name": "x", "type": "pg", "options": {**options, "password": [wrong]}},
        {"name": "x", "type": "pg", "options": {**options, "port": wrong}},
        {"name": "x", "type": "pg", "options": {**options, "host": f"u:{wrong}@h"}},
        {"name": "x", "type": "pg", "options": wrong},
        {"name": "x", "type": wrong, "options": options},
        {"name": "x", "type": "mysql", "options": {**options, "sslmode": wrong}},
        {"name": "x", "type": "pg", "options": options, "password": wrong},
        wrong,
        f'{{"name": "x", "password": "{wrong}'.encode(),
    ):
        run.ask("POST", f"{API}/data_sources", body)
    # urllib sends latin-1; no more of it is needed to know it again.
    middle = _middle(wrong)
    for header in (f"Key {middle}", f"Bearer wbk_production_{middle}_x_y", f"Basic {middle}"):
        run.ask("GET", f"{API}/data_sources", Authorization=header)
    run.ask("GET", f"{API}/datadiffs?api_key={middle}")
    run.ask("GET", f"/{middle}")
    run.ask("GET", f"{API}/datadiffs/{middle}")
    run.ask("POST", f"{API}/datadiffs/1/cancel", **{"Idempotency-Key": middle})


def _deliver(run: Run) -> None:
    """Deliver in Prequel's words: right, with secrets that are wrong, with broken rows, repaired."""

    def ask(path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        said = run.ask(method, f"/prequel{path}", body, **{"X-API-KEY": run.server.key})
        assert said["status"] == "success", said
        return said["data"]

    def ended(path: str, what: str) -> str:
        until(lambda: ask(path)[what]["status"] not in {"PENDING", "RUNNING"}, 60,
              lambda: str(ask(path)))  # fmt: skip
        return str(ask(path)[what]["status"])

    run_sql(
        run.pg, "create schema out",
        "create table orders (id int primary key, org text, v text, updated_at timestamptz)",
        "insert into orders select i, 'acme', (select v from a where id = 4), now() - interval '1 day'"
        " from generate_series(1, 20) i",
    )  # fmt: skip
    parts = urlsplit(run.pg)
    login = {"username": "kana", "password": run.planted["pg"]}
    place = {
        "host": parts.hostname, "port": parts.port, "database": parts.path.lstrip("/"),
        "schema": "out", "disable_ssl": True, "password_auth": login,
    }  # fmt: skip
    source = ask("/sources", {"source": {"name": "s", "vendor": "postgres", "postgres": place}})
    columns = [
        {"name_in_source": name, "name_in_destination": name, "data_type": kind,
         "is_primary_key": name == "id", "is_last_modified": name == "updated_at"}
        for name, kind in (("id", "integer"), ("v", "text"), ("updated_at", "timestamp"))
    ]  # fmt: skip
    ask("/models", {"model": {
        "model_name": "orders", "source_id": source["source"]["id"], "columns": columns,
        "source_table": "public.orders", "organization_column": "org"}})  # fmt: skip
    owner = ask("/recipients", {"recipient": {"name": "A", "id_in_provider_system": "acme"}})
    wrong = {**login, "password": run.plant("wrong destination")}
    bucket = {
        "host": f"127.0.0.1:{free_port()}", "bucket_name": "b", "disable_ssl": True,
        "access_keys": {"access_id": "a", "secret_key": run.plant("bucket")},
    }  # fmt: skip
    outcomes: list[tuple[str, str]] = []
    for vendor, options in (
        ("postgres", place), ("postgres", {**place, "password_auth": wrong}),
        ("s3_compatible", bucket),
    ):  # fmt: skip
        made = ask("/destinations", {"destination": {
            "vendor": vendor, "name": "d", "recipient_id": owner["recipient"]["id"],
            "enabled_models": ["orders"], vendor: options}})["destination"]["id"]  # fmt: skip
        number = ask(f"/destinations/{made}/transfer", {})["transfer_id"]
        outcomes.append((made, ended(f"/transfers/{number}", "transfer")))
    assert [status for _, status in outcomes] == ["SUCCESS", "ERROR", "ERROR"]
    run_sql(
        run.pg, "delete from out.orders where id = 3", "update out.orders set v = 'x' where id = 5"
    )
    jobs = f"/destinations/{outcomes[0][0]}/data-integrity"
    job = ask(jobs, {})["job"]["id"]
    assert ended(f"{jobs}/{job}", "job") == "SUCCESS"
    assert len(ask(f"{jobs}/{job}/rows")["rows"]) == 2
    repair = ask(f"{jobs}/{job}/repair", {"dry_run": False})["repair"]["id"]
    assert ended(f"{jobs}/{job}/repair/{repair}", "repair") == "SUCCESS"


def _kill_worker(run: Run) -> None:
    workers = [
        pid
        for pid in _children(run.server.process.pid)
        if b"weighbridge.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)


def _look(run: Run) -> None:
    """Take what is left: figures, logs, commands' words, the database, the folder."""
    run.ask("GET", "/metrics")
    run.ask("GET", "/readyz")
    run.ask("GET", "/datafold/openapi.json")
    made = _command(run, "keys", "create", "other", "--scope", "diffs:read", "--output", "json")
    key = json.loads(made)["key"]
    run.planted["other key"] = key.split("_")[3]
    run.ask("GET", f"{API}/datadiffs", Authorization=f"Key {key}")
    for words in (("keys", "list"), ("keys", "list", "--output", "json"), ("doctor",)):
        run.said[f"command {' '.join(words)}"] = _command(run, *words).encode()
    _revoked(run, key)
    password = run.planted["database"]
    place = quote(str(run.data / "postgres"), safe="")
    url = f"postgresql://postgres:{password}@/weighbridge?host={place}"
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'weighbridge'"
        ).fetchall()
        assert len(tables) > 8
        for (table,) in tables:
            rows = connection.execute(f"select t::text from weighbridge.{table} t".encode())
            run.said[f"table {table}"] = "\n".join(row[0] for row in rows).encode()


def _revoked(run: Run, key: str) -> None:
    """A revoked key opens nothing, in no process, within 5 s (T18)."""
    _command(run, "keys", "revoke", key.split("_")[2])
    revoked = time.monotonic()
    answers: list[str] = []
    while time.monotonic() < revoked + 5 or len(answers) < 20:
        body = run.ask("GET", f"{API}/datadiffs", Authorization=f"Key {key}")
        answers.append(str(body.get("status", 200)))
    assert answers[-20:] == ["401"] * 20


def _command(run: Run, *words: str) -> str:
    done = subprocess.run(
        [COMMAND, *words, "--data", str(run.data)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    run.said[f"errors of {' '.join(words)}"] = done.stderr.encode()
    return done.stdout


# What is held --------------------------------------------------------------------------------


def _middle(secret: str) -> str:
    """Give the part of a secret that no escaping changes."""
    return secret[5:25] if secret.startswith("k'%/") else secret


def _forms(secret: str) -> list[bytes]:
    middle = _middle(secret)
    forms = [middle, middle[::-1], middle.encode().hex(), quote(secret, safe="")]
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + secret.encode()).decode()
        forms.append(coded[4 : 4 + 24])
        coded = base64.b64encode(b"x" * shift + middle.encode()).decode()
        forms.append(coded[4 : 4 + 16])
    return [form.encode() for form in forms]


# A caller's own words and rows come back to the caller, and are kept for that.
WRITES = {
    "keys.create": 2, "keys.revoke": 1, "data_sources.create": 6, "datadiffs.create": 9,
    "datadiffs.cancel": 2, "datadiffs.change": 1, "sources.create": 1, "models.create": 1,
    "recipients.create": 1, "destinations.create": 3, "transfers.create": 3, "integrity.create": 1,
    "integrity.repair": 1,
}  # fmt: skip
_QUOTED = {"row", "query"}


def _hits(run: Run, places: dict[str, bytes], *, without: frozenset[str] | set[str]) -> list[str]:
    return [
        f"{name} in {place}: {form!r}"
        for name, secret in run.planted.items()
        if name not in without
        for form in _forms(secret)
        for place, text in places.items()
        if form in text
    ]


def test_no_answer_and_no_table_shows_a_secret(run: Run) -> None:
    # An Idempotency-Key is a name that its caller chose, and kept as such.
    places = {place: text for place, text in run.said.items() if place != "table idempotency"}
    assert len(places) > 80
    # FastAPI's answer for an unknown path or number may not repeat it, either.
    assert not _hits(run, places, without=_QUOTED)
    table = {"table idempotency": run.said["table idempotency"]}
    assert not _hits(run, table, without={*_QUOTED, "mistake"})


def test_every_write_is_in_the_audit(run: Run) -> None:
    """Of the whole story, from the first key on; nothing but writes is."""
    told = run.said["table audit"].decode()
    counts = {action: told.count(f",{action},") for action in WRITES}
    assert counts == WRITES
    assert len(told.splitlines()) == sum(WRITES.values())


def test_what_is_purged_is_gone(run: Run) -> None:
    """The row's value was in rows, sample and explanations; the killed diff keeps its own."""
    lines = run.said["table datadiffs"].splitlines()
    kept = [line for line in lines if b'""purged"": true' in line]
    assert len(kept) == 1
    assert not _hits(run, {"the purged diff": kept[0]}, without=set())


def test_no_log_shows_a_secret_or_a_row(run: Run) -> None:
    lines = run.server.words.read_bytes().splitlines()
    shown = [line for line in lines if line.startswith(b"admin key")]
    assert len(shown) == 1  # the one place where it is meant to be
    log = b"\n".join(line for line in lines if line not in shown)
    assert b'"request"' in log
    assert b'"status": 422' in log
    logs = {"log": log, "database's log": (run.data / "postgres/server.log").read_bytes()}
    assert not _hits(run, logs, without=set())


def test_no_process_and_no_temporary_file_shows_a_secret(run: Run) -> None:
    assert any(b"weighbridge.worker" in text for text in run.heard)
    mine = Path("/proc/self/cmdline").read_bytes()
    places = {str(n): text for n, text in enumerate(run.heard) if text != mine}
    assert not _hits(run, places, without=_QUOTED)


def test_no_file_shows_a_secret(run: Run) -> None:
    """The database's own files, too: what lies sealed there was never written in the clear."""
    # The rows and queries that were asked for lie there, and what a client chose as a name.
    without = {"row", "query", "mistake"}
    kept = {"keys.json": "key ring", "postgres/password": "database", "words": "admin key"}
    seen = 0
    for file in run.data.rglob("*"):
        if not file.is_file() or file.is_symlink() or "software" in file.parts:
            continue
        with suppress(FileNotFoundError):
            text, seen = file.read_bytes(), seen + 1
            name = str(file.relative_to(run.data))
            assert not _hits(run, {name: text}, without={*without, kept.get(name, "")})
    assert seen > 500
