"""What GitHub Actions shows: an annotation, and the report in the job's summary.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from weighbridge.compare.result import Report

# GitHub refuses a step's summary above 1 MiB.
_MOST_BYTES = 1_000_000


def annotate(around: Surroundings, title: str, text: str) -> None:
    """Write an error annotation, to stderr: the runner reads it there, and stdout is the result's."""
    if around.environ.get("GITHUB_ACTIONS") == "true":
        around.say(f"::error title={_property(title)}::{_data(text)}")


def summarise(around: Surroundings, report: Report) -> None:
    """Append the Markdown report to the job's summary, where there is one."""
    path = around.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from weighbridge.report.as_markdown import markdown  # noqa: PLC0415 loaded on use

    body = markdown(report).encode()[:_MOST_BYTES].decode(errors="ignore")
    try:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(body.rstrip("\n") + "\n\n")
    except OSError as error:
        around.say(f"weighbridge: the job's summary cannot be written: {error.strerror}.")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
