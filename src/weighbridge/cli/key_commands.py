"""`weighbridge keys`: the keys of the API, for whoever runs the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.catalog.api_keys import ApiKey, list_keys, make_key, revoke_key
from weighbridge.cli.data_folder import Ground, ground
from weighbridge.cli.faults import report_error
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import BadArgument, WeighbridgeError
from weighbridge.store.audit import note
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def create(
    name: str, environment: str, scopes: Sequence[str], data: Path | None, *,
    as_json: bool, around: Surroundings,
) -> int:  # fmt: skip
    """Make a key and show it this once. Gives the exit code."""

    def work(connection: Connection) -> None:
        made = make_key(connection, name=name, environment=environment, scopes=scopes)
        _note(connection, "keys.create", made.key)
        if as_json:
            _print(around, {**_shown(made.key), "key": made.token})
        else:
            print(made.token, file=around.stdout)
            around.say("weighbridge: keep this key; it is shown this once.")

    return _with(work, data, around)


def show(data: Path | None, *, as_json: bool, around: Surroundings) -> int:
    """List every key, without what opens a door."""

    def work(connection: Connection) -> None:
        keys = [_shown(key) for key in list_keys(connection)]
        if as_json:
            _print(around, keys)
            return
        columns = ("id", "environment", "state", "last_used_at", "name", "scopes")
        lines = [columns, *(tuple(_cell(key[c]) for c in columns) for key in keys)]
        widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
        for line in lines:
            row = "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True))
            print(row.rstrip(), file=around.stdout)

    return _with(work, data, around)


def revoke(key_id: str, data: Path | None, *, around: Surroundings) -> int:
    """Take a key out of use, at once in every process."""

    def work(connection: Connection) -> None:
        key = revoke_key(connection, key_id)
        if key is None:
            raise BadArgument(
                f"There is no key {key_id!r}.", next_step="`weighbridge keys list` shows them."
            )
        _note(connection, "keys.revoke", key)
        around.say(f"weighbridge: {key_id} opens nothing any more.")

    return _with(work, data, around)


def _with(work: Callable[[Connection], None], data: Path | None, around: Surroundings) -> int:
    def done(found: Ground) -> None:
        with seen_by(found.database, EVERYTHING) as connection:
            work(connection)

    try:
        with ground(data, around.environ) as found:
            done(found)
    except WeighbridgeError as error:
        return report_error(error, around)
    return 0


def _note(connection: Connection, action: str, key: ApiKey) -> None:
    note(
        connection, environment=key.environment, actor="operator", action=action,
        subject=f"api_keys/{key.public_id}", after=_shown(key),
    )  # fmt: skip


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.public_id,
        "name": key.name,
        "environment": key.environment,
        "scopes": sorted(key.scopes),
        "state": "revoked" if key.revoked_at else "in use",
        "created_at": key.created_at.isoformat(),
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return "never" if value is None else safe_text(str(value)[:40])


def _print(around: Surroundings, value: Any) -> None:
    print(json.dumps(value, indent=2), file=around.stdout)
