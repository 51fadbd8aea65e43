"""What each process of the server does at its start: where it logs, and with whom it ends.

Logs are events with ids, one JSON object a line on stderr; no row's values and no secrets.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping

import structlog

from weighbridge.errors import BadArgument
from weighbridge.settings import seconds, variable_text

SUPERVISED = "WEIGHBRIDGE_SUPERVISED"
GRACE = 20.0


def needed(name: str) -> str:
    """Give a variable that a process of the server cannot do without. Raises BadArgument."""
    try:
        said = variable_text(name, os.environ)
    except ValueError as error:
        raise BadArgument(f"{error}.", next_step="Correct the variable.") from None
    if said is None:
        raise BadArgument(
            f"{name} is not set.", next_step="Set it, or start with `weighbridge serve`."
        )
    return said[0]


def grace_seconds(environ: Mapping[str, str]) -> float:
    """Tell how long a worker that is to end may finish what it runs. Raises BadArgument."""
    try:
        said = variable_text("WEIGHBRIDGE_GRACE", environ)
        return GRACE if said is None else seconds(said[0])
    except ValueError as error:
        raise BadArgument(f"WEIGHBRIDGE_GRACE: {error}.", next_step="Correct it.") from None


def begin(name: str) -> None:
    """Set the logs up; end with the supervisor, whatever happens to it."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=name, pid=os.getpid())
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_end_with_parent, name="supervised", daemon=True).start()


def _end_with_parent() -> None:
    # The supervisor holds the other end of stdin and writes nothing: its end is the end of file.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
