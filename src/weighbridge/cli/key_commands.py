"""`weighbridge keys`: the keys of the API, for whoever runs the server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from weighbridge.catalog.api_keys import ApiKey, NewKey, list_keys, make_key, revoke_key
from weighbridge.cli.data_folder import Ground, ground
from weighbridge.cli.faults import report_error
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import BadArgument, WeighbridgeError
from weighbridge.settings import seconds
from weighbridge.store.audit import note
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


# A longer one is a slip, and more than a calendar holds.
_LONGEST = 100 * 365 * 86_400.0


def lifetime(said: str | None) -> float | None:
    """Read how long a key is to open, in seconds. Raises BadArgument."""
    if said is None:
        return None
    try:
        length = seconds(said)
    except ValueError as error:
        raise BadArgument(f"--expires: {error}.", next_step="Write 12h or 90d.") from None
    if not 0 < length <= _LONGEST:
        raise BadArgument(
            f"--expires cannot be {said}.", next_step="Give a time of up to a hundred years."
        )
    return length


def create(
    name: str, environment: str, scopes: Sequence[str], data: Path | None, *,
    expires: float | None, as_json: bool, around: Surroundings,
) -> int:  # fmt: skip
    """Make a key and show it this once. Gives the exit code."""

    def work(connection: Connection) -> None:
        made = make_noted(connection, name, environment=environment, scopes=scopes, expires=expires)
        if as_json:
            _print(around, {**_shown(made.key), "key": made.token})
        else:
            print(made.token, file=around.stdout)
            around.say("weighbridge: keep this key; it is shown this once.")

    return _with(work, data, around)


def make_noted(
    connection: Connection, name: str, *, environment: str, scopes: Iterable[str],
    expires: float | None = None,
) -> NewKey:  # fmt: skip
    """Make a key that opens for `expires` seconds (None: until it is revoked); note it in the audit."""
    end: datetime | None = None
    if expires is not None:
        # By the database's clock, which is the one that says when it has come.
        end = connection.execute(
            select(func.now() + func.make_interval(0, 0, 0, 0, 0, 0, expires))
        ).scalar_one()
    made = make_key(connection, name=name, environment=environment, scopes=scopes, expires_at=end)
    _note(connection, "keys.create", made.key)
    return made


def show(data: Path | None, *, as_json: bool, around: Surroundings) -> int:
    """List every key, without what opens a door."""

    def work(connection: Connection) -> None:
        now: datetime = connection.execute(select(func.now())).scalar_one()
        keys = [_shown(key, now) for key in list_keys(connection)]
        if as_json:
            _print(around, keys)
            return
        columns = ("id", "environment", "state", "last_used_at", "expires_at", "name", "scopes")
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


def _shown(key: ApiKey, now: datetime | None = None) -> dict[str, Any]:
    over = now is not None and key.expires_at is not None and key.expires_at <= now
    return {
        "id": key.public_id,
        "name": key.name,
        "environment": key.environment,
        "scopes": sorted(key.scopes),
        "state": "revoked" if key.revoked_at else "expired" if over else "in use",
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return "never" if value is None else safe_text(str(value)[:40])


def _print(around: Surroundings, value: Any) -> None:
    print(json.dumps(value, indent=2), file=around.stdout)
