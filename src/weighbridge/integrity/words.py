"""What was found of a model, and of a job, in words that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.report.words import listed, plural
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from weighbridge.integrity.results import Result
    from weighbridge.integrity.store import Job

_NEXT = {
    "missing": "should be at the destination and are not",
    "incorrect": "are not what they should be",
    "orphaned": "are at the destination and not in the source any more",
    "pending": "will come with the next transfer",
    "stale": "will be brought up to date by the next transfer",
}
# What a repair does with the rows of a class.
REPAIRED = {
    "missing": "{rows} will be added as the source has them, if no such row is there by then.",
    "incorrect": "{rows} will be changed to what the source has, if nobody changed them meanwhile.",
    "orphaned": "{rows} that the source does not have will be deleted, if nobody changed them.",
}
_ORDER = ("missing", "incorrect", "orphaned", "pending", "stale")
_WORDS = {
    "PENDING": "The job waits for a worker.",
    "CANCELLED": "The job was cancelled.",
}


def told(
    found: Result, not_there: Sequence[str], *, table: bool = True, changed: bool = False
) -> str:
    """Say what was found of a model."""
    name = safe_text(found.model_name)
    compared = f"{name}: {plural(found.compared, 'row')} compared"
    if not table and not found.counts.get("missing"):
        return f"{name}: not delivered yet; {plural(found.compared, 'row')} will be."
    parts = [
        f"{found.counts[kind]:,} {kind} ({_NEXT[kind]})"
        for kind in _ORDER
        if found.counts.get(kind)
    ]
    verdict = "healthy" if found.healthy else "NOT healthy"
    said = f"{compared}; {verdict}{': ' if parts else ''}{'; '.join(parts)}."
    if not table:
        said += " The table is not there any more: a full refresh makes it anew."
    elif not found.healthy:
        said += " A repair or a full refresh puts it right."
    if changed:
        said += " The model was changed since it was delivered: the next transfer is a full one."
    if not_there:
        said += f" Not compared, because they came to the model since: {listed(not_there)}."
    return said


def failed(model_name: str, error: Mapping[str, Any]) -> str:
    """Say why nothing is known of a model."""
    return safe_text(f"{model_name}: failed. {error['message']} {error['next_step']}")


def failed_for_recipient(error: Mapping[str, Any]) -> str:
    """Say that something failed to somebody who is not told where rows come from."""
    return f"It could not be checked ({error['code']}). Ask the operator."


def log_message(job: Job, *, inside: bool) -> str:
    """Say how a job stands: a line for each model that is finished, and what it does now.

    `inside`: for those who may know where a model comes from.
    """
    lines = [_line(result, inside=inside) for result in job.results]
    progress = job.progress or {}
    again = progress.get("again")
    if job.error is not None:
        error = job.error
        said = f"{error['message']} {error['next_step']}" if inside else failed_for_recipient(error)
        lines.append(safe_text(said))
    elif again:
        why = f": {safe_text(again['error']['message'])}" if inside else "."
        lines.append(
            f"Try {again['tries']} of {again['of']} failed, and the job is tried again by and by{why}"
        )
    elif job.status == "RUNNING":
        model = safe_text(str(progress.get("model") or "")) or "the first model"
        lines.append(f"Under way: {model}, {progress.get('rows', 0):,} rows read.")
    elif job.status in _WORDS:
        lines.append(_WORDS[job.status])
    return "\n".join(lines)


def _line(result: Result, *, inside: bool) -> str:
    if inside or result.error is None:
        return result.log
    return f"{safe_text(result.model_name)}: {failed_for_recipient(result.error)}"
