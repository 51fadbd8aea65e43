"""A file is whole or as it was; a terminal gets no control code even from a machine format."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from tests.unit.report.samples import FakeComparison, flights, hostile
from weighbridge.errors import BadArgument, SpillFull
from weighbridge.report import Format, write
from weighbridge.report.target import opened


class Screen(io.BytesIO):
    """A binary stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def write_half(place: Path, error: Exception) -> None:
    with opened(place) as stream:
        stream.write(b"half")
        raise error


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    place.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(place, RuntimeError())
    assert place.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write(FakeComparison(flights()), "html", tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_mode == usual.stat().st_mode
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "usual"]


def test_an_old_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.touch(mode=0o640)
    link.symlink_to(real)
    write(FakeComparison(flights()), "json", link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().startswith(b"{")


def test_no_such_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="cannot be written") as caught:
        write(FakeComparison(flights()), "json", tmp_path / "none" / "a.json")
    assert caught.value.next_step


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpillFull):
        write_half(tmp_path / "a", OSError(errno.ENOSPC, "full"))
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        write(FakeComparison(flights()), "json", pipe)
        assert reader.communicate()[0].startswith(b"{")
    assert pipe.is_fifo()


def test_a_terminal_gets_csv_without_control_codes() -> None:
    screen = Screen()
    write(FakeComparison(hostile("\x1b]0;x\x07\u202e\nb")), "csv", cast("BinaryIO", screen))
    text = screen.getvalue().decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "␛]0;x␇" in text


def test_a_terminal_gets_no_parquet() -> None:
    with pytest.raises(BadArgument, match="garble"):
        write(FakeComparison(flights()), "parquet", cast("BinaryIO", Screen()))


def test_unknown_format() -> None:
    with pytest.raises(BadArgument, match="no output format"):
        write(FakeComparison(flights()), cast("Format", "xlsx"), io.BytesIO())


def test_the_door_is_light() -> None:
    code = (
        "import sys, weighbridge.report, weighbridge.report.words; "
        "print([m for m in ('rich', 'pyarrow', 'html', 'xml', 'difflib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
