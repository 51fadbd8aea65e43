"""A page on which a facade can be tried out: Swagger UI, from this machine alone.

Its files come with the package fastapi-offline, which is read and not imported. Nothing is fetched
from elsewhere, the policy of the page forbids it, and the key that a person types stays in the
page's memory: it is gone with the tab.
Source: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/.
"""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from weighbridge.errors import MissingExtra

if TYPE_CHECKING:
    from fastapi import FastAPI

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript; the description itself is at openapi.json.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/begin.js"></script>
</body>
</html>
"""
# validatorUrl: by default the page would send the description to a server on the net.
_BEGIN = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  requestSnippetsEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""


def pages_of(facade: str) -> frozenset[str]:
    """Name the public paths that `add_page` adds."""
    return frozenset({f"{facade}/docs", f"{facade}/docs/{{name}}"})


def add_page(app: FastAPI, facade: str, *, title: str) -> None:
    """Serve the page of the facade that is mounted at this path. Raises MissingExtra."""
    files = _files()
    page = _PAGE.format(title=escape(title))

    @app.get(f"{facade}/docs")
    def docs() -> HTMLResponse:
        return HTMLResponse(page, headers=_HEADERS)

    @app.get(f"{facade}/docs/{{name}}")
    def docs_file(name: str) -> Response:
        if name == "begin.js":
            return Response(_BEGIN, media_type="text/javascript", headers=_HEADERS)
        if name not in files:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(files[name], headers=_HEADERS)


def _files() -> dict[str, Path]:
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise MissingExtra(
            "The page of the API needs fastapi-offline.",
            next_step="Install it with: pip install 'weighbridge[server]'.",
        )
    folder = Path(found.origin).parent / "static"
    return {name: folder / name for name in ("swagger-ui.css", "swagger-ui-bundle.js")}
