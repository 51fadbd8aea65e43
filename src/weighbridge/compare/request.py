"""What a comparison is asked to do, as values. The doors (library, command) build these."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from weighbridge.errors import Cancelled

Strategy = Literal["auto", "checksum", "stream", "join"]
# Short beside the seconds that a person gives an end, long beside what asking a server costs.
INSIST_SECONDS = 0.5
StrPair = tuple[str | None, str | None]


@dataclass(frozen=True)
class Tolerance:
    """How far two values may be apart and still be equal under a rule.

    `absolute`: |left - right| <= amount. `relative`: |left - right| <= amount * |right|.
    `time`: the two moments are at most `amount` seconds apart.
    """

    mode: Literal["absolute", "relative", "time"]
    amount: float

    @property
    def label(self) -> str:
        """Say the tolerance in words."""
        if self.mode == "time":
            return f"within {self.amount:g} s"
        if self.mode == "relative":
            return f"within {self.amount * 100:g} %"
        return f"within {self.amount:g}"


@dataclass(frozen=True)
class SampleWish:
    """Look at a share of the keys only, chosen by a hash of the key that both sides share.

    `rate` is the share, 0 to 1; without one it is chosen so that, were more than `tolerance`
    (0 to 1) of the rows different, at least one would be seen with `confidence` (0 to 1).
    """

    rate: float | None = None
    tolerance: float = 0.001
    confidence: float = 0.99
    seed: int = 0


@dataclass(frozen=True)
class Budget:
    """Limits that refuse, with the reason, before or while the work is done. None: no limit."""

    max_rows: int | None = None
    max_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Options:
    """Everything but the two sides. Column names are the left's unless said otherwise.

    `right_first`: what is read again is read on the right before the left's moment is chosen, so
    that no row that lies on the right was written after that moment.
    """

    key: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict[str, str])
    where: StrPair = (None, None)
    updated_column: str | None = None
    since: str | None = None
    until: str | None = None
    tolerances: dict[str, Tolerance] = field(default_factory=dict[str, Tolerance])
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    sample: SampleWish | None = None
    strategy: Strategy = "auto"
    limit: int = 100
    budget: Budget = Budget()
    snapshot: bool = True
    paranoid: bool = False
    recheck: float | None = None
    right_first: bool = False
    explain: bool = True
    memory: int = 96 * 2**20


@dataclass(frozen=True)
class Progress:
    """Where the work is. `total` is an estimate of rows, None while unknown."""

    phase: str
    rows: int
    total: int | None


class Stop:
    """A switch that ends a comparison from another thread or a signal handler.

    Work in progress registers what must be cancelled (a server's query, a local one) by `on_set`.
    A query that begins just after it was cancelled is missed: who waits for the end, insists.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []

    @property
    def is_set(self) -> bool:
        """Tell whether the work should end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled if the switch is set."""
        if self._event.is_set():
            raise Cancelled("The diff was cancelled.", next_step="Run it again when you like.")

    def on_set(self, action: Callable[[], None]) -> None:
        """Call `action` when the switch is set; at once where it already is."""
        with self._lock:
            self._actions.append(action)
            late = self._event.is_set()
        if late:
            action()

    def set(self) -> None:
        """Flip the switch and cancel what is running; each further call cancels again."""
        with self._lock:
            actions = list(self._actions)
            self._event.set()
        for action in actions:
            # What was closed meanwhile need not be cancelled; the other side still must be.
            with suppress(Exception):
                action()

    def insist(self, done: threading.Event) -> None:
        """Set, and set again every half second until the work says that it is done."""
        self.set()
        while not done.wait(INSIST_SECONDS):
            self.set()


ProgressCallback = Callable[[Progress], None]
