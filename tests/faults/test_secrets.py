"""A canary: one password, planted wherever a password may stand, is found nowhere afterwards."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests import servers
from tests.faults.command import COMMAND, run_sql

# Enough of it to know it by, however the rest was escaped; the process's own, because another one
# that tests beside it has commands whose arguments are seen here, too.
CORE, TAIL = f"Kanari{os.getpid()}x", f"Vogel{os.getpid()}x"
# Quotes, a backslash, a percent sign and letters beyond ASCII: each escapes in another way. No part
# of it can be a part of an id or a figure.
CANARY = CORE + "'7%\\x\"ü/" + TAIL


@dataclass
class Planted:
    """Where the two servers are, by connections that know the password in different ways."""

    environ: dict[str, str]
    folder: Path
    urls: tuple[str, str]
    wrong: tuple[str, str]
    lone: str
    heard: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def planted(
    postgres: str, mariadb: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Planted]:
    """Make a user of that password on both servers, and name the connections."""
    folder = tmp_path_factory.mktemp("canary")
    (folder / "secret").write_text(CANARY + "\n")
    doubled = CANARY.replace("'", "''")
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        run_sql(
            left,
            "drop role if exists kana",
            f"create role kana login superuser password '{doubled}'",
            "drop role if exists lone",
            f"create role lone login connection limit 1 password '{doubled}'",
        )
        run_sql(
            right,
            f"create or replace user kana@'127.0.0.1' identified by '{doubled.replace(chr(92), chr(92) * 2)}'",
            "grant all on *.* to kana@'127.0.0.1'",
        )
        for url in (left, right):
            run_sql(
                url,
                "create table t (id int primary key, v varchar(9))",
                "insert into t values (1, 'a'), (2, 'b')",
            )
        run_sql(left, "grant select on t to lone")
        run_sql(right, "update t set v = 'X' where id = 2")
        urls = tuple(_as_kana(url, CANARY) for url in (left, right))
        wrong = tuple(_as_kana(url, CANARY + "0") for url in (left, right))
        _write_config(folder, urls)
        environ = {"WEIGHBRIDGE_CONNECTION_BYENV": urls[0], "KANA_PASSWORD": CANARY}
        yield Planted(environ, folder, (urls[0], urls[1]), (wrong[0], wrong[1]),
                      urls[0].replace("kana:", "lone:"))  # fmt: skip


def _as_kana(url: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"kana:{quote(password, safe='')}@{place}").geturl()


def _write_config(folder: Path, urls: tuple[str, ...]) -> None:
    places = [url.partition("://")[0] + "://kana@" + url.rpartition("@")[2] for url in urls]
    (folder / "weighbridge.toml").write_text(
        f'[connections.intoml]\nurl = "{urls[1]}"\n'
        f'[connections.byfile]\nurl = "{places[0]}"\npassword_file = "secret"\n'
        f'[connections.byvar]\nurl = "{places[1]}"\npassword_env = "KANA_PASSWORD"\n'
    )


def _forms() -> list[str]:
    forms = [CORE, quote(CANARY, safe=""), TAIL]
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + CANARY.encode()).decode()
        forms.append(coded[4:16])
    return forms


def _run(planted: Planted, *words: str) -> subprocess.CompletedProcess[str]:
    tmpdir = planted.folder / "tmp"
    tmpdir.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [str(COMMAND), "diff", *words],
        env={**os.environ, **planted.environ, "WEIGHBRIDGE_TMPDIR": str(tmpdir)},
        cwd=planted.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    done = threading.Event()
    watcher = threading.Thread(target=_listen, args=(planted, process.pid, tmpdir, done))
    watcher.start()
    out, err = process.communicate(timeout=60)
    done.set()
    watcher.join()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _listen(planted: Planted, pid: int, tmpdir: Path, done: threading.Event) -> None:
    """Note the command lines of all processes, and what lies in the temporary folder."""
    while not done.is_set():
        for file in (*Path("/proc").glob("[0-9]*/cmdline"), *tmpdir.rglob("*")):
            if file.parent.name == str(pid):
                continue  # this one was given the URL by the test itself, where it was
            try:
                planted.heard.append(file.read_bytes()[: 2**20].decode(errors="replace"))
            except OSError:
                continue
        done.wait(0.2)


SIDES = {
    "urls": ("{0}#t", "{1}#t", 1, ()),
    "named": ("byenv:t", "intoml:t", 1, ("-o", "json")),
    "file-and-variable": ("byfile:t", "byvar:t", 1, ("-o", "html", "--out", "report.html")),
    "explained": ("byfile:t", "byvar:t", 0, ("--explain",)),
    "wrong-pg": ("{2}#t", "byvar:t", 3, ("--debug",)),
    "wrong-mysql": ("byfile:t", "{3}#t", 3, ("--debug",)),
    # The second connection is refused, by a driver that repeats what it was told.
    "one-connection": ("{5}#t", "byvar:t", 3, ("--debug",)),
    "no-table": ("byfile:nosuch", "byvar:t", 2, ("--debug", "-o", "json")),
    "bad-query": ("byfile:", "byvar:t", 2, ("--debug", "--left-query", "select * from nosuch")),
    "bad-url": ("{0}0/x:y#t", "byvar:t", 3, ()),
    "bad-port": ("postgresql://kana:{4}@h:port/d#t", "byvar:t", 2, ()),
    "unencoded": ("postgresql://kana:" + CORE + "/#?@h/d#t", "byvar:t", 2, ("--debug",)),
    "unknown-scheme": ("oracle://kana:{4}@h/d#t", "byvar:t", 2, ("--debug",)),
}


@pytest.mark.parametrize("name", SIDES)
def test_canary(planted: Planted, name: str) -> None:
    left, right, code, options = SIDES[name]
    places = (*planted.urls, *planted.wrong, quote(CANARY, safe=""), planted.lone)
    planted.heard.clear()
    began = time.monotonic()
    ran = _run(planted, left.format(*places), right.format(*places), *options)
    assert time.monotonic() - began < 60
    texts = [ran.stdout, ran.stderr, *planted.heard]
    report = planted.folder / "report.html"
    if report.exists():
        texts.append(report.read_text())
        report.unlink()
    for form in _forms():
        hits = [text for text in texts if form in text and "tests/faults" not in text]
        assert not hits, (form, hits[0][:2000])
    assert ran.returncode == code, ran
    assert planted.heard
