"""A comparison's result as a table, a file, a page.

Callers are the doors (command, web). They give a comparison and a target to `write`; what it
says is in `words.py`, once for every format. Cell data is hostile here: whatever reaches a
terminal or a page has gone through `safe_text` and the format's own escape. This room asks
no side anything, and changes no value in the formats for machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.report.write import FORMATS, Compared, Format, Look, write

if TYPE_CHECKING:
    from weighbridge.report.as_json import report_dict
    from weighbridge.report.as_markdown import markdown

__all__ = [
    "FORMATS",
    "Compared",
    "Format",
    "Look",
    "markdown",
    "report_dict",
    "write",
]

_HOME = {
    "markdown": "as_markdown",
    "report_dict": "as_json",
}


def __getattr__(name: str) -> Any:
    # rich loads with the first thing that is drawn: `weighbridge --help` must not pay for it.
    if name in _HOME:
        from importlib import import_module  # noqa: PLC0415 part of the lazy door

        return getattr(import_module(f"weighbridge.report.{_HOME[name]}"), name)
    raise AttributeError(name)
