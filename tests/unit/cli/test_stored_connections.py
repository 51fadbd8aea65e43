"""Connections in the server's database: added, listed and tried, and no secret on the way."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.sources import closed_port
from tests.faults.command import run_sql
from tests.house import House
from tests.servers.postgres import PASSWORD
from tests.unit.cli.conftest import Command
from weighbridge.store.audit import broken_line
from weighbridge.store.database import EVERYTHING, seen_by

WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))


@pytest.fixture
def stored(
    command: Command, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command on a server of ours, whose connections it stores."""
    monkeypatch.setenv("DATABASE_URL", house.database.url)
    monkeypatch.setenv("WEIGHBRIDGE_KEY_RING", str(tmp_path / "keys.json"))
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    return command


def bare(url: str) -> str:
    """Write a URL without its password."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()


@pytest.mark.parametrize("server", ["fresh_postgres", "fresh_mariadb"])
def test_added_listed_and_tested(
    stored: Command, house: House, server: str, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(server)
    added = stored(
        "connections", "add", "shop", bare(url), "--password-env", "SHOP_PASSWORD",
        "--output", "json",
    )  # fmt: skip
    assert added.code == 0, added.err
    told = json.loads(added.out)
    assert (told["name"], told["environment"], told["has_password"]) == ("shop", "production", True)
    listed = stored("connections", "list", "--stored")
    head, row = listed.out.splitlines()
    assert head.split() == ["id", "environment", "name", "type", "where", "password"]
    assert row.split()[:3] == [str(told["id"]), "production", "shop"]
    assert head.index("where") == row.index(urlsplit(url).username or "")
    tested = stored("connections", "test", "shop", "--stored")
    assert tested.code == 0, tested
    lines = [line.split(maxsplit=2) for line in tested.out.splitlines()]
    steps = [(line[0], line[1]) for line in lines if line[0] != "warn"]
    assert steps == [("name", "ok"), ("tcp", "ok"), ("tls", "skip"), ("auth", "ok"),
                     ("read", "ok"), ("write", "skip")]  # fmt: skip
    assert any(line[0] == "warn" and "superuser" in line[2] for line in lines)
    # One and the same connection for whoever asks over HTTP.
    assert house.client().get("/data_sources").json()[0]["id"] == told["id"]
    for ran in (added, listed, tested):
        assert PASSWORD not in ran.out + ran.err
    with seen_by(house.database, EVERYTHING) as connection:
        assert broken_line(connection) is None


def test_a_step_that_fails(stored: Command, fresh_postgres: str) -> None:
    url = bare(fresh_postgres).replace(f":{urlsplit(fresh_postgres).port}/", f":{closed_port()}/")
    assert stored("connections", "add", "gone", url, "--no-password").code == 0
    ran = stored("connections", "test", "gone", "--stored", "--output", "json")
    assert ran.code == 3
    codes = [step["code"] for step in json.loads(ran.out)["steps"]]
    assert codes == ["ok", "error", "skip", "skip", "skip", "skip"]
    shown = stored("connections", "test", "gone", "--stored")
    assert shown.code == 3
    columns = [line[:14] for line in shown.out.splitlines()]
    assert columns[:3] == ["name   ok     ", "tcp    error  ", "tls    skip   "]


def test_by_type_and_fields(stored: Command, fresh_postgres: str, tmp_path: Path) -> None:
    parts = urlsplit(fresh_postgres)
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    run_sql(fresh_postgres, "create schema scratch")
    ran = stored(
        "connections", "add", "shop", "--type", "pg", "--option", f"host={parts.hostname}",
        "--option", f"port={parts.port}", "--option", f"user={parts.username}",
        "--option", f"dbname={parts.path[1:]}", "--option", "sslmode=disable",
        "--password-file", str(secret), "--temp-schema", "scratch", "--environment", "staging",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    tested = stored("connections", "test", "shop", "--environment", "staging")
    assert tested.code == 0, tested
    assert "made in scratch and dropped" in tested.out
    assert stored("connections", "test", "shop", "--stored").code == 2  # not in production


MISTAKES = {
    "password in the URL": (["x", "postgresql://u:hunter2@h/d"], "holds a password"),
    "password as an option": (["x", "--type", "pg", "--option", "password=hunter2"], "password"),
    "password in two places": (
        ["x", "postgresql://u@h/d", "--no-password", "--password-env", "HOME"], "several places",
    ),
    "no terminal": (["x", "postgresql://u@h/d"], "no terminal"),
    "no such variable": (["x", "postgresql://u@h/d", "--password-env", "NOT_SET"], "not set"),
    "no such file": (["x", "postgresql://u@h/d", "--password-file", "nowhere"], "No such file"),
    "neither": (["x", "--no-password"], "by its URL, or by --type"),
    "both": (["x", "postgresql://u@h/d", "--type", "pg", "--no-password"], "by its URL"),
    "a kind that is none": (["x", "--type", "oracle", "--no-password"], "oracle"),
    "a file": (["x", "data.csv", "--no-password"], "cannot be stored"),
    "a table": (["x", "postgresql://u@h/d#t", "--no-password"], "names a table"),
    "a field that is none": (["x", "--type", "pg", "--option", "hots=h", "--no-password"], "hots"),
    "a port that is none": (["x", "--type", "pg", "--option", "port=x", "--no-password"], "host"),
    "an environment that is none": (
        ["x", "postgresql://u@h/d", "--no-password", "--environment", "test"], "no environment",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(stored: Command, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words, said = MISTAKES[mistake]
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        ran = stored("connections", "add", *words)
    assert ran.code == 2, ran
    assert said in ran.err
    assert "hunter2" not in ran.err + ran.out
    assert json.loads(stored("connections", "list", "--stored", "--output", "json").out) == []


def test_one_name_once(stored: Command) -> None:
    words = ("connections", "add", "x", "postgresql://u@h/d", "--no-password")
    assert stored(*words).code == 0
    assert "named 'x' already" in stored(*words).err
    assert stored(*words, "--environment", "staging").code == 0
    everywhere = json.loads(stored("connections", "list", "--stored", "--output", "json").out)
    assert [one["environment"] for one in everywhere] == ["production", "staging"]
    one = stored("connections", "list", "--environment", "staging", "--output", "json")
    assert [one["environment"] for one in json.loads(one.out)] == ["staging"]


def test_those_of_the_file_are_others(stored: Command) -> None:
    """Without --stored a command speaks of weighbridge.toml, and says where the others are."""
    assert stored("connections", "add", "x", "postgresql://u@h/d", "--no-password").code == 0
    ran = stored("connections", "test", "x")
    assert ran.code == 2
    assert "--stored" in ran.err
    assert stored("connections", "list").out == ""
    Path("weighbridge.toml").write_text('[connections.mine]\nurl = "postgresql://u:pw7@h/d"\n')
    mine = json.loads(stored("connections", "list", "--output", "json").out)
    assert [(one["name"], one["url"]) for one in mine] == [("mine", "postgresql://u:***@h/d")]
    assert stored("connections", "test", "mine", "--output", "json").code == 2


def test_the_password_is_asked_for(
    stored: Command, house: House, fresh_postgres: str, tmp_path: Path
) -> None:
    """At a terminal; what is typed is not shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [WEIGHBRIDGE, "connections", "add", "shop", bare(fresh_postgres)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    os.close(theirs)
    heard = b""
    end = time.monotonic() + 30
    while b"Password" not in heard:
        assert time.monotonic() < end, heard
        heard += os.read(ours, 1024)
    time.sleep(0.3)  # it switches the echo off
    os.write(ours, PASSWORD.encode() + b"\n")
    while True:
        try:
            part = os.read(ours, 1024)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        heard += part
    assert process.wait(30) == 0, heard
    os.close(ours)
    assert PASSWORD.encode() not in heard
    assert stored("connections", "test", "shop", "--stored").code == 0
