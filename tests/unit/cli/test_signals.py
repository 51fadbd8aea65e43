"""Ctrl-C and its like, in a real process on a real terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]


def _start(
    answer: str, *words: str, witness: Path | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command with a terminal as its three streams; give it and the terminal's end."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "FAKE_WITNESS": str(witness or "")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.cli.fake", answer, "diff", "l.csv", "r.csv", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def _read_until(terminal: int, wanted: str, seconds: float = 20) -> str:
    text, until = "", time.monotonic() + seconds
    while wanted not in text:
        assert time.monotonic() < until, text
        text += os.read(terminal, 65536).decode(errors="replace")
    return text


def _rest(terminal: int) -> str:
    text = b""
    try:
        while chunk := os.read(terminal, 65536):
            text += chunk
    except OSError:
        pass  # Linux says EIO where the other end of a terminal is closed
    finally:
        os.close(terminal)
    return text.decode(errors="replace")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 5), (signal.SIGHUP, 5)]
)
def test_signal_cancels_the_queries_and_ends_in_time(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    witness = tmp_path / "witness"
    process, terminal = _start("slow", witness=witness)
    _read_until(terminal, "reading")
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == code
    assert time.monotonic() - began < 5
    assert witness.read_text(encoding="utf-8") == "cancelled"
    text = _rest(terminal)
    assert "Traceback" not in text
    assert ("nothing is left running" if code == 130 else "code: cancelled") in text


def test_work_that_does_not_end_is_left_after_five_seconds() -> None:
    process, terminal = _start("deaf")
    _read_until(terminal, "reading")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 130
    assert 4.5 < time.monotonic() - began < 8
    assert "did not end within 5 s" in _rest(terminal)


def test_second_signal_leaves_at_once() -> None:
    process, terminal = _start("deaf")
    _read_until(terminal, "reading")
    process.send_signal(signal.SIGINT)
    _read_until(terminal, "stopping")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert time.monotonic() - began < 1
    os.close(terminal)


def test_live_line_names_phase_rows_and_share() -> None:
    process, terminal = _start("slow")
    text = _read_until(terminal, "time left unknown")
    assert "reading · " in text
    assert "of about 600,000 rows" in text
    process.send_signal(signal.SIGINT)
    process.wait(10)
    os.close(terminal)


def test_no_color_and_parquet_on_a_terminal() -> None:
    process, terminal = _start("same", "-o", "parquet")
    text = _rest(terminal)
    assert process.wait(10) == 2
    assert "would garble the terminal" in text


def test_table_on_a_terminal_has_colours_unless_told_not_to() -> None:
    coloured, plain = _start("different"), _start("different", "--no-color")
    texts = [_rest(coloured[1]), _rest(plain[1])]
    assert [coloured[0].wait(10), plain[0].wait(10)] == [1, 1]
    assert all("DIFFERENT" in text for text in texts)
    assert "\x1b[3" not in texts[1]


def test_reader_that_goes_away_is_no_failure() -> None:
    command = f"{sys.executable} -m tests.unit.cli.fake many diff l r --json | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "1"
    assert not done.stderr
