"""One line that says where the work is: live on a terminal, now and then elsewhere, or never."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

from weighbridge.compare.request import Progress
from weighbridge.types.safe_text import safe_text

LIVE_SECONDS = 0.5
PLAIN_SECONDS = 10.0
# Before a tenth is done, an estimate is a guess.
HONEST_SHARE = 0.1
# Two speeds bound the estimate: that of the whole phase, and that of these last seconds.
RECENT_SECONDS = 15.0


class ProgressLine:
    """Takes news from any thread by `take`; the main thread draws by `tick`."""

    def __init__(
        self, stream: TextIO, *, quiet: bool, clock: Callable[[], float], live: bool | None = None
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty() if live is None else live
        self._quiet = quiet
        self._latest: Progress | None = None
        self._phase = ""
        self._history: deque[tuple[float, int]] = deque()
        self._began = (clock(), 0)
        self._start = clock()
        self._next = clock() + (LIVE_SECONDS if self._live else PLAIN_SECONDS)
        self._drawn = False
        self._drawing = threading.Lock()

    def take(self, progress: Progress) -> None:
        """Note the latest news; cheap, and safe from any thread."""
        self._latest = progress

    def tick(self) -> None:
        """Draw, if it is time to."""
        with self._drawing:
            now = self._clock()
            if not self._quiet and now >= self._next:
                self._draw(now)

    def _draw(self, now: float) -> None:
        self._next = now + (LIVE_SECONDS if self._live else PLAIN_SECONDS)
        text = self._text(now, self._latest or Progress("starting", 0, None))
        if self._live:
            width = max(shutil.get_terminal_size().columns - 1, 20)
            self._write(f"\r\x1b[2K{text[:width]}")
            self._drawn = True
        else:
            self._write(f"weighbridge: {text}\n")

    def clear(self) -> None:
        """Take the live line away, so that what follows starts on a clean line."""
        with self._drawing:
            if self._drawn:
                self._write("\r\x1b[2K")
                self._drawn = False

    def end(self) -> None:
        """Take the live line away for good: the result comes now. Safe from any thread."""
        self.clear()
        with self._drawing:
            self._quiet = True

    def _text(self, now: float, news: Progress) -> str:
        if news.phase != self._phase:
            self._phase, self._began = news.phase, (now, news.rows)
            self._history.clear()
        self._history.append((now, news.rows))
        while now - self._history[0][0] > RECENT_SECONDS:
            self._history.popleft()
        parts = [safe_text(news.phase)]
        if news.total:
            done = min(news.rows / news.total, 1.0)
            parts.append(f"{news.rows:,} of about {news.total:,} rows, {int(done * 100)} %")
            parts.append(self._remaining(now, news.rows, news.total))
        elif news.rows:
            parts.append(f"{news.rows:,} rows")
        # Where rows say nothing for a while (a server sorts, a join builds), time still moves.
        return " · ".join([*parts, f"{elapsed(now - self._start)} so far"])

    def _remaining(self, now: float, rows: int, total: int) -> str:
        if rows < total * HONEST_SHARE:
            return "time left unknown"
        if rows >= total:
            return "finishing"
        speeds = [
            (rows - start_rows) / (now - start)
            for start, start_rows in (self._began, self._history[0])
            if now > start and rows > start_rows
        ]
        if not speeds:
            return "time left unknown"
        lefts = sorted((total - rows) / speed for speed in speeds)
        return f"{time_range(lefts[0], lefts[-1])} left"

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads stderr any more; the result may still have its reader.
            self._quiet = True


def elapsed(seconds: float) -> str:
    """Write a time that has passed: `7 s`, `3 min 20 s`, `2 h 05 min`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def time_range(low: float, high: float) -> str:
    """Write a range of seconds in one unit: `40 to 55 s`, `2 to 3 min`, `about 3 min`."""
    unit, size = next(
        (u, s) for u, s in (("h", 3600), ("min", 60), ("s", 1)) if high >= 2 * s or s == 1
    )
    first, last = max(round(low / size), 1), max(round(high / size), 1)
    return f"about {last} {unit}" if first == last else f"{first} to {last} {unit}"
