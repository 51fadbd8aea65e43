"""Where the server's data folder is, and whether a server runs in it. Nothing is made."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path

from weighbridge.errors import BadArgument
from weighbridge.settings import path, variable_text

DEFAULT = Path(".weighbridge")


def folder_of(data: Path | None, environ: Mapping[str, str]) -> Path:
    """Say which folder is the server's. Raises BadArgument."""
    return (data or path(said("WEIGHBRIDGE_DATA", environ) or str(DEFAULT))).absolute()


def said(name: str, environ: Mapping[str, str]) -> str | None:
    """Give a variable's text. Raises BadArgument."""
    try:
        found = variable_text(name, environ)
    except ValueError as error:
        raise BadArgument(f"{error}.", next_step="Correct the variable.") from None
    return found[0] if found else None


def served(folder: Path) -> bool:
    """Tell whether a server runs in a folder."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
