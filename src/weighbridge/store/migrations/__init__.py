"""How the database came to its present shape: one file for each step, never changed afterwards."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from weighbridge.store.tables import SCHEMA

# Two servers that start at once must not both migrate. Any number that nobody else uses.
_LOCK = 7_301_955_512


def migrate(engine: Engine) -> None:
    """Bring the database to the shape that this version needs; does nothing if it has it."""
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()


def revisions() -> list[str]:
    """Name every shape that this version knows, the oldest first."""
    scripts = ScriptDirectory(str(Path(__file__).parent))
    return [script.revision for script in scripts.walk_revisions()][::-1]
