"""An error as a person, a script and an exit code see it. No secret passes here."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable

from weighbridge.catalog.secrets import scrubbed, secrets_of
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import RunFailed, WeighbridgeError
from weighbridge.types.safe_text import safe_text

DOCS = "docs/reference/exit-codes.md"
TURN = {
    "caller": "you: the request",
    "connection": "the connection or the other system",
    "data": "the data",
    "us": "weighbridge",
}


class Internal(RunFailed):
    """A fault of weighbridge itself."""

    code = "internal"


def as_ours(error: Exception) -> WeighbridgeError:
    """Give an error of the tree; anything else is a fault of ours."""
    if isinstance(error, WeighbridgeError):
        return error
    words = str(error).strip().splitlines()
    said = f": {words[0]}" if words else ""
    return Internal(
        f"This is a fault of weighbridge ({type(error).__name__}{said}).",
        next_step="Run it again with --debug and report what it prints.",
    )


def report_error(
    error: Exception,
    around: Surroundings,
    *,
    secrets: frozenset[str] = frozenset(),
    form: str | None = None,
    debug: bool = False,
) -> int:
    """Say what went wrong and give the exit code.

    Machines that asked for JSON get the error as JSON on stdout as well.
    """
    ours = as_ours(error)
    if debug:
        trace = "".join(traceback.format_exception(error))
        around.say("\n".join(_safe_lines(trace, secrets)))
    message, step = (clean(text, secrets) for text in (ours.message, ours.next_step))
    around.say(f"weighbridge: {message}")
    around.say(f"  next: {step}")
    around.say(f"  turn: {TURN[ours.blame]} · code: {ours.code} · see {DOCS}#{ours.code}")
    if form in {"json", "ndjson"}:
        body = ours.as_dict() | {"message": message, "next_step": step}
        print(json.dumps({"error": body}), file=around.stdout, flush=True)
    return ours.exit_code


def clean(text: str, secrets: frozenset[str]) -> str:
    """Make a message safe to print: no secret, no control code; line breaks stay."""
    return "\n  ".join(_safe_lines(text, secrets))


def _safe_lines(text: str, secrets: frozenset[str]) -> list[str]:
    return [safe_text(line.rstrip()) for line in scrubbed(text, secrets).splitlines()]


def secrets_in(sides: Iterable[str]) -> frozenset[str]:
    """Gather the secrets of sides that are URLs."""
    return frozenset[str]().union(*(secrets_of(side) for side in sides))
