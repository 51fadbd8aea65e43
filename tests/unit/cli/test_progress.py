from __future__ import annotations

import io

import pytest

from weighbridge.cli.progress import ProgressLine, time_range
from weighbridge.compare.request import Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _line(*, live: bool, quiet: bool = False) -> tuple[ProgressLine, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return ProgressLine(stream, quiet=quiet, clock=clock, live=live), stream, clock


def test_plain_lines_come_every_ten_seconds_without_control_codes() -> None:
    line, stream, clock = _line(live=False)
    for second in range(60):
        clock.now = float(second)
        line.take(Progress("reading", second * 10, 600))
        line.tick()
    line.clear()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert all(text.startswith("weighbridge: reading · ") for text in lines)
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_live_line_is_drawn_twice_a_second_at_most_and_taken_away() -> None:
    line, stream, clock = _line(live=True)
    for tick in range(100):
        clock.now = tick / 100
        line.tick()
    line.clear()
    assert stream.getvalue().count("\r\x1b[2K") <= 3
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_quiet_is_quiet() -> None:
    line, stream, clock = _line(live=True, quiet=True)
    clock.now = 100.0
    line.tick()
    assert not stream.getvalue()


def test_time_left_is_unknown_before_a_tenth_and_right_after_it() -> None:
    line, stream, clock = _line(live=False)
    for second in range(0, 200, 5):
        clock.now = float(second)
        line.take(Progress("reading", second * 1000, 1_000_000))
        line.tick()
    lines = stream.getvalue().splitlines()
    assert "time left unknown" in lines[0]
    at_100 = next(text for text in lines if "100,000" in text)
    assert "about 15 min left" in at_100
    assert at_100.endswith("1 min 40 s so far")


def test_hostile_phase_is_made_safe() -> None:
    line, stream, clock = _line(live=False)
    clock.now = 11.0
    line.take(Progress("\x1b[2Jx", 1, None))
    line.tick()
    assert "\x1b" not in stream.getvalue()


def test_a_closed_stderr_does_not_end_the_work() -> None:
    line, stream, clock = _line(live=False)
    stream.close()
    clock.now = 11.0
    line.tick()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (40, 55, "40 to 55 s"),
        (90, 200, "2 to 3 min"),
        (0.1, 0.2, "about 1 s"),
        (170, 190, "about 3 min"),
        (7000, 8000, "about 2 h"),
    ],
)
def test_time_range(low: float, high: float, words: str) -> None:
    assert time_range(low, high) == words


def test_after_the_end_nothing_is_drawn() -> None:
    line, stream, clock = _line(live=True)
    clock.now = 1.0
    line.tick()
    line.end()
    drawn = stream.getvalue()
    assert drawn.endswith("\r\x1b[2K")
    clock.now = 100.0
    line.tick()
    assert stream.getvalue() == drawn
