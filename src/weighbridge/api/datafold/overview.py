"""The page that clients print for a diff: its report, for a person with a browser and a key.

Datafold's clients end with the line `<host>/datadiffs/<id>/overview`. The page is the report that
the command writes as HTML; until there is one, it says where the diff stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter

from weighbridge import datadiffs
from weighbridge.api.auth import ReadsDiffsInBrowser
from weighbridge.compare.result import Report
from weighbridge.datadiffs.feedback import feedback
from weighbridge.report.as_html import notice, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

_REPORT = TypeAdapter(Report)
_HEADERS = {
    # The page's own policy is in its head; these two a page cannot say for itself.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Seconds after which the page of a diff that is not done asks again.
_AGAIN = 3
_TITLES = {"waiting": "Waiting", "processing": "Under way", "failed": "Failed"}


def add_overview(app: FastAPI, facade: str) -> None:
    """Serve the page below the path of a facade, which is mounted there, too."""

    @app.get(f"{facade}/datadiffs/{{number}}/overview", response_class=HTMLResponse)
    def overview(
        caller: ReadsDiffsInBrowser, number: Annotated[int, Path(ge=1, lt=2**63)]
    ) -> HTMLResponse:
        with caller.sees() as connection:
            diff = datadiffs.get(connection, number)
        return HTMLResponse(_page(diff), headers=_HEADERS)


def _page(diff: datadiffs.Diff) -> str:
    name = f"Datadiff {diff.id}"
    if diff.report is not None:
        return page(_report(diff.report), title=name, at=diff.finished_at)
    ended = diff.status not in {"waiting", "processing"}
    title = _TITLES.get(diff.status, "Cancelled")
    return notice(name, f"{title}: {name}", feedback(diff), again=None if ended else _AGAIN)


def _report(body: Mapping[str, Any]) -> Report:
    """Make the report of its JSON. Values that JSON does not know stay as they were written."""
    consistency = body["consistency"]
    sides = (consistency["left"], consistency["right"])
    return _REPORT.validate_python({**body, "consistency": sides})
