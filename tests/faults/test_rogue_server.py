"""Hostile servers (T24): they get no file of ours, and they do not make us hang or swell."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.command import diff
from tests.faults.rogue_mysql import Rogue, Trick, rogue_mysql

# The driver that reads rows meets the rogue alone, in a process of its own: it may panic.
READER = """
import sys, connectorx
connectorx.read_sql(sys.argv[1], "select 1 as a", return_type="arrow")
"""


def _assert_nothing_given(rogue: Rogue) -> None:
    """Whatever came back is a command (quit, query), not a file's text."""
    assert Path("/etc/passwd").read_bytes()[:16] not in rogue.stolen
    assert rogue.stolen[:1] in {b"", b"\x01", b"\x03"}, rogue.stolen[:40]


@pytest.mark.parametrize("polite", [0, 3])
def test_pymysql_gives_no_file(polite: int) -> None:
    with rogue_mysql("local_infile", polite=polite) as rogue:
        ran = diff(f"mysql://u:p@127.0.0.1:{rogue.port}/d#t", "mysql://u@127.0.0.1:1/d#t")
        assert rogue.asked
        _assert_nothing_given(rogue)
    assert ran.code in {3, 4}
    ran.is_clean()


def test_connectorx_gives_no_file() -> None:
    with rogue_mysql("local_infile") as rogue:
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, f"mysql://u:p@127.0.0.1:{rogue.port}/d"],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while not rogue.asked and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)  # it would try again for half a minute
        reader.kill()
        reader.wait()
        assert rogue.asked
        _assert_nothing_given(rogue)


@pytest.mark.parametrize("trick", ["garbage", "mute"])
def test_nonsense_and_silence_end_with_an_error(trick: Trick) -> None:
    with rogue_mysql(trick) as rogue:
        ran = diff(f"mysql://u:p@127.0.0.1:{rogue.port}/d#t", "mysql://u@127.0.0.1:1/d#t")
        assert rogue.asked
    assert ran.code in {3, 4}
    assert ran.seconds < 20
    ran.is_clean()
