"""A facade's description in OpenAPI: what its routes say, and what holds for every one of them.

Said here once: how a key is given and which scope it needs, the problems that any operation may
answer with, the header that makes a POST safe to send again.
Source: https://spec.openapis.org/oas/v3.1.1.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from weighbridge.api.auth import routes_of, scope_of
from weighbridge.api.faults import PROBLEM, TITLES

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import APIRoute

_DETAILS = {
    401: "Give a valid API key.",
    403: "This key has not the scope diffs:read.",
    404: "There is no diff 7. GET /api/v1/datadiffs lists those that this key may see.",
    409: "The diff 7 is waiting. Ask again when it is done.",
    413: "The body is larger than 1,000,000 bytes.",
    422: "body.pk_columns: Field required.",
    429: "This key has 1,000 datadiffs waiting or running, and may have no more.",
    503: "Our own database cannot be used just now. The request can be made again.",
}
_EVERY = {
    401: "No valid API key.",
    403: "The key lacks the scope.",
    422: "The request cannot be carried out; detail says what to change.",
    503: "Our own database cannot be used just now; Retry-After says when to ask again.",
}
_WITH_BODY = {413: "The body is too large."}
_SCHEMES = {
    "Key": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The word `Key`, a space, and an API key: `Key wbk_production_…`. The key"
        " alone does too.",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An API key as a bearer token."},
}
_HEADERS = {
    "X-Request-Id": {
        "description": "Names this request in the server's log; yours, if you sent one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
}
_LATER = {
    "Retry-After": {
        "description": "Seconds.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_HEADERS_OF = {
    "401": {
        "WWW-Authenticate": {
            "description": "How a key is given.",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    "429": _LATER,
    "503": _LATER,
}
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}


class Problem(BaseModel):
    """What went wrong, and what to do next (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    # Names this occurrence, for whoever reads the log.
    instance: str
    # Each field that cannot be read: loc, msg, type.
    errors: list[dict[str, Any]]


def describe(facade: FastAPI) -> None:
    """Make a facade publish its whole description. Raises RuntimeError for a name used twice."""
    plain = facade.openapi
    routes = {
        (route.path, method.lower()): route
        for route in routes_of(facade.routes)
        for method in route.methods or ()
    }

    def whole() -> dict[str, Any]:
        if facade.openapi_schema is None:
            body = plain()
            for path, method, operation in operations(body):
                _complete(operation, method, routes[path, method])
            schemas = body.setdefault("components", {}).setdefault("schemas", {})
            # FastAPI's words for a request that cannot be read; ours is a problem like any other.
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            _show(schemas, routes.values())
            schemas["Problem"] = {**Problem.model_json_schema(), "examples": [_example(404)]}
            body["components"]["securitySchemes"] = _SCHEMES
            facade.openapi_schema = body
        return facade.openapi_schema

    facade.openapi = whole
    named = [route.operation_id or route.name for route in routes.values()]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise RuntimeError(f"two operations are named {twice[0]}: rename one")


def operation_id(route: APIRoute) -> str:
    """Name an operation as its function: a client made from the description reads well."""
    return route.name


def operations(body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each operation of a description: (path, method, operation)."""
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(operation: dict[str, Any], method: str, route: APIRoute) -> None:
    scope = scope_of(route)
    operation["security"] = [{name: [scope]} for name in _SCHEMES]
    operation["parameters"] = [
        _parameter(one)
        for one in operation.get("parameters", [])
        # Every route asks for it; only a POST is done again.
        if method == "post" or one["name"] != "Idempotency-Key"
    ]
    said = operation["responses"]
    common = {**_EVERY, **(_WITH_BODY if method != "get" else {})}
    for status, description in common.items():
        said.setdefault(str(status), {"description": description})
    for status in sorted(said):
        if not status.startswith("2"):
            example = _example(int(status))
            content = {PROBLEM: {"schema": _PROBLEM_REF, "example": example}}
            said[status] = {"description": said[status]["description"], "content": content}
        said[status]["headers"] = {**_HEADERS, **_HEADERS_OF.get(status, {})}
    operation["responses"] = {status: said[status] for status in sorted(said)}


def _show(schemas: dict[str, Any], routes: Iterable[APIRoute]) -> None:
    """Put the models' examples back as they are: FastAPI leaves out each null in them."""
    for route in routes:
        bodies: list[Any] = [p.field_info.annotation for p in route.dependant.body_params]
        asked = [TypeAdapter(body).json_schema() for body in bodies]
        answered = TypeAdapter[Any](route.response_model).json_schema(mode="serialization")
        for whole in (*asked, answered):
            for name, said in {**whole.get("$defs", {}), whole.get("title"): whole}.items():
                # A model that is both asked for and answered has two descriptions.
                for place in (name, f"{name}-Input", f"{name}-Output"):
                    if place in schemas and "examples" in said:
                        schemas[place]["examples"] = said["examples"]


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """Leave null out: a parameter of a URL or a header is there or is not."""
    schema = dict(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if kinds:
        schema = {**kinds[0], **schema} if len(kinds) == 1 else {**schema, "anyOf": kinds}
    return {**parameter, "schema": schema}


def _example(status: int) -> dict[str, Any]:
    return {
        "type": "urn:weighbridge:no_such_diff" if status == 404 else "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": _DETAILS[status],
        "instance": "urn:uuid:6f2c2b0e-6f0b-4f5a-9d3c-2f1b7c1c9a10",
        "errors": [],
    }
