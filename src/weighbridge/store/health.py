"""What our database looks like from outside: who we are there, what is made, what is switched off.

Nothing is changed. Each fact is for a person who wants to know what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from weighbridge.store.migrations import revisions
from weighbridge.store.tables import SCHEMA, metadata

_ROLE = text("""
SELECT clock_timestamp() AS now, current_user AS role, rolsuper AS superuser,
    rolbypassrls AS bypasses, has_database_privilege(current_database(), 'CREATE') AS may_make,
    to_regnamespace(:schema) IS NOT NULL AS there,
    coalesce(has_schema_privilege(to_regnamespace(:schema), 'USAGE'), false) AS may_look,
    coalesce(has_schema_privilege(to_regnamespace(:schema), 'CREATE'), false) AS may_change
FROM pg_roles WHERE rolname = current_user
""")
# A table of a tenant's rows that shows all of them to whoever asks.
_OPEN = text("""
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY (:tables)
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY c.relname
""")
_UNWRITABLE = text("""
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = to_regnamespace(:schema) AND c.relname = ANY (:tables)
    AND NOT has_table_privilege(c.oid, 'SELECT, INSERT')
ORDER BY c.relname
""")


@dataclass(frozen=True)
class Health:
    """The role that we are, and the shape that is there. `revision` is null where nothing is."""

    now: datetime
    role: str
    superuser: bool
    bypasses: bool
    # May the role make our schema, or change it where it is there?
    may_make: bool
    revision: str | None
    open_tables: tuple[str, ...] = ()
    closed_tables: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        """Say what the shape is: none, old, current or newer than this program."""
        known = revisions()
        if self.revision is None:
            return "none"
        if self.revision not in known:
            return "newer"
        return "current" if self.revision == known[-1] else "old"


def look(connection: Connection) -> Health:
    """Look at our database. Raises DBAPIError where even that is refused."""
    role = connection.execute(_ROLE, {"schema": SCHEMA}).one()
    asked = {
        "schema": SCHEMA,
        "tables": [t.name for t in metadata.sorted_tables if "environment" in t.c],
    }
    revision = None
    if role.may_look:
        there = connection.execute(text("SELECT to_regclass('weighbridge.alembic_version')"))
        if there.scalar_one() is not None:
            revision = _revision(connection)
    return Health(
        now=role.now,
        role=role.role,
        superuser=role.superuser,
        bypasses=role.bypasses,
        may_make=role.may_change if role.there else role.may_make,
        revision=revision,
        open_tables=tuple(connection.execute(_OPEN, asked).scalars()),
        closed_tables=tuple(connection.execute(_UNWRITABLE, asked).scalars()),
    )


def _revision(connection: Connection) -> str | None:
    try:
        with connection.begin_nested():
            found = connection.execute(text("SELECT version_num FROM weighbridge.alembic_version"))
            return found.scalar_one_or_none()
    except DBAPIError:
        return None  # it is somebody else's: `closed_tables` says so


_REASONS = tuple(
    (re.compile(sign), reason)
    for sign, reason in (
        ("password authentication failed", "it refuses the user or the password"),
        ("no password supplied", "it wants a password"),
        ("no pg_hba.conf entry", "it lets nobody in from this address"),
        ("permission denied for database|not permitted to log in", "it does not let this user in"),
        ('role ".*" does not exist', "it has no such user"),
        ('database ".*" does not exist', "it has no such database"),
        ("refused", "nothing listens there"),
        ("No such file", "there is no such socket"),
        ("resolve|translate host|not known", "nobody knows the host's name"),
        ("time ?out|timed out", "it does not answer"),
        ("too many|remaining connection slots", "it has no connection to spare"),
        ("starting up|shutting down|recovery", "it is starting or ending just now"),
    )
)


def why_unreachable(error: Exception) -> str:
    """Say in a few words why a connection could not be had; the driver's words may tell more."""
    words = str(getattr(error, "orig", error))
    return next((reason for sign, reason in _REASONS if sign.search(words)), "it cannot be reached")
