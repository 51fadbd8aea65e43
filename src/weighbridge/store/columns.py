"""What the tables of our database are made of: the schema, and columns that many have."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    MetaData,
    Text,
    text,
)

SCHEMA = "weighbridge"
ENVIRONMENTS = ("production", "staging")

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def number() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def environment() -> tuple[Column[str], CheckConstraint]:
    listed = ", ".join(f"'{e}'" for e in ENVIRONMENTS)
    return (
        Column("environment", Text, nullable=False),
        CheckConstraint(f"environment in ({listed})", name="environment"),
    )


def moment(name: str, *, now: bool = False) -> Column[object]:
    default = text("clock_timestamp()") if now else None
    return Column(name, DateTime(timezone=True), nullable=not now, server_default=default)


def within(column: str, target: str) -> ForeignKeyConstraint:
    """Point to a row of the same environment."""
    return ForeignKeyConstraint(["environment", column], [f"{target}.environment", f"{target}.id"])
