"""The description is whole: each operation says all that a client or a page needs to know.

A route that comes later is held to it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Mount

from weighbridge.api.app import make_app
from weighbridge.api.faults import PROBLEM
from weighbridge.api.openapi import operations
from weighbridge.catalog.api_keys import SCOPES
from weighbridge.store.database import Database
from weighbridge.store.sealed import KeyRing

Said = dict[str, Any]


def facades() -> dict[str, Said]:
    """Give the description of each of Datafold's facades, by its path. Nothing is connected to."""
    app = make_app(Database("postgresql://nobody@127.0.0.1:1/none"), KeyRing({1: b"k" * 32}))
    return {
        route.path: route.app.openapi()  # type: ignore[attr-defined]
        for route in app.routes
        if isinstance(route, Mount) and route.path.startswith("/datafold")
    }


FACADES = facades()
ALL = [
    pytest.param(
        prefix, path, method,
        id=f"{prefix} {method} {path}",
    )
    for prefix, body in FACADES.items()
    for path, method, _ in operations(body)
]  # fmt: skip


def test_there_are_operations() -> None:
    assert "/datafold" in FACADES
    assert len(ALL) >= 12


@pytest.mark.parametrize(("prefix", "path", "method"), ALL)
def test_an_operation_says_all(prefix: str, path: str, method: str) -> None:
    body = FACADES[prefix]
    operation = body["paths"][path][method]
    assert list(lacks(body, method, operation)) == []


def lacks(body: Said, method: str, operation: Said) -> Iterator[str]:
    """Name what an operation does not say."""
    for part in ("summary", "description", "operationId", "tags"):
        if not operation.get(part):
            yield part
    if (operation.get("summary") or "").lower() == operation["operationId"].replace("_", " "):
        yield "a summary of its own: this one is the function's name"
    yield from _lacks_of_key(body, operation)
    yield from _lacks_of_parameters(body, method, operation)
    expected = {"401", "403", "422", "503"} | ({"413"} if method != "get" else set())
    expected |= {"404"} if any(p["in"] == "path" for p in operation["parameters"]) else set()
    yield from (f"answer {status}" for status in expected - set(operation["responses"]))
    if "requestBody" in operation:
        yield from _lacks_of_content(body, "request", operation["requestBody"]["content"])
    for status, answer in operation["responses"].items():
        yield from _lacks_of_content(body, status, answer.get("content", {}))
        if "X-Request-Id" not in answer.get("headers", {}):
            yield f"{status}: X-Request-Id"
        if not answer.get("description"):
            yield f"{status}: description"
        if not status.startswith("2") and set(answer["content"]) != {PROBLEM}:
            yield f"{status}: a problem"


def _lacks_of_key(body: Said, operation: Said) -> Iterator[str]:
    schemes = body["components"]["securitySchemes"]
    given = operation.get("security") or []
    if {name for one in given for name in one} != {"Key", "Bearer"}:
        yield "both ways to give a key"
    for one in given:
        for name, scopes in one.items():
            if name not in schemes or len(scopes) != 1 or scopes[0] not in SCOPES:
                yield f"the scope it needs, under {name}"


def _lacks_of_parameters(body: Said, method: str, operation: Said) -> Iterator[str]:
    names = [p["name"] for p in operation["parameters"]]
    if ("Idempotency-Key" in names) != (method == "post"):
        yield "Idempotency-Key for POST, and for POST alone"
    for parameter in operation["parameters"]:
        schema = parameter["schema"]
        name = f"parameter {parameter['name']}"
        if not (schema.get("type") or schema.get("$ref") or schema.get("anyOf")):
            yield f"{name}: type"
        if "null" in str(schema):
            yield f"{name}: null cannot be sent"
        told = "enum" in schema or "examples" in schema or schema.get("type") != "string"
        if not told:
            yield f"{name}: examples or its words"
        yield from _wrong(body, name, schema, schema.get("examples", []))


def _lacks_of_content(body: Said, what: str, content: Said) -> Iterator[str]:
    if not content:
        yield f"{what}: content"
    for kind, said in content.items():
        schema = said.get("schema") or {}
        if not schema or schema == {"type": "object", "additionalProperties": True}:
            yield f"{what} {kind}: schema"
        if schema.get("format") == "binary":
            continue  # no text shows it
        shown = [*([said["example"]] if "example" in said else []), *examples_of(body, schema)]
        if not shown:
            yield f"{what} {kind}: example"
        yield from _wrong(body, f"{what} {kind}", schema, shown)


def examples_of(body: Said, schema: Said) -> list[Any]:
    """Give the examples of a schema: its own, those of each choice, or a list of its items'."""
    if "$ref" in schema:
        return examples_of(body, resolved(body, schema))
    if "examples" in schema:
        return schema["examples"]
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        found = [examples_of(body, choice) for choice in choices]
        return [one for each in found for one in each] if all(found) else []
    if schema.get("type") == "array":
        inner = examples_of(body, schema["items"])
        return [inner] if inner else []
    return []


def resolved(body: Said, schema: Said) -> Said:
    """Follow a reference within the description."""
    return body["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def _wrong(body: Said, what: str, schema: Said, shown: list[Any]) -> Iterator[str]:
    whole = {**schema, "components": body["components"]}
    for one in shown:
        for error in Draft202012Validator(whole).iter_errors(one):
            yield f"{what}: the example is wrong: {error.message[:200]}"


@pytest.mark.parametrize("prefix", FACADES)
def test_schemas(prefix: str) -> None:
    body = FACADES[prefix]
    schemas: dict[str, Said] = body["components"]["schemas"]
    assert "HTTPValidationError" not in str(body)
    names = [said["operationId"] for _, _, said in operations(body)]
    assert len(set(names)) == len(names)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description") or "enum" in schema, name
        for example in schema.get("examples", []):
            assert list(_wrong(body, name, schema, [example])) == []


def test_a_lack_is_found() -> None:
    """What this test looks for, it finds: each part taken away is named."""
    body = FACADES["/datafold"]
    whole = body["paths"]["/api/v1/datadiffs"]["post"]
    for part, named in {
        "summary": "summary", "description": "description", "tags": "tags",
        "security": "both ways to give a key",
    }.items():  # fmt: skip
        assert named in list(lacks(body, "post", {**whole, part: None})), part
    answers = {s: a for s, a in whole["responses"].items() if s != "413"}
    assert "answer 413" in list(lacks(body, "post", {**whole, "responses": answers}))
    bare = {"200": {"description": "ok", "content": {"application/json": {"schema": {}}}}}
    found = list(lacks(body, "post", {**whole, "responses": {**whole["responses"], **bare}}))
    assert "200 application/json: schema" in found
    assert "200 application/json: example" in found
    assert "Idempotency-Key for POST, and for POST alone" in list(
        lacks(body, "post", {**whole, "parameters": []})
    )
