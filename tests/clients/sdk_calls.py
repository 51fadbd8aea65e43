"""Runs in the environment of datafold-sdk: calls its `DatafoldAPI` and prints what came of it.

On stdin: {"host", "headers", "calls": [[method, arguments…], …]}. On stdout: one JSON value for each
call, the answer as the library has read it, or {"error": its exception}. What is not theirs is not
imported: this file is no part of the tests' own process.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pydantic
from datafold_sdk.cli.cloud import datafold_api as theirs

BODIES = {
    "create_data_source": theirs.TDsConfig,
    "create_data_diff": theirs.TCloudApiDataDiff,
}


def call(api: Any, method: str, arguments: list[Any]) -> Any:
    if method in BODIES:
        arguments = [BODIES[method](**arguments[0])]
    return plain(getattr(api, method)(*arguments))


def plain(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    return [plain(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    asked = json.load(sys.stdin)
    api = theirs.DatafoldAPI("not used", asked["host"], asked["headers"], 30)
    for method, *arguments in asked["calls"]:
        try:
            answer = call(api, method, arguments)
        except Exception as error:  # noqa: BLE001 whatever a user would see
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
