"""The command on the real library: CSV and database files, a pipe, a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

pytestmark = pytest.mark.long

ROWS = 3000
CHANGED = {10, 20, 2999}
LOST = {5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CSV files, and a database with both as tables."""
    made = tmp_path_factory.mktemp("sides")
    rows = [(i, f"name {i}", i / 4) for i in range(ROWS)]
    theirs = [(i, n + ("!" if i in CHANGED else ""), v) for i, n, v in rows if i not in LOST]
    for name, side in (("left", rows), ("right", theirs)):
        lines = ["id,name,v", *(f"{i},{n},{v}" for i, n, v in side)]
        (made / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with duckdb.connect(str(made / "both.duckdb")) as database:
        for name in ("left", "right"):
            database.execute(f"CREATE TABLE t_{name} AS FROM read_csv('{made}/{name}.csv')")
    (made / "weighbridge.toml").write_text(
        "[connections.both]\nvendor = 'duckdb'\npath = 'both.duckdb'\n", encoding="utf-8"
    )
    return made


def _ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_csv_files_differ(folder: Path) -> None:
    ran = _ran(folder, "diff", "left.csv", "right.csv", "-k", "id")
    assert ran.returncode == 1
    assert "DIFFERENT: 3 of 3,000 rows changed, 1 only left" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert not ran.stderr


def test_csv_file_is_itself(folder: Path) -> None:
    assert _ran(folder, "diff", "left.csv", "left.csv", "-k", "id", "-q").returncode == 0


@pytest.mark.parametrize(
    "sides",
    [
        ["both:t_left", "both:t_right"],
        ["both", "t_left", "both", "t_right"],
        ["both", "t_left", "t_right"],
        ["duckdb://main@both.duckdb", "t_left", "duckdb://main@both.duckdb", "t_right"],
        ["both:t_left", "right.csv"],
        ["both:", "right.csv", "--left-query", "select * from t_left"],
    ],
)
def test_every_form_of_a_side(folder: Path, sides: list[str]) -> None:
    ran = _ran(folder, "diff", *sides, "-k", "id", "--json")
    assert ran.returncode == 1, ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {int(row["key"]["id"]) for row in rows} == CHANGED | LOST


def test_files_of_the_answer(folder: Path, tmp_path: Path) -> None:
    for name in ("a.json", "a.parquet", "a.csv", "a.html"):
        ran = _ran(
            folder, "diff", "both:t_left", "both:t_right", "-k", "id", "--out", str(tmp_path / name)
        )
        assert ran.returncode == 1, ran.stderr
        assert ran.stdout.startswith("≠ DIFFERENT")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["rows"]["changed"] == 3
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").num_rows == 4
    assert "</html>" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["left.csv", "gone.csv"], 2, "no_such_table"),
        (["both:gone", "left.csv"], 2, "no_such_table"),
        (["both:t_lef", "left.csv"], 2, "no_such_table"),
        (["left.csv", "right.csv", "-k", "nam"], 2, "no_such_column"),
        (["left.csv", "bad.parquet"], 4, "unreadable"),
        (["left.csv", "right.csv", "-k", "id", "--max-rows", "10"], 5, "over_budget"),
        (["nobody:t", "left.csv"], 2, "bad_argument"),
    ],
)
def test_what_goes_wrong(folder: Path, words: list[str], code: int, error: str) -> None:
    (folder / "bad.parquet").write_text("this is no Parquet", encoding="utf-8")
    ran = _ran(folder, "diff", *words)
    assert f"code: {error}" in ran.stderr
    assert ran.returncode == code


def test_explain_reads_nothing(folder: Path) -> None:
    ran = _ran(folder, "diff", "both:t_left", "both:t_right", "-k", "id", "--explain")
    assert ran.returncode == 0, ran.stderr
    assert "SQL LEFT" in ran.stdout


def test_terminal_shows_colours_and_leaves_no_progress_behind(folder: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "weighbridge", "diff", "left.csv", "right.csv", "-k", "id"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(words, cwd=folder, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = _terminal_text(ours)
    assert process.wait(20) == 1
    assert "\x1b[" in text
    assert "DIFFERENT" in text


def test_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    with duckdb.connect() as database:
        for name in ("left", "right"):
            database.execute(
                f"COPY (SELECT hash(i) AS id, md5(i::VARCHAR) AS v FROM range(3000000) r(i))"
                f" TO '{tmp_path}/{name}.csv'"
            )
    spill = tmp_path / "spill"
    spill.mkdir()
    words = [sys.executable, "-m", "weighbridge", "diff", "left.csv", "right.csv", "-k", "id"]
    environment = {**os.environ, "WEIGHBRIDGE_TMPDIR": str(spill)}
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, said = process.communicate(timeout=15)
    assert process.returncode == 130, said
    # 5 s for the work to end, and what a loaded machine takes to leave.
    assert time.monotonic() - began < 8
    assert "nothing is left running" in said
    assert not list(spill.iterdir())


def _terminal_text(terminal: int) -> str:
    text = b""
    try:
        while chunk := os.read(terminal, 65536):
            text += chunk
    except OSError:
        pass  # Linux says EIO where the other end of a terminal is closed
    finally:
        os.close(terminal)
    return text.decode(errors="replace")


def test_connection_is_tested_step_by_step(folder: Path) -> None:
    ran = _ran(folder, "connections", "test", "both")
    assert ran.returncode == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        "configured",
        "secret",
        "connected",
        "query",
    ]
    ran = _ran(folder, "connections", "test", "bath")
    assert ran.returncode == 2
    assert "connections list" in ran.stderr


def test_connection_that_cannot_be_reached_is_3(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_CONNECTION_NOWHERE", "postgresql://u:hunter2@127.0.0.1:1/d")
    ran = _ran(folder, "connections", "test", "nowhere")
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("secret")
    assert "hunter2" not in ran.stdout + ran.stderr
